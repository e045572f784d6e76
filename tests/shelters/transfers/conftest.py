"""A district with its regions, and browsers without scripts at its desk."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from tests import district
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)

#: Files about what pages say and to whom: what they ask the database is tried on both kinds by the other files.
ON_ONE = {"test_pages.py", "test_sync.py", "test_way.py", "test_rights.py"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--database") != "both":
        return
    here = Path(__file__).parent
    twice = [i for i in items if i.path.parent == here and i.path.name in ON_ONE
             and getattr(i, "callspec", None) and i.callspec.params.get("database_kind") == "postgresql"]
    if twice:
        config.hook.pytest_deselected(items=twice)
        items[:] = [i for i in items if i not in set(twice)]


@pytest.fixture
def town(context: Flask) -> Flask:
    """The application with the demonstration's regions."""
    district.settle_regions()
    return context
