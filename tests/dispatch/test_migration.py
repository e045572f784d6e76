"""Counts that were kept before they were told apart by audience go on, and lie together again where one goes back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from portal.core import migrate
from portal.core.db import db
from tests.old_database import portal_at

_ADD = "INSERT INTO tally (dispatch_id, region_code, language, key, n) VALUES (:id, '440310001001', 'zh', :key, :n)"


@pytest.fixture
def app(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database of the last release but one."""
    with portal_at("0013", database_kind, request, tmp_path) as made:
        yield made


def _run(sql: str, **values: object) -> list[tuple]:
    with db.engine.begin() as connection:
        connection.execution_options(writes=True)
        found = connection.execute(sa.text(sql), values)
        return [tuple(row) for row in found] if found.returns_rows else []


def test_counts_go_on_and_are_added_up_where_one_goes_back(app: Flask) -> None:
    dispatch = uuid.uuid4().hex
    for key, n in (("planned", 10), ("accepted", 4)):
        _run(_ADD, id=dispatch, key=key, n=n)
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    assert sorted(_run("SELECT key, audiences, slot, n FROM tally")) == [("accepted", 0, 0, 4), ("planned", 0, 0, 10)]
    for audiences, slot in ((1, 0), (1, 1), (5, 0)):
        _run("INSERT INTO tally (dispatch_id, region_code, language, key, audiences, slot, n) SELECT dispatch_id, region_code,"
             " language, key, :audiences, :slot, 3 FROM tally WHERE key = 'accepted' AND audiences = 0 AND slot = 0",
             audiences=audiences, slot=slot)
    migrate.downgrade(app, "0013")
    assert sorted(_run("SELECT key, n FROM tally")) == [("accepted", 13), ("planned", 10)]
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    assert sorted(_run("SELECT key, n FROM tally")) == [("accepted", 13), ("planned", 10)]
