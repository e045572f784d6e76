"""Subscribers keep their communities, and leave with them, whatever the key in which they are found brings with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import migrate
from tests.old_database import portal_at, run

_PERSON = """INSERT INTO subscriber (id, phone_sealed, phone_index, language, audiences, status, source, created_at, changed_at)
VALUES (:id, :number, :index, 'zh', 1, 'active', 'roster', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"""
_HOME = "INSERT INTO subscriber_region (region_code, subscriber_id) VALUES ('440310001001', :id)"
_GIVEN = """INSERT INTO subscriber_given (subscriber_id, source, region_code, audiences, region_given, at)
VALUES (:id, 'course', '440310001001', 2, true, '2026-01-01 00:00:00')"""


@pytest.fixture
def before(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    with portal_at("0015", database_kind, request, tmp_path) as made:
        yield made


def _people() -> list[tuple[int, int, int]]:
    return run("SELECT id, (SELECT count(*) FROM subscriber_region WHERE subscriber_id = id),"
                " (SELECT count(*) FROM subscriber_given WHERE subscriber_id = id) FROM subscriber ORDER BY id")


def test_nobody_is_lost_up_and_down_and_who_goes_takes_all_along(before: Flask) -> None:
    for n in range(1, 5):
        run(_PERSON, id=n, number=bytes([n]) * 42, index=bytes([n]) * 16)
        run(_HOME, id=n)
        run(_GIVEN, id=n)
    left = 4
    for go in (migrate.upgrade, lambda app: migrate.downgrade(app, "0015"), migrate.upgrade):
        go(before)
        assert _people() == [(n, 1, 1) for n in range(1, left + 1)]
        run("DELETE FROM subscriber WHERE id = :id", id=left)
        left -= 1
        for child in ("subscriber_region", "subscriber_given"):
            assert run(f"SELECT count(*) FROM {child}") == [(left,)]
        with pytest.raises(sa.exc.IntegrityError):  # of nobody
            run(_HOME, id=99)
        with pytest.raises(sa.exc.IntegrityError):  # twice the same
            run(_PERSON, id=1, number=b"x", index=b"x" * 16)
    assert migrate.differences(before) == []
