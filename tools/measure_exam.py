"""How long an answer of an exam takes to be saved while hundreds sit it at once, and whether each that was acknowledged is kept.

`python tools/measure_exam.py [--learners 500] [--seconds 180] [--every 10] [--database postgresql|sqlite|both]
[--processes N] [--threads N]`. The server is `anlan web` as docs/deployment.md describes it, on a new database: PostgreSQL
whose commits wait for the disk, and SQLite. With `--processes` so many of them stand side by side, as behind a proxy. Who takes
the exam is signed in by rows that the portal's own functions make; what they do is done by `exam_storm.py`, a process of its
own. Beside each figure stands an empty request to the same server in the same minutes. Exit 1 where an answer is missing or
counted twice; times are only told: machines differ.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# ruff: noqa: E402  (what follows is found by the path above)
from sqlalchemy import create_engine, func, make_url, select, text

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.models import Base
from portal.training import courses_store, grading
from portal.training.exam_models import Attempt, AttemptAnswer
from portal.training.exams import answers, attempts, rules
from portal.training.exams.pages import COOKIE
from portal.training.learners import door
from portal.training.models import Learner
from tests.postgres import free_port, postgres_server

COURSE, LIMIT_MS = "first-responder", 250
OPENING, ENDING = 8, 20.0  # pages that are opened at once; seconds within which all hand in


@dataclass(frozen=True)
class Plan:
    learners: int
    seconds: float
    every: float
    processes: int
    threads: int


# -- the exam ------------------------------------------------------------------------------------------------
def settings(directory: Path, url: str, port: int) -> dict[str, str]:
    return {"ANLAN_INSTANCE": str(directory), "ANLAN_DATABASE_URL": url, "PORT": str(port), "ANLAN_SECRET_KEY": "measure " * 6,
            "ANLAN_PHONE_KEY": "ab" * 32, "ANLAN_SPEAKER_KEY": "cd" * 32, "ANLAN_PUBLIC_URL": f"http://127.0.0.1:{port}"}


def begun(learner_id: int) -> dict[str, Any]:
    """A learner who is signed in and has begun: cookies, and for each question some answers to choose from."""
    attempt, secret = attempts.start(learner_id, COURSE)
    owner = db.session.get(Learner, learner_id)
    if owner is None:
        raise LookupError(learner_id)
    known = [_possible(question, drawn) for drawn, question in attempts.questions(attempt)]
    return {"cookie": f"{door.COOKIE}={door.begin(owner)}; {COOKIE}={secret}", "attempt": str(attempt.id),
            "seq": attempts.next_seq(attempt, {}), "answers": known}


def _possible(question: Any, drawn: Any) -> list[Any]:
    """Some answers as a page sends them: right ones, wrong ones, and none."""
    of, size = answers.kind(question), len(drawn.order)
    if of == answers.ONE:
        return list(range(size))
    if of == answers.MANY:
        return [[at] for at in range(size)] + [list(range(size)), list(range(0, size, 2))]
    if of == answers.EACH:
        return [list(range(size)), list(reversed(range(size))), [None] * size]
    return ["119", "120", "5", "30", None]


def prepare(count: int) -> list[dict[str, Any]]:
    Base.metadata.create_all(db.engine)
    courses_store.sync(faulty=True)
    now = utcnow()
    with transaction() as session:
        rows = [Learner(phone_sealed=b"sealed", phone_index=f"{n:016d}".encode(), tail=f"{n:04d}"[-4:], language="zh",
                        joined_at=now, seen_at=now) for n in range(count)]
        session.add_all(rows)
    return [begun(row.id) for row in rows]


# -- what is found afterwards --------------------------------------------------------------------------------
def audit(told: dict[str, Any]) -> list[str]:
    """What is not as it was acknowledged: rows, counts, values, grades."""
    wrong, expected_rows = [], 0
    db.session.rollback()
    for attempt_id, said in told["acknowledged"].items():
        attempt = db.session.execute(select(Attempt).where(Attempt.id == uuid.UUID(attempt_id))).scalar_one()
        kept, asked, won = attempts.kept(attempt.id), attempts.questions(attempt), Fraction(0)
        for at, (drawn, question) in enumerate(asked):
            seq, value = said.get(str(at), (0, None))
            value = answers.clean(question, drawn, value)
            if at not in kept or (kept[at].seq, kept[at].value) != (seq, value):
                wrong.append(f"{attempt_id} {at}: acknowledged {seq} {value!r}, kept {kept.get(at)}")
            won += grading.grade(question, answers.unshuffled(question, drawn, value)).points
        expected_rows += len(asked)
        if (attempt.points, attempt.percent) != (float(won), rules.percent(won, len(asked))):
            wrong.append(f"{attempt_id}: {won} points expected, {attempt.points} kept")
    rows = db.session.execute(select(func.count()).select_from(AttemptAnswer)).scalar_one()
    if rows != expected_rows:
        wrong.append(f"{rows} rows of answers, {expected_rows} expected")
    return wrong


# -- the server ----------------------------------------------------------------------------------------------
@contextmanager
def servers(environment: dict[str, str], plan: Plan, ports: list[int]) -> Iterator[list[int]]:
    """The processes that answer, one at each port; their ids."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANLAN_")}
    extra = {"ANLAN_WEB_THREADS": str(plan.threads)} if plan.threads else {}
    begun = [subprocess.Popen([sys.executable, "-m", "portal.cli", "web"], cwd=ROOT, stdout=subprocess.DEVNULL,
                              env=clean | environment | extra | {"PORT": str(port)}) for port in ports]
    try:
        deadline = time.monotonic() + 120
        for process, port in zip(begun, ports, strict=True):
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start")
                time.sleep(0.1)
        yield [process.pid for process in begun]
    finally:
        for process in begun:
            process.terminate()
            process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _cpu(pid: int) -> float:
    """Seconds of processor of a process and those below it."""
    if not pid:
        return 0.0
    found = psutil.Process(pid)
    return sum(sum(one.cpu_times()[:2]) for one in (found, *found.children(recursive=True)))


def _postgres(url: str) -> int:
    """The process of the database's own server; 0 for SQLite, which has none."""
    port = str(make_url(url).port)
    return next((one.pid for one in psutil.process_iter(["name", "cmdline"])
                 if one.info["name"] == "postgres" and port in (one.info["cmdline"] or [])), 0)


def run(plan: Plan, kind: str, url: str, directory: Path) -> bool:
    ports = [free_port() for _n in range(plan.processes)]
    environment = settings(directory, url, ports[0])
    values = {name.removeprefix("ANLAN_").lower(): value for name, value in environment.items()}
    app = create_app(Settings(**values))  # type: ignore[arg-type]
    with app.app_context():
        began = time.monotonic()
        people = prepare(plan.learners)
        print(f"\n{kind}: {plan.learners} learners signed in and begun in {time.monotonic() - began:.0f} s", flush=True)
        at = f"/learn/{COURSE}/exam"
        files = {name: str(directory / f"{name}.json") for name in ("plan", "result", "sign")}
        Path(files["plan"]).write_text(json.dumps({
            "ports": ports, "sit": f"{at}/sit", "save": f"{at}/answers", "clock": f"{at}/clock", "learners": people,
            "seconds": plan.seconds, "every": plan.every, "opening": OPENING, "ending": ENDING, **files}))
        with servers(environment, plan, ports) as webs:
            child = subprocess.Popen([sys.executable, str(ROOT / "tools" / "exam_storm.py"), files["plan"]])
            used = _watched(child, webs, _postgres(url), Path(files["sign"]))
        if child.returncode:
            raise RuntimeError("the storm broke off")
        told = json.loads(Path(files["result"]).read_text())
        wrong = audit(told)
        db.engine.dispose()
    show(plan, told, used)
    print("every acknowledged answer is kept, none twice, and each mark is the one expected" if not wrong else
          f"WRONG: {len(wrong)}; the first: {wrong[0]}")
    return not wrong


def _watched(child: subprocess.Popen[bytes], webs: list[int], postgres: int, sign: Path) -> dict[str, float]:
    """Seconds of processor during the storm alone, and the machine's load."""
    def until(word: str) -> None:
        while child.poll() is None and not (sign.exists() and sign.read_text() == word):
            time.sleep(0.2)
    until("storm")
    begun, of_web, of_postgres, busy = time.monotonic(), sum(map(_cpu, webs)), _cpu(postgres), psutil.cpu_times()
    until("over")
    after = psutil.cpu_times()
    used = {"seconds": time.monotonic() - begun, "web": sum(map(_cpu, webs)) - of_web, "postgres": _cpu(postgres) - of_postgres,
            "machine": sum(after) - after.idle - after.iowait - (sum(busy) - busy.idle - busy.iowait), "load": os.getloadavg()[0]}
    child.wait()
    return used


# -- the table -----------------------------------------------------------------------------------------------
def show(plan: Plan, told: dict[str, Any], used: dict[str, float]) -> None:
    names = {"save": "an answer is saved", "bare": "an empty request", "clock": "look at the clock",
             "page": f"the exam's page, {OPENING} at once", "end": "handed in and marked", "lag": "(the measuring itself)"}
    print(f"{'milliseconds':30}{'n':>8}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}")
    for name, label in names.items():
        times = sorted(told["times"][name])
        if times:
            at = [times[min(len(times) - 1, int(len(times) * share))] * 1000 for share in (0.5, 0.95, 0.99, 1.0)]
            print(f"{label:30}{len(times):8}" + "".join(f"{one:9.1f}" for one in at))
    print(f"{told['sent']} answers acknowledged ({told['repeated']} of them sent again on purpose), {len(told['failed'])} failed"
          + (f"; the first: {told['failed'][0]}" if told["failed"] else "") + f"; all pages open in {told['opened_in']:.0f} s; "
          f"told {told['waited']} times to hand in again a little later")
    seconds = used["seconds"]
    print(f"processors: the server {used['web'] / seconds:.2f}, PostgreSQL {used['postgres'] / seconds:.2f}, the measuring "
          f"{told['cpu'] / seconds:.2f}, all that ran here {used['machine'] / seconds:.2f} of {os.cpu_count()}; "
          f"load average {used['load']:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind, default in (("learners", int, 500), ("seconds", float, 180.0), ("every", float, 10.0), ("processes", int, 1),
                                ("threads", int, 0)):
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--database", choices=("postgresql", "sqlite", "both"), default="both")
    given = parser.parse_args()
    plan, good = Plan(given.learners, given.seconds, given.every, given.processes, given.threads), True
    print(f"{plan.learners} learners, an answer each {plan.every:g} s for {plan.seconds:g} s; the aim on PostgreSQL: 95 of 100 "
          f"answers within {LIMIT_MS} ms")
    with tempfile.TemporaryDirectory(prefix="anlan-exam-") as name:
        if given.database != "sqlite":
            with postgres_server(durable=True) as prefix:
                engine = create_engine(f"{prefix}postgres", isolation_level="AUTOCOMMIT")
                with engine.connect() as connection:
                    connection.execute(text("CREATE DATABASE exam"))
                engine.dispose()
                good &= run(plan, "PostgreSQL", f"{prefix}exam", Path(name) / "postgresql")
        if given.database != "postgresql":
            directory = Path(name) / "sqlite"
            good &= run(plan, "SQLite", f"sqlite:///{directory / 'anlan.db'}", directory)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
