"""A portal with the sample course loaded and the demonstration's regions; people at its desk."""

from __future__ import annotations

import pytest
from flask import Flask

from tests import district
from tests.training.figures.conftest import app, change, content, course, loaded, seat, settled, version  # noqa: F401


@pytest.fixture
def regions(context: Flask) -> None:
    district.settle_regions()
