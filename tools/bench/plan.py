"""The plan of a dispatch to everybody, beside one bare statement that packs the same people, on both databases."""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from portal.core.db import db
from portal.dispatch import plan
from tools.bench.population import DISTRICT
from tools.bench.rig import Rig, rig
from tools.bench.rows import AT_MOST, Row, compared, middle, spread

GOAL, FIRST_GOAL = 1.5, 50.0  # times the reference; milliseconds
SHARE = 100
RUNS = 3
SIZE = 1000  # ids in a row of the bare statement, as in a batch by default

_TABLE = """
CREATE TABLE bare_batch
(id {key} PRIMARY KEY, region_code VARCHAR(12), language VARCHAR(8), size INTEGER, recipients {bytes})"""
#: Each person once, where their first community is; a thousand of one community and language in a row.
_BARE = """
INSERT INTO bare_batch (region_code, language, size, recipients)
SELECT region_code, language, count(*), {packed}
FROM (SELECT home.region_code, s.language, s.id,
             (row_number() OVER (PARTITION BY home.region_code, s.language ORDER BY s.id) - 1) / {size} AS part
      FROM (SELECT min(region_code) AS region_code, subscriber_id FROM subscriber_region
            WHERE region_code BETWEEN '{low}' AND '{high}' GROUP BY subscriber_id) home
      JOIN subscriber s ON s.id = home.subscriber_id WHERE s.status = 'active') people
GROUP BY region_code, language, part"""


class _Fast:
    """Stands in for the book of numbers: nobody reads them here, and to seal a million takes longer than all that is measured."""

    def seal(self, number: str) -> bytes:
        return number.encode().ljust(44)

    def index(self, number: str) -> bytes:
        return hashlib.blake2b(number.encode(), digest_size=16).digest()


def measure(size: int, postgres: Rig | None = None, runs: int = RUNS) -> list[Row]:
    """Seconds of a whole plan and of the bare statement, one after the other in each run; and milliseconds until the first batch
    can be leased. `postgres`: a database with people that is there already."""
    with tempfile.TemporaryDirectory(prefix="anlan-plan-") as folder:
        place = Path(folder)
        lite = _lite(place / "lite", size)
        if postgres is not None:
            return _rows("PostgreSQL", postgres, _bare_postgresql, runs) + _rows("SQLite", lite, _bare_sqlite, runs)
        with rig(place, size) as own:
            return _rows("PostgreSQL", own, _bare_postgresql, runs) + _rows("SQLite", lite, _bare_sqlite, runs)


def _lite(place: Path, size: int) -> Rig:
    place.mkdir()
    made = Rig(place, f"sqlite:///{place / 'anlan.db'}", size)
    made.app.extensions["phones"] = _Fast()
    made.prepare()
    return made


def _rows(database: str, here: Rig, bare: Callable[[Rig], tuple[float, int]], runs: int) -> list[Row]:
    wholes, firsts, bares = [], [], []
    packed = 0
    for _ in range(runs):
        seconds, people = bare(here)
        bares.append(seconds)
        first, whole, packed = _planned(here)
        firsts.append(first * 1000)
        wholes.append(whole)
        if packed != people:
            raise RuntimeError(f"{database}: the plan names {packed} people, the bare statement {people}")
    what = f"plan of {packed:,} recipients, {database}"
    first = middle(firsts)
    return [
        compared(what, middle(wholes), "s", "bare packed INSERT…SELECT", middle(bares), AT_MOST, GOAL, spread(wholes)),
        Row(f"its first batch can be leased after, {database}", first, "ms", "", None, None, f"≤ {FIRST_GOAL:g} ms",
            first <= FIRST_GOAL, spread(firsts)),
    ]


def _planned(here: Rig) -> tuple[float, float, int]:
    """Seconds until the first slice was written and until the last, and whom it names; nothing of it stays."""
    dispatch_id = here.issue(SHARE)
    with here.app.app_context():
        begun = time.perf_counter()
        steps = plan.plan(dispatch_id)
        next(steps)
        first = time.perf_counter() - begun
        for went_on in steps:
            if not went_on:
                raise RuntimeError("the plan waits for something")
        whole = time.perf_counter() - begun
        of_it = {"d": dispatch_id.hex if db.engine.dialect.name == "sqlite" else dispatch_id}
        people = db.session.execute(text("SELECT coalesce(sum(size), 0) FROM batch WHERE dispatch_id = :d"), of_it).scalar_one()
        db.session.execute(text("DELETE FROM batch WHERE dispatch_id = :d"), of_it)
        db.session.execute(text("DELETE FROM tally WHERE dispatch_id = :d"), of_it)
        db.session.execute(text("UPDATE dispatch SET state = 'stopped', ended_at = created_at WHERE id = :d"), of_it)
        db.session.commit()
    return first, whole, int(people)


def _bare_postgresql(here: Rig) -> tuple[float, int]:
    with psycopg.connect(here.raw_url, autocommit=True) as server:
        server.execute("DROP TABLE IF EXISTS bare_batch")
        server.execute(_TABLE.format(key="BIGSERIAL", bytes="BYTEA"))
        begun = time.perf_counter()
        server.execute(_statement("string_agg(int8send(id), '')"))
        seconds = time.perf_counter() - begun
        people = server.execute("SELECT sum(size) FROM bare_batch").fetchone()
        server.execute("DROP TABLE bare_batch")
    return seconds, int(people[0]) if people else 0


def _bare_sqlite(here: Rig) -> tuple[float, int]:
    base = sqlite3.connect(str(here.folder / "anlan.db"), isolation_level=None)
    try:
        base.execute("PRAGMA synchronous=FULL")
        base.execute("DROP TABLE IF EXISTS bare_batch")
        base.execute(_TABLE.format(key="INTEGER", bytes="BLOB"))
        begun = time.perf_counter()
        base.execute(_statement("group_concat(id)"))
        seconds = time.perf_counter() - begun
        people: Any = base.execute("SELECT sum(size) FROM bare_batch").fetchone()
        base.execute("DROP TABLE bare_batch")
    finally:
        base.close()
    return seconds, int(people[0])


def _statement(packed: str) -> str:
    prefix = DISTRICT[:6]
    return _BARE.format(packed=packed, size=SIZE, low=prefix.ljust(12, "0"), high=prefix.ljust(12, "9"))
