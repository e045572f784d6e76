"""The office on both databases: a lost lease writes nothing, who leaves is told nothing more, and who carried is remembered."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, OPTED_OUT
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.dispatch import lease, stop
from portal.dispatch.bulk import feeder, lookout, pump, writer
from portal.dispatch.models import Batch, Dispatch
from portal.subscribers import store
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.conftest import dispatch_of
from tests.dispatch.offices import ToldLine
from tests.dispatch.test_engine import counts
from tests.ends import ends
from tests.waiting import until


def people(n: int, audiences: int = 1) -> list[int]:
    return [district.subscriber(f"+8612900000{i:03d}", district.LIULIAN, audiences=audiences) for i in range(n)]


def begun(workshop, line: ToldLine, n: int):
    """The office with a batch whose first `n` messages are in the air."""
    desk = workshop.over(line)
    desk.office.feeder.step(1)
    until(lambda: len(line.taken) == n, "the first messages are in the air")
    return desk.office


def test_each_outcome_says_who_carried_it_to_whom_of_which_audience(workshop, issued):
    people(30, audiences=5)
    bulletin = issued()
    workshop.plan_all()
    workshop.over(ToldLine(name="a", most=1, seconds=0.002), ToldLine(name="b", most=1, seconds=0.002))
    workshop.send_all()
    rows = ends(Batch.channel == "sms")
    assert {row.audiences for row in rows} == {5}
    assert set(Counter(row.carrier for row in rows)) == {"a", "b"}
    assert all(row.carrier_id.startswith("N") for row in rows)
    assert counts(bulletin).ends == {"accepted": 30}


def test_the_all_clear_goes_to_each_over_the_carrier_that_carried_the_warning(workshop, issued):
    people(40)
    alert = issued()
    workshop.plan_all()
    first = [ToldLine(name=name, most=1, seconds=0.002) for name in ("a", "b")]
    workshop.over(*first)
    workshop.finish()
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    second = [ToldLine(name=name) for name in ("a", "b")]
    workshop.over(*second)
    workshop.finish()
    assert counts(clear).ends == {"accepted": 40}
    for before, after in zip(first, second, strict=True):
        assert sorted(before.taken) == sorted(after.taken) != []


def test_over_another_where_the_one_that_carried_is_there_no_more(workshop, issued):
    people(10)
    alert = issued()
    workshop.over(ToldLine(name="gone"))
    workshop.finish()
    clear = issued(kind=CANCEL, warning_id=alert.warning_id)
    other = ToldLine(name="other")
    workshop.over(other)
    workshop.finish()
    assert counts(clear).ends == {"accepted": 10}
    assert len(other.taken) == 10


def test_who_lost_the_lease_writes_nothing_and_begins_nothing_more(workshop, issued):
    people(20)
    bulletin = issued()
    workshop.plan_all()
    line = ToldLine(lambda to, ref: None, most=5)
    office = begun(workshop, line, 5)
    with transaction() as session:
        session.execute(update(Batch).where(Batch.channel == "sms").values(due_at=utcnow()))
    heir = lease.claim("sms", "heir")
    assert heir is not None
    assert len(heir.pending) == 20
    until(lambda: not office.pump.waiting, "it has seen that the batch is another's")
    line.release()
    until(lambda: office.idle, "the office has let go of it")
    assert office.state().lost_leases == 1
    assert counts(bulletin).ends == {}
    assert len(line.taken) == 5
    lease.finish(heir, [lease.Ended(i, ACCEPTED) for i in heir.pending.tolist()], left=0, retry_after=None, error="")
    assert counts(bulletin).ends == {"accepted": 20}


def test_what_is_stopped_goes_no_further_although_it_is_leased(workshop, issued):
    people(20)
    bulletin = issued()
    workshop.plan_all()
    line = ToldLine(lambda to, ref: None, most=5)
    office = begun(workshop, line, 5)
    stop.stop(district.approver("second"), dispatch_of(bulletin).id)
    office.wake()
    until(lambda: not office.pump.waiting, "nothing of it waits any more")
    line.release()
    until(lambda: office.idle, "what was in the air is written")
    stop.sweep()
    assert counts(bulletin).ends == {"accepted": 5, "stopped": 15}
    assert len(line.taken) == 5
    assert counts(bulletin).dispatch.ended_at is not None


def test_who_leaves_while_the_carrier_is_slow_is_told_nothing_more(workshop, issued, monkeypatch):
    ids = people(10)
    bulletin = issued()
    workshop.plan_all()
    line = ToldLine(lambda to, ref: None, most=2)
    office = begun(workshop, line, 2)
    store.opt_out(ids[7], source="test")
    monkeypatch.setattr(feeder, "RECHECK_SECONDS", 0.0)
    office.feeder._recheck()
    line.release()
    until(lambda: office.idle, "the rest is sent")
    assert counts(bulletin).ends == {"accepted": 9, "opted_out": 1}
    assert len(line.taken) == 9


def test_a_number_that_the_carrier_does_not_know_or_that_left_there_is_not_tried_again(workshop, issued):
    ids = people(4)
    said = {"+8612900000001": (INVALID, "21211"), "+8612900000002": (OPTED_OUT, "21610"), "+8612900000003": (FAILED, "30006")}
    issued()
    workshop.over(ToldLine(lambda to, ref: (*said.get(to, (ACCEPTED, "")), "", False)))
    workshop.finish()
    assert set(store.phones(ids)) == {ids[0], ids[3]}


def test_a_commit_whose_answer_was_lost_counts_nobody_twice(workshop, issued, monkeypatch):
    people(30)
    bulletin = issued()
    workshop.plan_all()
    real, lost = lease.record_many, iter([True, True])

    def unheard(*given, **more):
        answer = real(*given, **more)
        if next(lost, None):
            raise OperationalError("COMMIT", None, Exception("the connection broke after it"))
        return answer

    monkeypatch.setattr(lease, "record_many", unheard)
    monkeypatch.setattr(writer, "AGAIN", 0.01)
    line = ToldLine(most=4, seconds=0.005)
    workshop.over(line)
    workshop.finish()
    assert counts(bulletin).ends == {"accepted": 30}
    assert Counter(Counter(line.taken).values()) == {1: 30}


def test_what_cannot_be_written_for_a_fault_of_ours_stays_in_hand_and_is_sent_once(workshop, issued, monkeypatch):
    people(30)
    bulletin = issued()
    workshop.plan_all()
    real, fails = lease.record_many, threading.Event()

    def faulty(*given, **more):
        if not fails.is_set():
            raise ValueError("a defect")
        return real(*given, **more)

    monkeypatch.setattr(lease, "record_many", faulty)
    for place, pause in ((writer, "AGAIN"), (writer, "PULSE"), (lookout, "LOOK")):
        monkeypatch.setattr(place, pause, 0.01)
    line = ToldLine()
    desk = workshop.over(line)
    desk.office.feeder.step(1)
    until(lambda: len(line.taken) == 30 and desk.office.writer.stuck, "it cannot be written")
    fails.set()
    until(lambda: desk.office.idle, "it is written after all")
    assert counts(bulletin).ends == {"accepted": 30}
    assert len(line.taken) == 30


@pytest.mark.parametrize("lane", [0, 3])
def test_a_more_urgent_one_is_leased_although_enough_is_in_hand(workshop, issued, monkeypatch, lane):
    monkeypatch.setattr(pump, "FEWEST_AHEAD", 10)  # the next tick says it again
    people(40)
    issued(hazard="11B01", tier="blue")
    workshop.plan_all()
    line = ToldLine(lambda to, ref: None, most=1)
    office = begun(workshop, line, 1)
    office.pump.ahead = 10
    red = issued(tier="red", hazard="11B03")
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.bulletin_id == red.id).values(lane=lane))
    workshop.plan_all()
    assert office.feeder.step() == (1 if lane == 0 else 0)
    line.release()
