"""How many will be told is asked before a warning goes out, perhaps a minute after a list came in: PostgreSQL's planner, which
has not looked at the tables yet, must not turn it into a question that grows with the square of the people."""

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
  'roster', now(), now() FROM generate_series(CAST(:first AS int), :last) AS n"""
BELONG = """INSERT INTO subscriber_region (region_code, subscriber_id)
SELECT (CAST(:places AS text[]))[1 + n % 20], n FROM generate_series(CAST(:first AS int), :last) AS n"""
TABLES = ("subscriber", "subscriber_region")
#: What it believes of a table at which it has not looked, and of one at which it looked when all had just been deleted.
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
    believes(-1, 0)


@pytest.fixture
def places(context) -> list[str]:
    district.settle_regions()
    return sorted(lookup.communities_under([DISTRICT]))[:20]


def fill(places: list[str], first: int, last: int) -> None:
    with db.engine.begin() as server:
        server.execute(text(MANY), {"first": first, "last": last})
        server.execute(text(BELONG), {"places": places, "first": first, "last": last})


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


def rows_met(question: str, values: Any) -> int:
    """Rows that all steps of the plan had in hand together."""
    with db.engine.connect() as server:
        tree = server.exec_driver_sql("EXPLAIN (ANALYZE, FORMAT JSON) " + question, values).scalar_one()
    met, nodes = 0, [tree[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
        met += node["Actual Loops"] * (node["Actual Rows"] + thrown)
    return met


@pytest.mark.parametrize("looked_at", [0, 100])
@pytest.mark.parametrize("aimed", [[FIRST], "five communities", [STREET], [DISTRICT]])
def test_whoever_is_told_is_counted_in_few_steps_before_the_planner_has_looked(unseen, places, aimed, looked_at):
    if looked_at:  # it looked when there were few
        fill(places, 1, looked_at)
        with db.engine.begin() as server:
            server.execute(text(f"ANALYZE {', '.join(TABLES)}"))
    fill(places, looked_at + 1, PEOPLE)
    for sql, values in questions_of(places[:5] if aimed == "five communities" else aimed):
        assert rows_met(sql, values) <= 10 * PEOPLE, sql


def test_and_where_it_looked_when_all_had_been_deleted_it_is_told_of_those_who_come(believes, places):
    believes(0, 5)
    n = 2 * store.CHUNK
    store.add_many(person(i, places[i % 20]) for i in range(n))
    for sql, values in questions_of(places[:5]):
        assert rows_met(sql, values) <= 10 * n, sql


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
