"""The tables of shelters come and go around the data of a portal that is already at work."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import migrate
from portal.core.clock import utcnow
from portal.core.db import Base, UtcDateTime, db, transaction
from portal.identity.models import Account, Duty
from portal.regions.models import Region
from tests.old_database import portal_at


@pytest.fixture
def app(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database that is as the first release left it."""
    with portal_at("0001", database_kind, request, tmp_path) as made:
        yield made


def _tables() -> set[str]:
    with db.engine.connect() as connection:
        return set(sa.inspect(connection).get_table_names())


def _value(column: sa.Column[Any]) -> Any:
    """Something that the column takes; nothing where it may be empty."""
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"type": "Point", "coordinates": [114.3, 22.7]}
    for known, value in ((UtcDateTime, utcnow()), (sa.Date, date(2026, 11, 25)), (sa.Uuid, uuid.uuid4()), (sa.Boolean, True),
                         (sa.Float, 1.5), (sa.Integer, 1), (sa.LargeBinary, b"12345678"), (sa.String, "x")):
        if isinstance(kind, known):
            return value
    raise AssertionError(f"no value for {column}")


def _fill(names: set[str]) -> None:
    """A row in each of the tables, parents first."""
    with transaction() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in names:
                parents = {c.name: session.scalar(sa.select(k.column).limit(1)) for c in table.columns for k in c.foreign_keys}
                session.execute(table.insert().values({c.name: _value(c) for c in table.columns} | parents))


def test_the_tables_of_shelters_go_up_and_down_with_rows_in_them_and_lose_nothing_of_the_warnings(app: Flask) -> None:
    before = _tables()
    with transaction() as session:
        session.add(Region(code="440310000000", level="district", name_zh="坪山区", name_en="Pingshan"))
        session.add(Account(username="a", display_name="甲", fs_uniquifier="u", created_at=utcnow(),
                            duties=[Duty(role="drafter", region_code="440310000000", highest_tier="red")]))
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    new = _tables() - before
    assert {"shelter", "shelter_entrance", "shelter_report", "obstruction", "road_graph", "transfer_person"} <= new
    _fill(new | {"subscriber"})  # which one of the new tables adds to
    assert [db.session.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() for name in sorted(new)] == [1] * len(new)
    db.session.rollback()
    migrate.downgrade(app, "0001")
    assert _tables() == before
    account = db.session.scalars(sa.select(Account)).one()
    assert (account.display_name, [d.role for d in account.duties]) == ("甲", ["drafter"])
    db.session.rollback()
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    assert db.session.execute(sa.text("SELECT count(*) FROM shelter")).scalar() == 0
    assert db.session.scalars(sa.select(Account)).one().username == "a"
