"""A district with its regions, and browsers without scripts at its desk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from tests import district
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Rules need no pages."""
    return make_app(surfaces=("hooks",))


@pytest.fixture
def desk_app(sqlite_template: Path, tmp_path: Path) -> Iterator[Flask]:
    """For what pages say and to whom: what they ask the database is tried on both kinds by the tests of the rules."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    made = create_app(Settings(instance=tmp_path / "instance", database_url=f"sqlite:///{tmp_path / 'anlan.db'}",
                               secret_key="test " * 10, phone_key="ab" * 32, public_url="http://localhost"))
    made.testing = True
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def town(context: Flask) -> Flask:
    """The application with the demonstration's regions."""
    district.settle_regions()
    return context
