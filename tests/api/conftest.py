"""The API asks the database nothing that the tests of its rules do not ask on both kinds: here one of them is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "anlan.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"
