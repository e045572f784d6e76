"""The registry's tests need the database and no pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(surfaces=("hooks",))


@pytest.fixture
def sqlite_settings(sqlite_template: Path, tmp_path: Path) -> Settings:
    """For promises about files and fields, which hold whatever the database is."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    return Settings(instance=tmp_path / "instance", database_url=f"sqlite:///{tmp_path / 'anlan.db'}", surfaces=("hooks",),
                    secret_key="test " * 10, phone_key="ab" * 32, public_url="http://localhost")  # type: ignore[arg-type]


@pytest.fixture
def on_sqlite(sqlite_settings: Settings) -> Iterator[Flask]:
    app = create_app(sqlite_settings)
    with app.app_context():
        yield app
        db.engine.dispose()
