"""A district with its regions, and browsers without scripts at its desk."""

from __future__ import annotations

import pytest
from flask import Flask

from tests import district
from tests.desk.conftest import seat, settled  # noqa: F401  (fixtures)


@pytest.fixture
def town(context: Flask) -> Flask:
    """The application with the demonstration's regions."""
    district.settle_regions()
    return context
