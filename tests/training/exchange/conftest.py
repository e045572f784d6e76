"""The sample course, and a context in which words are English."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from portal.core import i18n
from tests.training.conftest import change, content, course, faults  # noqa: F401  (the same fixtures as courses have)


@pytest.fixture
def english() -> Iterator[None]:
    app = Flask(__name__)
    i18n.init_app(app, "Asia/Shanghai")
    with app.app_context(), force_locale("en"):
        yield


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """What is tested here asks no database more than who is here."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    return f"sqlite:///{tmp_path / 'anlan.db'}"
