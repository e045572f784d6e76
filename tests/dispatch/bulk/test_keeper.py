"""An office whose database work is done by a process beside it: whatever becomes of that process, everybody is told once."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from portal.channels.sms.provider import ACCEPTED
from portal.config import ROOT
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import stop
from portal.dispatch.bulk import keeper, writer
from portal.dispatch.bulk import office as office_module
from portal.dispatch.bulk.books import NONE, light
from portal.dispatch.bulk.keeper import READ, WRITE, Away, Fault, Keeper, _Child
from portal.dispatch.bulk.office import Office
from portal.dispatch.lease import Lease, Results
from portal.dispatch.models import Batch
from tests.dispatch.bulk.test_office import people
from tests.dispatch.offices import ToldLine
from tests.dispatch.test_engine import counts
from tests.ends import ends
from tests.waiting import until

# Begun by a test and killed in the middle: it has the keeper begun, asks once, says its number, and waits.
_WORKER = """
import time
from portal.config import Settings
from portal.dispatch.bulk.keeper import Keeper
made = Keeper(Settings(), "worker", ())
made.claim(1, None, ())
print(made.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def database_url(emptied) -> str:
    return emptied.url()  # on SQLite there is no keeper


@pytest.fixture
def make_office(context, monkeypatch) -> Iterator[Callable[[ToldLine], Office]]:
    monkeypatch.setattr(writer, "AGAIN", 0.01)
    monkeypatch.setattr("portal.dispatch.bulk.feeder.BROKEN", 0.01)
    made: list[Office] = []

    def make(line: ToldLine) -> Office:
        made.append(Office(context, [line], "test", keeper=True))
        made[-1].start()
        return made[-1]

    yield make
    for office in made:
        office.stop()


@pytest.fixture
def app(make_app):
    # Whoever had to wait for a lease to lapse would wait in vain here.
    return make_app(batch_size=4, flush_size=4, lease_seconds=600, log_format="json")


def a_lease() -> Lease:
    return Lease(1, 1, uuid.uuid4(), uuid.uuid4(), "sms", 0, "440310001001", "zh", 0, utcnow() + timedelta(hours=1), NONE)


def gone(pid: int) -> bool:
    """Whether the process has ended, waited for by its parent or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def files() -> list[str]:
    """What is open in this process, but what the database's connections are."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{number}"))
    return [name for name in found if name.startswith(("socket:", "pipe:"))]


def test_each_is_told_once_and_has_one_end_however_the_keepers_end(workshop, issued, make_office, monkeypatch):
    people(60)
    bulletin = issued()
    workshop.plan_all()
    real, soon, lost = _Child.ask, _Child.ask_soon, {READ: True, WRITE: True}

    def unheard(child: _Child, way: int, request: bytes):
        answer = real(child, way, request)
        if lost[way] and answer[1][0]:
            lost[way] = False  # what was asked has been done, and it ends before we have heard so
            child.process.kill()
            raise EOFError
        return answer

    def unheard_soon(child: _Child, loop, way: int, request: bytes, told):
        def heard(answer: bytes | None) -> None:
            if lost[way]:
                lost[way], answer = False, None
                child.process.kill()
            told(answer)

        return soon(child, loop, way, request, heard)

    monkeypatch.setattr(_Child, "ask", unheard)
    monkeypatch.setattr(_Child, "ask_soon", unheard_soon)
    monkeypatch.setattr(keeper, "ANSWER_SECONDS", 5.0)  # whoever stands still is sent away after these
    line = ToldLine(most=2, seconds=0.005)
    office = make_office(line)
    moments = random.Random(5)
    few, some = moments.randrange(4, 12), moments.randrange(16, 30)
    first = until(lambda: len(line.taken) > few and not any(lost.values()) and office.books.begun >= 3 and office.books.pid,
                  "two answers were lost, and another keeper was begun after each")
    with contextlib.suppress(ProcessLookupError):  # so slow a machine that it has gone already
        os.kill(first, signal.SIGKILL)
    second = until(lambda: office.books.pid not in (first, None) and len(line.taken) > some and office.books.pid,
                   "another goes on")
    with contextlib.suppress(ProcessLookupError):
        os.kill(second, signal.SIGSTOP)
    until(lambda: gone(second), "the one that stands still is sent away")
    until(lambda: counts(bulletin).dispatch.ended_at or stop.sweep(), "all is done")
    assert counts(bulletin).ends == {"accepted": 60}
    assert Counter(Counter(line.taken).values()) == {1: 60}
    assert len(ends()) == 60
    until(lambda: office.books.begun >= 5, "one was begun after each of the four")


def test_what_the_keeper_could_not_write_is_written_by_a_second_try_and_then_the_loop_writes_again(
        workshop, issued, make_office, monkeypatch, capfd):
    people(60)
    bulletin = issued()
    workshop.plan_all()
    soon, tried, faults = _Child.ask_soon, _Child.ask, iter([True])
    asked: list[str] = []

    def asks_soon(child: _Child, loop, way: int, request: bytes, told):
        asked.append("by the loop")
        if next(faults, None):
            request = pickle.dumps(("record", ("nonsense", False)))
        return soon(child, loop, way, request, told)

    def asks(child: _Child, way: int, request: bytes):
        asked.extend(["by the thread"] * (way == WRITE))
        return tried(child, way, request)

    monkeypatch.setattr(_Child, "ask_soon", asks_soon)
    monkeypatch.setattr(_Child, "ask", asks)
    line = ToldLine(lambda to, ref: (ACCEPTED, "", f"N{ref}", False) if len(line.taken) <= 30 else None, most=10)
    office = make_office(line)
    until(lambda: len(ends()) == 30, "what was answered is written")
    until(lambda: len(line.taken) == 40, "the line holds ten")
    until(lambda: not office.writer._by_thread, "the thread has nothing left")
    written = list(asked)
    line.release()
    until(lambda: counts(bulletin).dispatch.ended_at or stop.sweep(), "all is done")
    assert counts(bulletin).ends == {"accepted": 60}
    assert Counter(Counter(line.taken).values()) == {1: 60}
    assert written[:2] == ["by the loop", "by the thread"]
    assert set(asked[len(written):]) == {"by the loop"}
    assert office.books.begun == 1
    assert "could not be done" in capfd.readouterr().err


def test_an_office_ends_in_time_although_the_keeper_stands_still(workshop, issued, context, monkeypatch):
    people(8)
    issued()
    workshop.plan_all()
    monkeypatch.setattr(office_module, "PATIENCE", 1.0)
    line = ToldLine(lambda to, ref: None, most=4)
    office = Office(context, [line], "test", keeper=True)
    office.start()
    until(lambda: len(line.taken) == 4, "it sends")
    child = office.books._child
    os.kill(child.process.pid, signal.SIGSTOP)
    line.release()
    until(child._turns[WRITE].locked, "the loop waits for what the keeper has written")
    began = time.monotonic()
    office.stop()
    assert time.monotonic() - began < 20
    assert gone(child.process.pid)
    assert not child._turns[WRITE].locked()


def test_it_hears_no_signal_tells_no_secret_and_leaves_nothing_behind(app, make_settings, capfd):
    before, settings = files(), make_settings(log_format="json")
    made = Keeper(settings, "test", ())
    made.start()
    pid = made.pid
    for one in (signal.SIGINT, signal.SIGTERM):  # while it still begins
        os.kill(pid, one)
    assert made.claim(1, None, ()) == ([], "")
    for one in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, one)
    assert made.claim(1, None, ()) == ([], "")
    assert (made.pid, made.begun) == (pid, 1)

    seen = b"".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ"))
    for secret in (settings.secret_key.get_secret_value(), settings.phone_key.get_secret_value(), settings.database_url):
        assert secret.encode() not in seen

    number = "+8612900000001"
    with pytest.raises(Fault):
        made.claim(1, f"{number} is no lane", ())  # type: ignore[arg-type]
    said = capfd.readouterr().err
    assert "could not be done" in said
    assert number not in said
    assert settings.phone_key.get_secret_value() not in said
    assert made.record([]) == set()  # it goes on
    assert made.pid == pid

    made.close()
    assert gone(pid)
    assert files() == before
    with pytest.raises(Away):
        made.claim(1, None, ())
    assert made.pid is None


def test_it_puts_nobody_aside_when_it_wakes(app, make_settings):
    made = Keeper(make_settings(), "test", ())
    made.start()
    assert made.record([]) == set()  # it is ready
    threads = [int(one.name) for one in Path(f"/proc/{made.pid}/task").iterdir()]
    assert sum(os.sched_getscheduler(one) == os.SCHED_BATCH for one in threads) == 3  # its own: begin, read, write
    made.close()


def test_it_ends_when_its_worker_does(make_settings):
    settings = make_settings()
    given = {"ANLAN_DATABASE_URL": settings.database_url, "ANLAN_INSTANCE": str(settings.instance),
             "ANLAN_SECRET_KEY": settings.secret_key.get_secret_value(), "ANLAN_PHONE_KEY": settings.phone_key.get_secret_value()}
    with subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT, env=os.environ | given, stdout=subprocess.PIPE,
                          text=True) as worker:
        pid = int(worker.stdout.readline())
        assert not gone(pid)
        worker.kill()
    until(lambda: gone(pid), "it ends by itself")


def test_one_that_hears_nothing_is_sent_away_with_a_long_question_half_on_its_way(make_settings, monkeypatch):
    real, before = subprocess.Popen, files()
    monkeypatch.setattr(subprocess, "Popen", lambda _given, **more: real(["sleep", "600"], **more))
    monkeypatch.setattr(keeper, "ANSWER_SECONDS", 60.0)
    made = Keeper(make_settings(), "test", ())
    made.start()
    pid, away = made.pid, []

    def claim() -> None:
        with pytest.raises(Away):
            made.claim(1, None, ())
        away.append(True)

    asking = threading.Thread(target=claim)
    asking.start()
    until(lambda: made._child._turns[READ].locked(), "the other one waits, too")
    monkeypatch.setattr(keeper, "ANSWER_SECONDS", 0.1)
    with pytest.raises(Away):
        made.record([Results(light(a_lease()), [(n, ACCEPTED, "", "N" * 64, "told", 1) for n in range(20_000)])])
    asking.join(60)
    assert away == [True]
    assert gone(pid)
    made.close()
    assert files() == before


def test_a_reading_that_met_a_dead_connection_puts_nobody_off(workshop, issued):
    people(8)
    issued()
    workshop.plan_all()
    desk = workshop.over(ToldLine())
    assert workshop.send_one()
    assert db.session.execute(text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                   " WHERE pid <> pg_backend_pid() AND query LIKE '%phone_sealed%'")).scalar() == 1
    db.session.rollback()
    assert desk.office.feeder.step(1) == 1
    until(lambda: desk.office.idle, "it is written")
    assert set(db.session.execute(select(Batch.attempts).where(Batch.channel == "sms")).scalars()) == {0}
    db.session.rollback()
