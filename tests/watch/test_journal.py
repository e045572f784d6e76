"""Each thing that becomes of a dispatch is told to the log once, whoever keeps the time and however quick it was."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from portal.channels.sms.lines.line import CLOSED, OPEN
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import progress
from portal.dispatch.watch import journal, metrics
from tests import district
from tests.watch.conftest import line, office


def follower() -> journal.Dispatches:
    return journal.Dispatches(metrics.Times(CollectorRegistry()), utcnow())


def told_by(follows: journal.Dispatches) -> list[Any]:
    with capture_logs() as told:
        follows.follow(db.session, [p.dispatch for p in progress.of_open()], utcnow())
    db.session.rollback()
    return told


def test_a_dispatch_is_told_as_it_goes_and_each_event_once(workshop, issued):
    district.subscribers(30)
    follows = follower()
    issued(exercise=True, tier="yellow")
    assert {(e["event"], e["channel"], e["tier"], e["exercise"]) for e in told_by(follows)} == {
        ("dispatch.issued", "sms", "yellow", True), ("dispatch.issued", "speakers", "yellow", True)}
    workshop.plan_all()
    workshop.send_one()
    assert [e["event"] for e in told_by(follows) if e["channel"] == "sms"] == ["dispatch.planned", "dispatch.first"]
    assert told_by(follows) == []
    workshop.finish()
    (ended,) = [e for e in told_by(follows) if e["channel"] == "sms"]
    assert (ended["event"], ended["state"], ended["planned"]) == ("dispatch.ended", "done", ended["accepted"])
    assert 0 <= ended["last"] <= ended["seconds"]
    assert told_by(follows) == []


def test_one_that_came_and_went_between_two_looks_is_told_and_what_was_before_is_not(workshop, issued):
    district.subscribers(10)
    issued(exercise=True)
    workshop.finish()
    follows = follower()
    assert told_by(follows) == []
    issued(exercise=True, tier="yellow")
    workshop.finish()
    events = [e["event"] for e in told_by(follows) if e["channel"] == "sms"]
    assert events == ["dispatch.issued", "dispatch.planned", "dispatch.first", "dispatch.ended"]


def test_circuits_and_lost_leases_are_told_when_they_change():
    follows = journal.Sending()
    with capture_logs() as told:
        follows.follow(office(lines=[line()]))
        follows.follow(office(lines=[line(circuit=OPEN, pause=12.34, last_error="http_503")], lost_leases=2))
        follows.follow(office(lines=[line(circuit=OPEN)], lost_leases=2))
        follows.follow(office(lines=[line(circuit=CLOSED)], lost_leases=2))
    assert [(e["event"], e.get("now"), e.get("error"), e.get("count")) for e in told] == [
        ("line.circuit", OPEN, "http_503", None), ("lease.lost", None, None, 2), ("line.circuit", CLOSED, "", None)]


def test_a_keeper_that_was_begun_anew_is_told_once_and_remembered_for_ten_minutes(monkeypatch):
    clock = iter((0, 0, 300, 300, 599, 601, 1000))
    monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    follows = journal.Sending()
    with capture_logs() as told:
        follows.follow(office(keeper_restarts=2))
        assert follows.keeper_lately == 2
        follows.follow(office(keeper_restarts=5))
        follows.follow(office(keeper_restarts=5))
        assert [follows.keeper_lately for _ in range(4)] == [5, 5, 3, 0]
    assert [(e["event"], e["count"]) for e in told] == [("keeper.restarted", 2), ("keeper.restarted", 3)]
