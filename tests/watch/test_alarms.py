"""Alarms stand as long as what they tell of, are raised once whoever sees it, and are told to whoever is to be told."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import time_machine
from prometheus_client import generate_latest
from sqlalchemy import select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch.models import Alarm, Dispatch, Worker
from portal.dispatch.watch import alarms, facts, presence, rules, said, teller
from portal.dispatch.watch.rules import Finding
from portal.dispatch.watch.watch import Watch
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.waiting import until


class Listener:
    """An address that alarms are posted to, and that the heartbeat asks. `answers`: statuses to give, then 200."""

    def __init__(self) -> None:
        self.posted: list[dict] = []
        self.beats = 0
        self.answers: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = outer.answers.pop(0) if outer.answers else 200
                if status == 200:
                    outer.posted.append(json.loads(body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", outer.url)
                self.end_headers()

            def do_GET(self) -> None:
                outer.beats += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/key-1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def at_once(monkeypatch) -> None:
    monkeypatch.setattr(teller, "PAUSES", (0.0, 0.01, 0.01))


def ripe(watch: Watch) -> Watch:
    """A watch that has seen enough to judge."""
    watch._since -= 3600
    return watch


def test_one_raises_what_many_see_and_one_clears_it(context):
    found, now = [Finding(rules.WORKERS)], utcnow()
    raised, cleared = alarms.settle(found, found, now)
    assert ([a.kind for a in raised], cleared) == ([rules.WORKERS], [])
    assert alarms.settle(found, found, now) == ([], [])
    assert alarms.settle(found, [], now) == ([], [])  # still found, though not yet sure: it stands
    raised, cleared = alarms.settle([], [], now)
    assert (raised, [a.kind for a in cleared]) == ([], [rules.WORKERS])
    assert alarms.settle([], [], now) == ([], [])
    assert [a.kind for a in alarms.past(db.session)] == [rules.WORKERS]
    assert alarms.standing(db.session) == []


def test_many_that_look_at_the_same_moment_raise_one(context):
    found, now, raised = [Finding(rules.WORKERS)], utcnow(), []
    together = threading.Barrier(4)

    def look() -> None:
        with context.app_context():
            together.wait(20)
            raised.extend(alarms.settle(found, found, now)[0])

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(raised) == 1
    assert len(alarms.standing(db.session)) == 1


def test_a_dispatch_that_nobody_sends_is_told_to_everybody_and_so_is_its_end(
        make_app, context, workshop, issued, reported, listener, at_once, caplog):
    district.subscribers(20)
    bulletin = issued()
    workshop.plan_all()
    reported(said.WORKER)
    reported(said.SCHEDULER, leading=True)
    long_ago = utcnow() - timedelta(minutes=5)
    with transaction() as session:
        session.execute(update(Dispatch).values(created_at=long_ago, moved_at=long_ago))
    app = make_app(alarm_url=listener.url, surfaces="desk")
    watch = ripe(Watch(app, said.SCHEDULER, leading=lambda: True))
    watch._teller.start()
    try:
        with app.app_context():
            watch.look()
            assert alarms.standing(db.session) == []  # one look may err
            open_now = len(watch.known.facts.open)
        scrape = generate_latest(watch._registry).decode()  # of what was seen, long after the session is closed
        assert sum(float(n) for n in re.findall(r"^anlan_dispatches_open\{.*\} (\S+)$", scrape, re.MULTILINE)) == open_now > 0
        with app.app_context():
            watch.look()
            stand = {a.subject for a in alarms.standing(db.session)}
        assert str(dispatch_of(bulletin).id) in stand
        until(lambda: len(listener.posted) == len(stand), "they were told")
        told = next(p for p in listener.posted if p["channel"] == "sms")
        assert told["event"] == "raised"
        assert told["warning"] == bulletin.warning_number
        assert bulletin.warning_number in told["text"]["zh"]
        assert "Nothing is being sent" in told["text"]["en"]
        until(lambda: all(a.told_at for a in _alarms()), "it is written that they were told")

        workshop.finish()
        with app.app_context():
            watch.look()
            assert alarms.standing(db.session) == []
        until(lambda: len(listener.posted) == 2 * len(stand), "their end was told")
        assert {p["event"] for p in listener.posted[len(stand):]} == {"cleared"}
        assert {p["id"] for p in listener.posted[len(stand):]} == {p["id"] for p in listener.posted[:len(stand)]}
    finally:
        watch._teller.stop(5)
    assert "key-1" not in caplog.text


def _alarms() -> list[Alarm]:
    db.session.rollback()
    return list(db.session.execute(select(Alarm).execution_options(populate_existing=True)).scalars())


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_clock_that_jumped_is_no_alarm_and_hides_none(make_app, context, reported, minutes):
    reported(said.WORKER)
    reported(said.SCHEDULER, leading=True)
    watch = ripe(Watch(make_app(surfaces="desk"), said.WEB))
    with time_machine.travel(utcnow() + timedelta(minutes=minutes), tick=True):
        for _ in range(3):
            watch.look()
        assert alarms.standing(db.session) == []
        ripe(watch).look()
        assert {a.kind for a in alarms.standing(db.session)} == {rules.WORKERS, rules.SCHEDULERS}


def test_an_alarm_that_nobody_heard_of_is_told_again_also_after_the_clock_was_set_back(context):
    now = utcnow()
    alarms.settle([Finding(rules.WORKERS)], [Finding(rules.WORKERS)], now)
    for later, told in ((1, 0), (20, 1), (-600, 1)):
        assert len(alarms.untold(db.session, now + timedelta(seconds=later), presence.GONE)) == told


def test_a_process_that_has_just_begun_judges_nothing_yet(make_app, context, reported):
    reported(said.WORKER, 600)
    reported(said.SCHEDULER, leading=True)
    watch = Watch(make_app(surfaces="desk"), said.WEB)
    for _ in range(3):
        watch.look()
    assert alarms.standing(db.session) == []
    ripe(watch).look()
    assert [a.kind for a in alarms.standing(db.session)] == [rules.WORKERS]


@pytest.mark.parametrize(("answers", "taken"), [([500, 302], 1), ([500, 500, 500], 0)])
def test_an_alarm_is_told_a_few_times_at_most(listener, at_once, answers, taken):
    """A redirect is no answer: it would turn what is told into a question."""
    listener.answers = answers
    heard = threading.Event()
    told = teller.Teller(listener.url)
    told.tell({"event": "raised"}, heard.set)
    told.tell({"event": "cleared"}, heard.set)
    told.start()
    try:
        until(lambda: len(listener.posted) == 1 + taken, "what could be told is told")
        assert [p["event"] for p in listener.posted] == ["raised", "cleared"][1 - taken:]
    finally:
        told.stop(5)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/key-1", "ftp://example/key-1", "file:///etc/passwd", "http://[broken"])
def test_an_address_that_cannot_be_asked_is_an_error_without_the_address(url):
    for error in (teller.post(url, {}), teller.beat(url)):
        assert error
        assert "key-1" not in error


def test_more_than_can_wait_is_dropped_and_said(caplog):
    told = teller.Teller("http://127.0.0.1:9/")
    for _ in range(teller.MOST_WAITING + 1):
        told.tell({})
    assert "too many wait" in caplog.text


def test_the_heart_beats_only_while_all_is_well(make_app, context, listener, reported):
    reported(said.WORKER)
    reported(said.SCHEDULER, leading=True)
    app = make_app(heartbeat_url=listener.url, surfaces="desk")
    leads = Watch(app, said.SCHEDULER, leading=lambda: True)
    Watch(app, said.SCHEDULER).mind()
    leads.mind()
    assert listener.beats == 0  # nothing was looked at yet, and one that stands by does not beat
    leads.look()
    leads.mind()
    leads.mind()
    assert listener.beats == 1  # once a minute
    leads._next["heartbeat"] = 0
    with transaction() as session:
        session.execute(update(Worker).where(Worker.kind == said.WORKER).values(seen_at=utcnow() - timedelta(hours=1)))
    leads.look()
    leads.mind()
    assert listener.beats == 1


def test_a_database_that_does_not_answer_is_told_without_it(make_app, context, listener, at_once, monkeypatch):
    watch = Watch(make_app(alarm_url=listener.url, surfaces="desk"), said.WORKER)
    watch._teller.start()
    try:
        with monkeypatch.context() as away:
            away.setattr(facts, "gather", _no_database)
            with pytest.raises(OSError, match="away"):
                watch.look()
            watch.mind()
            assert watch._lost is None
            watch._looked = time.monotonic() - 3600
            watch.mind()
            watch.mind()
        until(lambda: listener.posted, "it was told")
        assert not watch.known.database_up
        watch.look()
        watch.mind()
        until(lambda: len(listener.posted) == 2, "its return was told")
    finally:
        watch._teller.stop(5)
    assert [(p["event"], p["kind"]) for p in listener.posted] == [("raised", "database"), ("cleared", "database")]
    assert watch.known.database_up


def _no_database(*_: object) -> None:
    raise OSError("away")


def test_who_ends_in_order_is_not_missed_and_who_was_silent_for_a_day_is_forgotten(context, reported):
    reported(said.WORKER, 90_000, name="old")
    reported(said.WORKER, 120, name="dead")
    now = utcnow()
    presence.report("here", said.WORKER, now, {"leading": False})
    presence.report("here", said.WORKER, now, {"leading": True})
    assert presence.sweep(now) == 1
    assert [(p.name, p.leading) for p in presence.listing(db.session)] == [("dead", False), ("here", True)]
    db.session.rollback()
    presence.leave("here")
    assert [p.name for p in presence.listing(db.session)] == ["dead"]
