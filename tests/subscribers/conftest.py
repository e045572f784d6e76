"""A small district of two streets with three communities, in the test's database."""

from __future__ import annotations

import pytest
from flask import Flask

from portal.core.db import transaction
from portal.regions.models import Region

DISTRICT, STREET, OTHER_STREET = "440310000000", "440310001000", "440310002000"
FIRST, SECOND, THIRD = "440310001001", "440310001002", "440310002001"


@pytest.fixture
def district(context: Flask) -> Flask:
    rows = [
        (DISTRICT, None, "district", 0),
        (STREET, DISTRICT, "street", 0),
        (OTHER_STREET, DISTRICT, "street", 0),
        (FIRST, STREET, "community", 6000),
        (SECOND, STREET, "community", 3000),
        (THIRD, OTHER_STREET, "community", 1000),
    ]
    with transaction() as session:
        session.add_all(
            Region(
                code=code,
                parent_code=parent,
                level=level,
                name_zh=code,
                name_en=code,
                population=people or None,
                demonstration=True,
            )
            for code, parent, level, people in rows
        )
    return context
