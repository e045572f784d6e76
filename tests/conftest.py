"""What every test may ask for: a database of each kind, an application on it, people with duties."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from sqlalchemy import create_engine

from portal import create_app
from portal.config import Settings
from portal.core import i18n
from portal.core.db import db
from portal.models import Base
from tests import remembered
from tests.chromium import chromium  # noqa: F401  (a fixture for all)
from tests.emptied import Emptied
from tests.postgres import postgres_server

# How long a busy machine takes to make an example says nothing about the portal.
hypothesis.settings.register_profile("portal", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("portal")

# What is compiled is kept, also where the surroundings say otherwise: else every worker, and every command that a test starts,
# compiles all modules and all tests anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

remembered.remember()

# Until all tests are collected, nearly all that is made is kept: see `pytest_collection_finish`.
gc.disable()

#: Files that take longest, begun first: a long one at the end would leave all cores but one idle.
_LONGEST = ("tests/whole/test_run.py", "tests/browser/test_scenario.py", "tests/whole/test_apart.py",
            "tests/browser/test_training_scenario.py", "tests/browser/test_resident_scenario.py",
            "tests/browser/test_trainer_scenario.py", "tests/browser/test_desk_live.py", "tests/security/test_bad_input.py",
            "tests/browser/test_shelters_scenario.py", "tests/browser/test_transfers.py", "tests/dispatch/test_crash.py",
            "tests/shelters/office/test_in_a_browser.py", "tests/many/test_machines.py", "tests/faults/test_few.py")


def pytest_itemcollected(item: pytest.Item) -> None:
    if "chromium" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.browser)


def pytest_collection_finish() -> None:
    """What was imported lives as long as the tests: to look through all of it for rubbish, again and again, was a third of their
    time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(_LONGEST)}
    browsing = {_file(item) for item in items if item.get_closest_marker("browser")}  # they wait most: the others fill the gaps
    items.sort(key=lambda item: order.get(_file(item), len(order) + (_file(item) not in browsing)))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("both", "sqlite", "postgresql"),
        default="both",
        help="which databases the tests that need one run on (default: both)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--database")
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"] if chosen == "both" else [chosen], scope="session")


@pytest.fixture(scope="session", autouse=True)
def _catalogues() -> None:
    i18n.compile_catalogues()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with postgres_server() as prefix:
        yield prefix


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "anlan.db"
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def emptied(postgres: str) -> Emptied:
    return Emptied(postgres, Base.metadata)


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database with all tables, of each kind in turn."""
    if database_kind == "sqlite":
        path = tmp_path / "anlan.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    return request.getfixturevalue("emptied").url()


@pytest.fixture
def make_settings(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings on the test's database; keyword arguments override."""

    def make(**overrides: object) -> Settings:
        values: dict = {
            "instance": tmp_path / "instance",
            "database_url": database_url,
            "secret_key": "test " * 10,
            "phone_key": "ab" * 32,
            "public_url": "http://localhost",
        }
        return Settings(**(values | overrides))

    return make


@pytest.fixture
def make_app(make_settings: Callable[..., Settings]) -> Iterator[Callable[..., Flask]]:
    made: list[Flask] = []

    def make(**overrides: object) -> Flask:
        app = create_app(make_settings(**overrides))
        app.testing = True
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    """The application with its context pushed, for tests that call functions directly."""
    with app.app_context():
        yield app
