"""How many will be told is asked before a warning goes out, perhaps a minute after a list came in: PostgreSQL's planner, which
knows nothing of it yet, must not turn it into a question that grows with the square of the people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from portal.core import db as database
from portal.core.db import db
from portal.regions import lookup
from portal.subscribers import store
from portal.subscribers.matter import Matter
from tests import district
from tests.dispatch.bulk.test_keeper import database_url  # noqa: F401  (a fixture: PostgreSQL)
from tests.subscribers.conftest import DISTRICT, FIRST, STREET
from tests.subscribers.test_store import person

PEOPLE = 5000
MANY = """INSERT INTO subscriber (id, phone_sealed, phone_index, language, audiences, muted_kinds, lowest_tier, status, source,
  created_at, changed_at)
SELECT n, sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'zh', 1, CASE WHEN n % 50 = 0 THEN 4 ELSE 0 END, 0, 'active',
  'roster', now(), now() FROM generate_series(1, CAST(:people AS int)) AS n"""
BELONG = """INSERT INTO subscriber_region (region_code, subscriber_id)
SELECT (CAST(:places AS text[]))[1 + n % 20], n FROM generate_series(1, CAST(:people AS int)) AS n"""
TABLES = ("subscriber", "subscriber_region")
#: Rows and pages: a table at which it has not looked; one at which it looked when all had just been deleted, when there was one
#: row, when there were a hundred, when fifty were left of many, and when it was larger than it is.
BELIEFS = {"nothing": (-1, 0), "all deleted": (0, 5), "one": (1, 1), "a hundred": (100, 3), "fifty left of many": (50, 1000),
           "many": (1_000_000, 20_000)}
BELIEVES = """UPDATE pg_class SET reltuples = :rows, relpages = :pages WHERE oid = CAST(:name AS regclass)
  OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = CAST(:name AS regclass))"""


@pytest.fixture
def believes(context) -> Iterator[Callable[[int, int], None]]:
    """`believes(rows, pages)`: what PostgreSQL's planner knew of subscribers is forgotten but for this, and its daemon does not
    look again."""
    def set_to(rows: int, pages: int) -> None:
        with db.engine.begin() as server:
            for table in TABLES:
                server.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
                server.execute(text(f"DELETE FROM pg_statistic WHERE starelid = '{table}'::regclass"))
                server.execute(text(BELIEVES), {"name": table, "rows": rows, "pages": pages})

    yield set_to
    db.session.rollback()
    with db.engine.begin() as server:
        for table in TABLES:
            server.execute(text(f"ALTER TABLE {table} RESET (autovacuum_enabled)"))


@pytest.fixture
def unseen(believes) -> None:
    believes(*BELIEFS["nothing"])


@pytest.fixture
def places(context) -> list[str]:
    district.settle_regions()
    return sorted(lookup.communities_under([DISTRICT]))[:20]


def fill(places: list[str], people: int) -> None:
    with db.engine.begin() as server:
        server.execute(text(MANY), {"people": people})
        server.execute(text(BELONG), {"places": places, "people": people})


def questions_of(where: list[str]) -> list[tuple[str, Any]]:
    """What is asked of the database to count who is told in these regions."""
    asked: list[tuple[str, Any]] = []
    listen = (db.engine, "before_cursor_execute", lambda _c, _k, sql, values, *_: asked.append((sql, values)))
    event.listen(*listen)
    try:
        told, _quiet = store.count_told(where, 1, Matter(4, 4, 3))
        assert sum(told.values()) > 0
        store.count_in(where, 1)
    finally:
        event.remove(*listen)
    found = [one for one in asked if "count(*)" in one[0] and "subscriber_region" in one[0]]
    assert len(found) == 2
    return found


def steps_of(question: str, values: Any) -> tuple[int, bool]:
    """Rows that all steps of the plan had in hand together; and whether a row was held against a list item by item, which the
    plan does not count."""
    with db.engine.connect() as server:
        tree = server.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + question, values).scalar_one()
    met, searched, nodes = 0, False, [tree[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
        met += node["Actual Loops"] * (node["Actual Rows"] + thrown)
        searched |= "ANY ($" in node.get("Filter", "")
    return met, searched


@pytest.mark.parametrize("belief", BELIEFS.values(), ids=BELIEFS)
def test_whoever_is_told_is_counted_in_few_steps_whatever_the_planner_believes(believes, places, belief):
    believes(*belief)
    fill(places, PEOPLE)
    for aimed in ([FIRST], places[:5], [STREET], [DISTRICT]):
        for sql, values in questions_of(aimed):
            met, searched = steps_of(sql, values)
            assert met <= 10 * PEOPLE, (aimed, sql)
            assert not searched, f"each of them is looked for in the whole list of {aimed}"


def known_columns(table: str) -> int:
    return db.session.execute(text("SELECT count(*) FROM pg_stats WHERE tablename = :name"), {"name": table}).scalar_one()


def test_the_planner_is_told_when_many_came_in(unseen):
    store.add_many(person(n) for n in range(store.CHUNK + 1))
    assert all(known_columns(table) for table in TABLES)


def test_who_came_in_stays_though_somebody_is_at_the_tables(unseen, monkeypatch, caplog):
    monkeypatch.setattr(database, "TABLE_SECONDS", 0.1)
    with db.engine.begin() as other:
        other.execute(text("LOCK TABLE subscriber_region IN SHARE UPDATE EXCLUSIVE MODE"))  # as VACUUM does
        assert store.add_many(person(n) for n in range(store.CHUNK + 1)).new == store.CHUNK + 1
    assert "it looks by itself later" in caplog.text
    assert sum(store.count_in([DISTRICT]).values()) == store.CHUNK + 1
