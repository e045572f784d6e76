"""A clock that was set back by ten minutes keeps nobody waiting, and takes nothing from a worker that lives."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import event, insert, select, update

from portal import current_settings, scheduler
from portal.channels.speakers import bridge as horns
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import channels, due, lease
from portal.dispatch.due import LONGEST_WAIT, Lapses
from portal.dispatch.engine import Engine
from portal.dispatch.models import BATCH_DONE, Batch
from portal.dispatch.recipients import pack
from portal.dispatch.watch import facts
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.test_engine import counts
from tests.waiting import until

TEN_MINUTES = timedelta(minutes=10)


class Stopwatch:
    """A clock that only goes forward, as a test wants."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def set_back(by: timedelta = TEN_MINUTES) -> contextlib.AbstractContextManager:
    return time_machine.travel(utcnow() - by, tick=True)


def the_batch() -> Batch:
    db.session.rollback()
    return db.session.execute(select(Batch).where(Batch.channel == "sms").execution_options(populate_existing=True)).scalar_one()


@pytest.fixture
def alert(workshop, issued):
    """One batch of three people, planned."""
    for n in range(3):
        district.subscriber(f"+861290000000{n}", district.LIULIAN)
    made = issued()
    workshop.plan_all()
    return made


@pytest.mark.parametrize("asked", [None, 86_400.0])
def test_who_waits_for_another_try_does_not_wait_for_the_clock_as_well(alert, asked):
    held = lease.claim("sms", "first")
    lease.finish(held, [], left=3, retry_after=asked, error="503")
    assert timedelta() < the_batch().due_at - utcnow() <= timedelta(seconds=LONGEST_WAIT)
    assert lease.claim("sms", "next") is None
    with set_back():
        assert [lane.due for lane in facts.gather(db.session, utcnow()).lanes if lane.channel == "sms"] == [1]
        assert lease.claim("sms", "next").batch_id == held.batch_id


def test_who_sleeps_is_not_woken_by_a_clock_that_was_set_back(alert):
    with transaction() as session:
        session.execute(update(Batch).values(quiet_until=utcnow() + timedelta(hours=2), due_at=utcnow() + timedelta(hours=2)))
    for fence in (0, 1):
        with transaction() as session:
            session.execute(update(Batch).values(fence=fence))
        with set_back():
            assert lease.claim("sms", "next") is None


def test_what_a_dead_worker_held_is_anothers_after_a_lease_whatever_the_clock_says(alert):
    dead, real = lease.claim("sms", "dead"), Stopwatch()
    lapses = Lapses(real)
    with set_back():
        assert lapses.look() == 0
        real.seconds += current_settings().lease_seconds - 1
        assert lapses.look() == 0
        assert lease.claim("sms", "heir") is None
        real.seconds += 10
        assert lapses.look() == 1
        heir = lease.claim("sms", "heir")
        assert (heir.batch_id, heir.pending.tolist()) == (dead.batch_id, dead.pending.tolist())
        with pytest.raises(lease.LeaseLost):
            lease.finish(dead, [], left=3, retry_after=None, error="")
        real.seconds += 10 * current_settings().lease_seconds
        assert lapses.look() == 0


def test_an_all_clear_does_not_wait_for_a_dead_worker_until_the_clock_has_caught_up(workshop, context, issued, alert):
    lease.claim("sms", "dead")
    real, engine = Stopwatch(), Engine(context, {})
    engine._lapses = Lapses(real)
    with set_back():
        issued(kind=CANCEL, warning_id=alert.warning_id)
        engine._fold()
        assert counts(alert).ends == {}
        real.seconds += current_settings().lease_seconds
        engine._fold()
        assert counts(alert).ends == {"uncertain": 3}


def test_a_worker_that_lives_keeps_what_it_holds_also_where_its_clock_is_ahead(alert):
    """Its machine's clock is ten minutes ahead of ours, always."""
    with time_machine.travel(utcnow() + TEN_MINUTES, tick=True):
        held = lease.claim("sms", "ahead")
    real = Stopwatch()
    lapses = Lapses(real)
    for _ in range(5):
        assert lapses.look() == 0
        real.seconds += current_settings().lease_seconds * 0.9
        with time_machine.travel(utcnow() + TEN_MINUTES, tick=True):
            assert lease.renew(held)
    assert lease.claim("sms", "thief") is None
    assert the_batch().fence == held.fence


def test_a_lease_that_is_renewed_at_the_last_moment_is_not_ended(alert, monkeypatch):
    held, real = lease.claim("sms", "alive"), Stopwatch()
    lapses, end = Lapses(real), due._end
    with set_back():
        lapses.look()
        real.seconds += current_settings().lease_seconds

        def renewed_first(leases):
            assert lease.renew(held)
            return end(leases)

        monkeypatch.setattr(due, "_end", renewed_first)
        assert lapses.look() == 0
        assert lease.claim("sms", "thief") is None
        assert the_batch().due_at > utcnow()


def test_looks_go_by_the_index_with_a_thousand_batches_to_send_and_more_that_were_sent(alert):
    one = the_batch()
    same = {c.name: getattr(one, c.name) for c in Batch.__table__.columns if c.name != "id"} | {"recipients": pack([1])}
    later = {"due_at": utcnow() + timedelta(seconds=50), "fence": 1}
    with transaction() as session:
        session.execute(insert(Batch), [same | later for _ in range(1000)] + [same | {"state": BATCH_DONE}] * 3000)
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "lease_owner" in statement and statement.startswith("SELECT"):
            asked.append((statement, parameters))

    postgresql = db.engine.dialect.name == "postgresql"
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if postgresql:
            connection.exec_driver_sql("ANALYZE batch, dispatch")
        event.listen(db.engine, "before_cursor_execute", note)
        assert len(lease.claim_some("sms", "test", 1)) == 1
        Lapses().look()
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(asked) == (2 if postgresql else 3)
    for statement, parameters in asked:
        rows = db.session.connection().exec_driver_sql(f"EXPLAIN {'' if postgresql else 'QUERY PLAN '}{statement}", parameters)
        plan = "\n".join(row[-1] for row in rows)
        assert "ix_batch_due" in plan, plan


def test_what_is_done_every_so_often_goes_on(monkeypatch):
    done = []
    clock = scheduler.Steady(timezone="UTC")
    monkeypatch.setattr(scheduler, "LOOK_SECONDS", 0.02)
    clock.add_job(lambda: done.append(1), "interval", seconds=0.05)
    clock.start()
    try:
        until(lambda: done, "it is done")
        with set_back():
            before = len(done)
            until(lambda: len(done) > before + 3, "it goes on")
    finally:
        clock.shutdown()


def test_a_horn_begins_at_once_although_the_bulletin_was_sent_by_a_clock_that_was_ahead(alert):
    with set_back():
        command = channels._command(alert, "zh", horns.START, ())
        assert command.start_at == command.issued_at <= utcnow()
