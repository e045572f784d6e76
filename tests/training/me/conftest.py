"""The school of the learners' tests, with regions."""

from __future__ import annotations

import pytest

from portal.regions import demo as regions
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.training.learners.conftest import learner, phone, sample, school  # noqa: F401


@pytest.fixture
def district(school):  # noqa: F811
    regions.seed()
