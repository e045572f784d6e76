"""The API asks the database nothing that the tests of its rules do not ask on both kinds: here one of them is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shelters.template import with_regions


@pytest.fixture(scope="session")
def settled_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_regions(sqlite_template, tmp_path_factory.mktemp("settled"))


@pytest.fixture
def database_url(settled_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "anlan.db"
    shutil.copy(settled_template, path)
    return f"sqlite:///{path}"
