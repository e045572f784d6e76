"""How fast the desk's pages of training are when 160,000 people have learnt and five million answers are kept.

`python tools/measure_training.py [--learners 160000] [--database postgresql|sqlite|both] [--requests 40]`. PostgreSQL is measured
at a tenth and at full size, SQLite at a tenth. Everything is loaded by :mod:`training_load` (the rate is printed), then the jobs
of the figures do their work, then `anlan web` is asked for each page again and again beside a page of the same server that shows
nothing. How many statements a page takes, and the plan of the slowest, are taken in a process of its own on the same database.
Nothing is asserted: machines differ.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402  (what follows is found by the path above)
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, event, text
from training_load import Crowd, World, sheets, write

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity import accounts, sessions
from portal.identity.accounts import Grant
from portal.identity.demo import PASSWORD
from portal.identity.rights import TRAINER
from portal.models import Base
from portal.regions import demo as regions
from portal.regions import lookup
from portal.training import courses_store
from portal.training.figures import audience, folding, responders
from portal.training.practical_models import PracticalSession
from tests.postgres import free_port, postgres_server
from tests.whole.operator import Operator

COURSE, DISTRICT = "first-responder", "440310000000"
NOTHING = "/desk/drafts/"  # the same layout and the same door, and an empty list
KEYS = {"secret_key": "measure " * 6, "phone_key": "ab" * 32, "speaker_key": "cd" * 32}


class Desk(Operator):
    """A trainer at the desk of the running server."""

    def seconds(self, path: str) -> float:
        """How long a page takes until its last byte is here."""
        begun = time.perf_counter()
        with self._opener.open(self.base + path, timeout=120) as answer:
            answer.read()
        return time.perf_counter() - begun


@dataclass
class Bench:
    """One database with what it holds; `pages`: what is asked for, by name."""

    app: Flask
    url: str
    world: World
    account: Any
    pages: dict[str, str]


def line(what: str, value: str) -> None:
    print(f"  {what:<58} {value}", flush=True)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


# -- what is there ---------------------------------------------------------------------------------------------------------
def prepare(app: Flask, url: str) -> Bench:
    """An empty portal with regions, courses, a trainer and one practical session."""
    with app.app_context():
        Base.metadata.create_all(db.engine)
        regions.seed()
        courses_store.sync(faulty=True)
        loaded = courses_store.current(COURSE)
        if loaded is None:
            raise SystemExit(f"the course {COURSE} cannot be loaded: anlan content lint")
        account = accounts.create(None, "trainer", "Trainer", PASSWORD, [Grant(TRAINER, DISTRICT, "red")],
                                  must_change_password=False, demonstration=True)
        with transaction() as session:
            held = PracticalSession(slug=COURSE, skills=[], place="measurement", region_code=DISTRICT, starts_at=utcnow(),
                                    ends_at=utcnow() + timedelta(hours=3), seats=1, trainer_id=account.id, secret_sealed=b"",
                                    made_at=utcnow())
            session.add(held)
        world = World(loaded[1], loaded[0], lookup.communities_under([DISTRICT]), held.id, account.id)
    return Bench(app, url, world, account, {})


def load(bench: Bench, first: int, last: int) -> None:
    with bench.app.app_context():
        crowd = Crowd(bench.world, sheets(bench.world.course), first, last)
        for table in crowd.tables():
            rows, seconds = timed(lambda table=table: write(bench.url, table))  # type: ignore[misc]
            line(f"loaded {table.name}", f"{rows:>10,} rows {seconds:8.1f} s {rows / seconds:>10,.0f}/s")
    bench.pages = {
        "a page that shows nothing": NOTHING,
        "gradebook, the whole district": f"/desk/training/gradebook/?course={COURSE}&region={DISTRICT}",
        "gradebook, far down": f"/desk/training/gradebook/?course={COURSE}&region={DISTRICT}&after=440310005002.9000",
        "gradebook, one cohort": f"/desk/training/gradebook/?cohort={crowd.cohort}",
        "item analysis": f"/desk/training/questions/?course={COURSE}",
        "one question": f"/desk/training/questions/{COURSE}/{bench.world.course.modules[0].questions[0].id}/",
        "responders": "/desk/training/responders/"}


def jobs(bench: Bench) -> None:
    """The work of the scheduler, each part until nothing is left."""
    def fold_all() -> int:
        done = 0
        while some := folding.fold(bench.app):
            done += some
        return done

    attempts, seconds = timed(fold_all)
    line("attempts folded into the figures of questions",
         f"{attempts:>10,}      {seconds:8.1f} s {attempts * 50 / max(seconds, 1e-9):>10,.0f} answers/s")
    counts, seconds = timed(lambda: responders.count(bench.app))
    line("responders counted", f"{counts:>10,} counts {seconds:6.2f} s")
    changed, seconds = timed(lambda: audience.refresh_all(bench.app))
    line("their audience put right", f"{changed:>10,} changes {seconds:5.2f} s")
    changed, seconds = timed(lambda: audience.refresh_all(bench.app))
    line("their audience looked through again", f"{changed:>10,} changes {seconds:5.2f} s")


# -- the pages ---------------------------------------------------------------------------------------------------------------
@contextmanager
def server(bench: Bench, directory: Path) -> Iterator[Desk]:
    """`anlan web` with somebody signed in."""
    port = free_port()
    environment = {"PATH": "/usr/bin:/bin", "ANLAN_INSTANCE": str(directory), "ANLAN_DATABASE_URL": bench.url, "PORT": str(port),
                   "ANLAN_DEMO": "1", "ANLAN_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    environment |= {f"ANLAN_{name.upper()}": value for name, value in KEYS.items()}
    process = subprocess.Popen([sys.executable, "-m", "portal.cli", "web"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                desk = Desk(f"http://127.0.0.1:{port}", "trainer")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.2)
        yield desk
    finally:
        process.terminate()
        process.wait(30)


def ask(bench: Bench, directory: Path, requests: int) -> None:
    """Each page in turns with the one that shows nothing, so that both meet the same moments of the machine."""
    client = seat(bench)
    with server(bench, directory) as desk:
        print(f"  {'page, over HTTP':<36} {'median':>10} {'p95':>10}   {'nothing':>9} {'p95':>10} {'statements':>11}")
        for name, path in bench.pages.items():
            for _warm in range(3):
                desk.seconds(path)
            pairs = [(desk.seconds(path), desk.seconds(NOTHING)) for _ in range(requests)]
            times, beside = (sorted(column) for column in zip(*pairs, strict=True))
            said = statements(bench, client, path)
            print(f"  {name:<36} {_shown(times)}   {_shown(beside)} {len(said):>11}", flush=True)


def _shown(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:>7.1f} ms {times[int(len(times) * 0.95)] * 1000:>7.1f} ms"


def seat(bench: Bench) -> FlaskClient:
    """The same account in this process, where statements can be listened to."""
    with bench.app.app_context(), transaction() as session:
        row = sessions.open_row(session, bench.account).id.hex
    client = bench.app.test_client()
    with client.session_transaction() as cookie:
        cookie.update({"_user_id": bench.account.fs_uniquifier, "_fresh": True, "desk_session": row, "language": "zh"})
    return client


def statements(bench: Bench, client: FlaskClient, path: str) -> list[tuple[str, Any]]:
    """What a page asks of the database, beginnings and ends of transactions not counted."""
    said: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        said.append((statement, parameters))

    with bench.app.app_context():
        engine = db.engine
    client.get(path)
    event.listen(engine, "before_cursor_execute", listen)
    try:
        answer = client.get(path)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return said


def plans(bench: Bench) -> None:
    """The plan of what each page asks of the tables of training."""
    client, explain = seat(bench), "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) "
    explain = explain if bench.url.startswith("postgresql") else "EXPLAIN QUERY PLAN "
    tables = ("question_figure", "question_choice", "responder_figure", "enrolment", "cohort_member")
    with bench.app.app_context():
        engine = db.engine
    for name, path in bench.pages.items():
        for statement, parameters in statements(bench, client, path):
            if statement.startswith("SELECT") and any(table in statement for table in tables):
                with engine.connect() as connection:
                    found = connection.exec_driver_sql(explain + statement, parameters).all()
                print(f"\n  plan: {name}")
                for row in found:
                    print(f"    {row[-1]}")


# -- all of it ---------------------------------------------------------------------------------------------------------------
def measure(url: str, sizes: list[int], requests: int) -> None:
    with tempfile.TemporaryDirectory(prefix="anlan-measure-") as name:
        directory = Path(name)
        url = url or f"sqlite:///{directory / 'anlan.db'}"
        app = create_app(Settings(instance=directory, database_url=url, public_url="http://localhost", demo=True, **KEYS))  # type: ignore[arg-type]
        bench, first = prepare(app, url), 1
        for size in sizes:
            print(f"\n{url.partition('+')[0].partition(':')[0]}, {size:,} learners", flush=True)
            load(bench, first, size + 1)
            first = size + 1
            jobs(bench)
            ask(bench, directory, requests)
        plans(bench)
        with app.app_context():
            db.engine.dispose()


@contextmanager
def postgres() -> Iterator[str]:
    with postgres_server() as prefix:
        admin = create_engine(f"{prefix}postgres", isolation_level="AUTOCOMMIT")
        name = f"measure_{uuid.uuid4().hex[:8]}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        yield prefix + name


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--learners", type=int, default=160_000, help="at full size; 50 answers of each who sat the exam")
    parser.add_argument("--database", choices=("postgresql", "sqlite", "both"), default="both")
    parser.add_argument("--requests", type=int, default=40, help="of each page")
    asked = parser.parse_args()
    if asked.database != "sqlite":
        with postgres() as url:
            measure(url, [asked.learners // 10, asked.learners], asked.requests)
    if asked.database != "postgresql":
        measure("", [asked.learners // 10], asked.requests)


if __name__ == "__main__":
    main()
