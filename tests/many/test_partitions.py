"""The lines of docs/scaling.md that divide outcomes by month: everything goes on as before, on both sides of the border."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from portal.config import ROOT
from portal.core.db import db
from portal.dispatch import progress
from tests import district
from tests.dispatch.conftest import issued, workshop  # noqa: F401  (fixtures)

PEOPLE = 30
TARGET = {"regions": [district.DISTRICT], "area": None, "audiences": [], "channels": ["sms"]}


@pytest.fixture
def database_url(emptied) -> str:
    return emptied.url()  # only PostgreSQL has partitions


def _begin_a_month(later: int = 0) -> None:
    (lines,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/scaling.md").read_text(encoding="utf-8"), re.DOTALL)
    db.session.rollback()
    with db.engine.begin() as connection:
        connection.execute(text(lines.replace("now()", f"(now() + interval '{later} month')").replace(":", r"\:")))


def _rows(table: str, many: str = "count(*)") -> list[int]:
    """How many stand in each partition, the oldest first."""
    names = db.session.execute(text(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:t) ORDER BY inhrelid"), {"t": table})
    found = [db.session.execute(text(f"SELECT {many} FROM {name}")).scalar_one() for name in names.scalars()]
    db.session.rollback()
    return found


def test_months_of_outcomes_are_kept_apart_and_told_together(workshop, issued):  # noqa: F811
    district.subscribers(PEOPLE)
    bulletins = []
    for month in range(3):
        if month:
            _begin_a_month(month)
        bulletins.append(issued(target=TARGET))
        workshop.finish()
    assert _rows("outcome_page", "sum(size)") == [PEOPLE + 1] * 3  # and the web page that was published
    assert _rows("delivery") == [PEOPLE] * 3
    for bulletin in bulletins:
        found = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
        assert (found.dispatch.state, found.planned, found.ends) == ("done", PEOPLE, {"accepted": PEOPLE})
