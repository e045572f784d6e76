"""How fast lists of subscribers come in: 100,000 people on SQLite, a million on PostgreSQL, each beside a bare reference.

`python tools/measure_roster.py [--sqlite 100000] [--postgresql 1000000] [--runs 1]`; 0 leaves a database out. The list comes in
by the command that an administrator uses, in a process of its own (what it takes to start is printed): the file is read, every
number is sealed, every row checked, and all of them become subscribers in one transaction, with their communities and their story
of consent. The reference reads the same file with Python's csv and pours the same rows, in the open and unchecked, into one table
with the phone as its key (executemany on SQLite, COPY on PostgreSQL). Meanwhile others leave, ten times a second: the longest of
their waits is printed. Then the same list a second time, when everybody is known; then the desk's figures, and the plan by which
the people of a list are found. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402  (what follows is found by the path above)
import psycopg
from sqlalchemy import create_engine, text

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.models import Base
from portal.regions import demo as regions
from portal.regions import lookup
from portal.subscribers import store
from portal.subscribers.office import figures
from portal.subscribers.roster.survey import people
from tests.postgres import postgres_server

DISTRICT = "440310000000"
KEYS: dict[str, Any] = {"secret_key": "measure " * 6, "phone_key": "ab" * 32}


def line(what: str, value: str) -> None:
    print(f"  {what:<62} {value}", flush=True)


def write_list(path: Path, many: int, communities: list[str], names: list[str]) -> None:
    """A list as an office has it: mobile numbers, half of the communities by name, one row in ten with two audiences."""
    chance = random.Random(many)  # noqa: S311  (made up, not secret)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("手机号", "社区", "人群", "语言"))
        for n in range(many):
            place = chance.randrange(len(communities))
            out.writerow((f"1{3 + n % 7}{n * 61_803_399 % 1_000_000_000:09d}", (names if n % 2 else communities)[place],
                          "学校;居民" if n % 10 == 0 else "居民", "英文" if n % 9 == 0 else "中文"))


def bare(path: Path, url: str) -> float:
    """Seconds of the reference."""
    begun = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        if url.startswith("sqlite"):
            import sqlite3

            with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("DROP TABLE IF EXISTS bare")
                connection.execute("CREATE TABLE bare (phone TEXT PRIMARY KEY, place TEXT, kind TEXT, language TEXT)")
                connection.commit()
                connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?)", rows)
        else:
            with psycopg.connect(url.replace("+psycopg", "")) as server, server.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS bare")
                cursor.execute("CREATE TABLE bare (phone text PRIMARY KEY, place text, kind text, language text)")
                with cursor.copy("COPY bare FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
    return time.perf_counter() - begun


@contextmanager
def others_leave(app: object) -> Iterator[list[float]]:
    """Ten times a second somebody who is no subscriber yet asks for no texts; how long each waited."""
    waits, over = list[float](), threading.Event()

    def work() -> None:
        from portal.subscribers import wishes

        with app.app_context():  # type: ignore[attr-defined]
            for n in range(10**6):
                if over.wait(0.1):
                    return
                begun = time.perf_counter()
                wishes.leave(n.to_bytes(16, "big"), "sms")
                waits.append(time.perf_counter() - begun)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def command(path: Path, url: str, instance: Path) -> tuple[float, str, int]:
    """(seconds, what it said, highest memory in MB of any child so far)."""
    environment = {**os.environ, "ANLAN_INSTANCE": str(instance), "ANLAN_DATABASE_URL": url,
                   "ANLAN_SECRET_KEY": KEYS["secret_key"], "ANLAN_PHONE_KEY": KEYS["phone_key"]}
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "portal.cli", "subscribers", "import", str(path), "--basis", "measured"],
                          cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds, done.stdout.strip().splitlines()[-1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def measure(kind: str, url: str, bare_url: str, many: int, folder: Path, runs: int) -> None:
    print(f"\n{kind}, {many:,} people (load before: {os.getloadavg()[0]:.1f})")
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    instance = folder / f"instance-{kind}"
    app = create_app(Settings(instance=instance, database_url=url, public_url="http://localhost", surfaces=("hooks",), **KEYS))
    with app.app_context():
        regions.seed()
        communities = lookup.communities_under([DISTRICT])
        path = folder / f"{kind}.csv"
        write_list(path, many, communities, [node.name_zh for code in communities if (node := lookup.get(code))])
        db.session.rollback()
    line("the file", f"{path.stat().st_size / 2**20:.1f} MB")
    first = folder / "first.csv"
    first.write_text(f"phone,community\n12900000001,{communities[0]}\n", encoding="utf-8")
    line("the command with a list of one", f"{command(first, url, instance)[0]:.1f} s")
    for run in range(runs):
        reference = bare(path, bare_url)
        if run:
            _empty(url)
        with others_leave(app) as waits:
            taken, said, memory = command(path, url, instance)
        line("bare reference", f"{reference:.1f} s, {many / reference:,.0f} rows/s")
        line("the command, all in all", f"{taken:.1f} s, {many / taken:,.0f} rows/s, {reference / taken:.2f} of the reference")
        line("", said)
        line("its memory at most", f"{memory} MB")
        line("somebody else who leaves meanwhile waited at most", f"{max(waits, default=0):.2f} s ({len(waits)} of them)")
    again, said, _memory = command(path, url, instance)
    line("the same list once more, everybody known", f"{again:.1f} s")
    with app.app_context():
        for name, scope in (("the district", [DISTRICT]), ("one street", ["440310001000"])):
            begun = time.perf_counter()
            found = figures.count(scope)
            line(f"the desk's figures of {name}", f"{time.perf_counter() - begun:.2f} s, {found.active:,} people")
        begun = time.perf_counter()
        store.known([b"\0" * 16])
        line("one phone looked up", f"{1000 * (time.perf_counter() - begun):.1f} ms")
        plan(kind)
        db.session.rollback()
        db.engine.dispose()


def plan(kind: str) -> None:
    """How the database finds the people of a list that waits."""
    from sqlalchemy import select

    from portal.subscribers.models import Subscriber

    one = people("x")
    query = select(Subscriber.id).join(one, one.c.phone_index == Subscriber.phone_index)
    sql = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
    prefix = "EXPLAIN QUERY PLAN " if kind == "SQLite" else "EXPLAIN "
    if kind != "SQLite":
        db.session.execute(text("SET LOCAL enable_nestloop = off"))
    for row in db.session.execute(text(prefix + sql)).all()[:8]:
        print(f"    {row[-1]}")


def _empty(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("roster_gain", "roster_row", "roster_import", "consent_event", "subscriber_region", "subscriber"):
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608
    engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sqlite", type=int, default=100_000)
    parser.add_argument("--postgresql", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="anlan-roster-") as name:
        folder = Path(name)
        if asked.sqlite:
            measure("SQLite", f"sqlite:///{folder / 'anlan.db'}", f"sqlite:///{folder / 'bare.db'}", asked.sqlite, folder,
                    asked.runs)
        if asked.postgresql:
            with postgres_server(durable=True) as prefix:
                with psycopg.connect(f"{prefix.replace('+psycopg', '')}postgres", autocommit=True) as connection:
                    for database in ("anlan", "bare"):
                        connection.execute(f"CREATE DATABASE {database}")
                measure("PostgreSQL", f"{prefix}anlan", f"{prefix}bare", asked.postgresql, folder, asked.runs)


if __name__ == "__main__":
    main()
