"""What was kept by earlier releases goes on, and is as it was where one goes back: counts that were not told apart by audience,
and outcomes in a row each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.core import migrate
from portal.core.db import db
from portal.dispatch import outcomes
from tests.old_database import portal_at, run

_ADD = "INSERT INTO tally (dispatch_id, region_code, language, key, n) VALUES (:id, '440310001001', 'zh', :key, :n)"


@pytest.fixture
def app(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """An application on a database before counts were told apart by audience."""
    with portal_at("0013", database_kind, request, tmp_path) as made:
        yield made


@pytest.fixture
def rows(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """The same, when outcomes had a row each."""
    with portal_at("0014", database_kind, request, tmp_path) as made:
        yield made


def test_counts_go_on_and_are_added_up_where_one_goes_back(app: Flask) -> None:
    dispatch = uuid.uuid4().hex
    for key, n in (("planned", 10), ("accepted", 4)):
        run(_ADD, id=dispatch, key=key, n=n)
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    assert sorted(run("SELECT key, audiences, slot, n FROM tally")) == [("accepted", 0, 0, 4), ("planned", 0, 0, 10)]
    for audiences, slot in ((1, 0), (1, 1), (5, 0)):
        run("INSERT INTO tally (dispatch_id, region_code, language, key, audiences, slot, n) SELECT dispatch_id, region_code,"
             " language, key, :audiences, :slot, 3 FROM tally WHERE key = 'accepted' AND audiences = 0 AND slot = 0",
             audiences=audiences, slot=slot)
    migrate.downgrade(app, "0013")
    assert sorted(run("SELECT key, n FROM tally")) == [("accepted", 13), ("planned", 10)]
    migrate.upgrade(app)
    assert migrate.differences(app) == []
    assert sorted(run("SELECT key, n FROM tally")) == [("accepted", 13), ("planned", 10)]


_COLUMNS = "batch_id, recipient_id, status, code, carrier_id, carrier, audiences, at"
_END = f"INSERT INTO outcome ({_COLUMNS}) VALUES (:batch, :recipient, :status, :code, :number, :carrier, :audiences, :at)"
_ALL = f"SELECT {_COLUMNS} FROM outcome ORDER BY batch_id, recipient_id"


def test_outcomes_are_the_same_in_pages_and_in_rows_again(rows: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for batch in range(1, 131):  # more than are in memory at a time
        for recipient in range(batch % 4):
            run(_END, batch=batch, recipient=recipient * 2 ** (batch % 50), status=("accepted", "failed")[recipient % 2],
                 code=("", "30003")[batch % 2], number=("", f"SM{batch}-{recipient}")[batch % 3 > 0],
                 carrier=("", "east")[batch % 2], audiences=2**recipient * (batch % 5),
                 at=f"2026-07-0{1 + recipient // 2} 08:00:00.123456")
    before = run(_ALL)
    migrate.upgrade(rows)
    assert migrate.differences(rows) == []
    session = db.session
    pages = list(outcomes.pages(session, range(1, 131)))
    session.rollback()
    assert sum(len(page.recipients) for page in pages) == len(before)
    assert {(page.batch_id, i, page.status, page.code, page.carrier, mask) for page in pages
            for i, mask in zip(page.recipients.tolist(), page.audiences.tolist(), strict=True)} == {
                (batch, i, status, code, carrier, mask) for batch, i, status, code, _number, carrier, mask, _at in before}
    migrate.downgrade(rows, "0014")
    assert run(_ALL) == before
    migrate.upgrade(rows)
    assert migrate.differences(rows) == []
