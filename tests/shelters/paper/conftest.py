"""A desk with the demonstration's regions, people with duties, and the sample of two communities."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)
from tests.shelters.communities.conftest import bring_in


@pytest.fixture
def town(settled: Flask) -> Flask:  # noqa: F811
    """The application with what two communities know of themselves; no shelters, no streets."""
    bring_in()
    return settled
