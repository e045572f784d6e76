"""For modules that ask nothing of a database that only one kind could answer otherwise: import `one_app`, `filled` and `school`
from here. One application for the module; each test finds its database as new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.identity.limits import limiter
from tests.training.assessing.conftest import load
from tests.training.conftest import CONTENT


def _app(folder: Path) -> Flask:
    app = create_app(Settings(instance=folder, secret_key="test " * 10, phone_key="ab" * 32, public_url="http://localhost",
                              content=CONTENT, sms_provider="sandbox"))
    app.testing = True
    app.extensions["sms_courier"] = lambda work: work()
    return app


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Path:
    """All tables, the regions and the sample course."""
    folder = tmp_path_factory.mktemp("filled")
    shutil.copy(sqlite_template, folder / "anlan.db")
    with _app(folder).app_context():
        load()
        db.session.close()
        db.engine.dispose()  # whoever closes last leaves one file
    return folder / "anlan.db"


@pytest.fixture(scope="module")
def one_app(tmp_path_factory: pytest.TempPathFactory, filled: Path) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("school")
    shutil.copy(filled, folder / "anlan.db")
    app = _app(folder)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def school(one_app: Flask, filled: Path) -> Iterator[Flask]:
    database = Path(one_app.instance_path) / "anlan.db"
    with one_app.app_context():
        db.engine.dispose()
        limiter.reset()
    for left in database.parent.glob("anlan.db-*"):
        left.unlink()
    shutil.copy(filled, database)
    with one_app.app_context():
        yield one_app
