"""For modules that test pages: they ask the databases nothing that the tests of the rules do not ask of both."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """An empty database with all tables, of one kind."""
    path = tmp_path / "anlan.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"
