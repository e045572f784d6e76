"""The office when the database, a number or the office itself fails: nobody is told twice, and nobody waits for others."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import lease
from portal.dispatch.bulk import books, feeder, lookout, writer
from portal.dispatch.models import Batch, Dispatch
from portal.subscribers import contacts
from portal.subscribers.models import Subscriber
from tests.dispatch.bulk.test_office import begun, people
from tests.dispatch.offices import ToldLine
from tests.dispatch.test_engine import counts
from tests.waiting import until


def unless(away: threading.Event, real):
    def asked(*given, **more):
        if away.is_set():
            raise OperationalError("", None, Exception("away"))
        return real(*given, **more)
    return asked


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    for place, pause in ((writer, "AGAIN"), (writer, "PULSE"), (lookout, "LOOK")):
        monkeypatch.setattr(place, pause, 0.01)


def test_after_the_database_was_away_nobody_is_told_again_whose_end_was_not_yet_written(workshop, issued, monkeypatch):
    people(8)
    bulletin = issued()
    workshop.plan_all()
    away = threading.Event()
    for name in ("record_many", "renew_all", "going_on"):
        monkeypatch.setattr(lease, name, unless(away, getattr(lease, name)))
    line = ToldLine(lambda to, ref: None, most=8)
    office = begun(workshop, line, 8)
    away.set()
    with transaction() as session:
        session.execute(update(Batch).values(due_at=utcnow() - timedelta(seconds=1)))
    line.release()
    until(lambda: office.writer.away_since is not None, "ends cannot be written")
    assert office.feeder.step(1) == 0
    away.clear()
    until(lambda: office.idle, "they are written")
    workshop.send_all()
    assert counts(bulletin).ends == {"accepted": 8}
    assert Counter(line.taken) == dict.fromkeys(line.taken, 1)
    assert not office._held


def test_the_writer_outlives_what_nobody_thought_of(workshop, issued, monkeypatch):
    people(3)
    bulletin = issued()
    workshop.plan_all()
    real, faults = lease.going_on, iter([True])

    def faulty(*given):
        if next(faults, None):
            raise ValueError("a defect")
        return real(*given)

    monkeypatch.setattr(lease, "going_on", faulty)
    line = ToldLine(lambda to, ref: None)
    office = begun(workshop, line, 3)
    until(lambda: next(faults, None) is None, "it has failed")
    line.release()
    until(lambda: office.idle, "it has written nevertheless")
    assert counts(bulletin).ends == {"accepted": 3}


def test_red_is_leased_although_as_many_batches_wait_as_may(workshop, issued, monkeypatch):
    people(3)
    issued(hazard="11B01", tier="blue")
    workshop.plan_all()
    monkeypatch.setattr(feeder, "MOST_AHEAD", 1)
    line = ToldLine(lambda to, ref: None, most=1)
    office = begun(workshop, line, 1)
    issued(tier="red", hazard="11B03")
    workshop.plan_all()
    assert office.feeder.step() == 1
    line.release()  # else the end of the office waits for it


def test_a_damaged_number_keeps_the_warning_from_nobody_else(workshop, issued, caplog):
    ids = people(3)
    bulletin = issued()
    with transaction() as session:
        session.execute(update(Subscriber).where(Subscriber.id == ids[1]).values(phone_sealed=b"\1" * 40))
    workshop.over(ToldLine())
    workshop.finish()
    assert counts(bulletin).ends == {"accepted": 2, "failed": 1}
    assert "damaged" in caplog.text
    with pytest.raises(RuntimeError, match="ANLAN_PHONE_KEY"):
        contacts.contacts([ids[1]])


def test_what_is_on_its_way_to_the_loop_when_the_process_ends_is_given_back(workshop, issued):
    people(3)
    issued()
    workshop.plan_all()
    desk = workshop.over(ToldLine())
    held = threading.Event()
    desk.office._loop.call_soon_threadsafe(held.wait, 2.0)
    assert desk.office.feeder.step(1) == 1
    ending = threading.Thread(target=workshop.close)
    ending.start()
    until(lambda: not desk.office.writer._rung.is_set(), "the writer has looked")
    held.set()
    ending.join()
    db.session.rollback()
    assert not db.session.execute(select(Batch.id).where(Batch.channel == "sms", Batch.lease_owner.is_not(None))).all()


def test_a_batch_that_cannot_be_made_ready_takes_none_with_it(workshop, issued, monkeypatch):
    people(3)
    first, second = issued(hazard="11B01"), issued(hazard="11B03")
    workshop.plan_all()
    line = ToldLine()
    desk = workshop.over(line)
    real, faults = books.contacts, iter([True])

    def faulty(*what):
        if next(faults, None):
            raise ValueError("a defect")
        return real(*what)

    monkeypatch.setattr(books, "contacts", faulty)
    with pytest.raises(RuntimeError, match="a defect"):
        desk.office.feeder._lease(2)  # both in one transaction
    until(lambda: desk.office.idle, "the other is written")
    assert sorted(sum(counts(one).ends.values()) for one in (first, second)) == [0, 3]


def test_what_was_stopped_ends_although_nothing_can_be_written(workshop, issued, monkeypatch):
    people(30)
    bulletin = issued()
    workshop.plan_all()
    answers = iter([("accepted", "", "N", False)] * 3)
    line = ToldLine(lambda to, ref: next(answers, None), most=3)
    let, waits = threading.Event(), threading.Event()
    real = lease.record_many

    def slowly(*what, **more):
        waits.set()
        let.wait(30)
        return real(*what, **more)

    monkeypatch.setattr(lease, "record_many", slowly)
    office = begun(workshop, line, 6)
    assert waits.wait(30)
    assert office.pump.waiting == 24
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.bulletin_id == bulletin.id).values(state="stopped"))
    until(lambda: not office.pump.waiting, "it has seen that it is stopped")
    let.set()
    line.release()
    until(lambda: office.idle, "what came of it is written")
    assert counts(bulletin).ends == {"accepted": 6, "stopped": 24}
