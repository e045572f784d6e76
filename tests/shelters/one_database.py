"""For tests that ask nothing of a database that only one kind could answer otherwise: import `database_url` from here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """An empty SQLite database with all tables."""
    path = tmp_path / "anlan.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"
