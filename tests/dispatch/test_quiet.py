"""Who left a matter out is not told, and who sleeps is told later, unless it is loud."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from portal.config import TIERS
from portal.core.clock import local
from portal.core.db import db, transaction
from portal.dispatch import plan, progress
from portal.dispatch.models import Batch
from portal.dispatch.recipients import unpack
from portal.subscribers import kinds
from portal.subscribers.matter import Matter, end_of_quiet, matter_of
from portal.subscribers.models import Subscriber
from portal.warnings import target
from portal.warnings.models import CANCEL
from tests import district
from tests.dispatch.conftest import dispatch_of

ZONE = "Asia/Shanghai"
AIM = {"regions": [district.PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}


def wish(*ids: int, **values) -> None:
    with transaction() as session:
        session.execute(update(Subscriber).where(Subscriber.id.in_(ids)).values(**values))


def hour_now() -> int:
    return local(datetime.now(UTC), ZONE).hour


def sleeping_now(*ids: int, hours: int = 2) -> None:
    """Quiet from an hour ago until `hours` from now: whenever the test runs, also over midnight."""
    wish(*ids, quiet_from=(hour_now() - 1) % 24, quiet_to=(hour_now() + hours) % 24)


def planned(bulletin) -> list[int]:
    rows = db.session.execute(select(Batch.recipients).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars()
    return [int(i) for packed in rows for i in unpack(packed)]


def told(bulletin) -> dict[str, int]:
    found = progress.of_bulletin(bulletin.id)
    sms = next(p for p in found if p.dispatch.channel == "sms")
    return {"planned": sms.planned, "accepted": sms.accepted, "quiet": sms.quiet, "pending": sms.pending}


@pytest.fixture
def steady():
    """The hour does not turn while a test is at it."""
    with time_machine.travel(datetime.now(UTC).replace(minute=10), tick=True):
        yield


@pytest.fixture
def four(workshop, steady) -> list[int]:
    return [district.subscriber(f"+861290000000{n}", district.LIULIAN) for n in range(4)]


def test_who_left_out_the_kind_or_the_tier_is_neither_counted_nor_told(workshop, issued, four):
    wish(four[0], muted_kinds=kinds.mask_of(["weather"]))
    wish(four[1], lowest_tier=TIERS.index("orange"))
    wish(four[2], muted_kinds=kinds.mask_of(["quake"]), lowest_tier=TIERS.index("yellow"))
    matter = matter_of("11B03", "yellow", exercise=False, at=datetime.now(UTC), zone=ZONE)
    assert target.reach(target.normalise(AIM, complete=True), matter).subscribers == {"zh": 2}
    bulletin = issued(target=AIM, tier="yellow")
    workshop.finish()
    assert sorted(planned(bulletin)) == sorted(four[2:])
    assert told(bulletin) == {"planned": 2, "accepted": 2, "quiet": 0, "pending": 0}


def test_who_sleeps_is_told_when_the_quiet_ends_and_everybody_else_at_once(workshop, issued, four):
    sleeping_now(four[0], four[1])
    sleeping_now(four[2], hours=5)
    reach = target.reach(target.normalise(AIM, complete=True), matter_of("11B03", "yellow", exercise=False, at=datetime.now(UTC),
                                                                         zone=ZONE))
    assert (reach.subscribers, reach.quiet) == ({"zh": 4}, 3)
    bulletin = issued(target=AIM, tier="yellow", expires=datetime.now(UTC) + timedelta(hours=12))
    workshop.finish()
    assert told(bulletin) == {"planned": 4, "accepted": 1, "quiet": 3, "pending": 3}
    ended = dispatch_of(bulletin)
    assert (ended.state, ended.ended_at) == ("running", None)
    with time_machine.travel(datetime.now(UTC).replace(minute=0) + timedelta(hours=2, seconds=1), tick=True):
        workshop.finish()
        assert told(bulletin) == {"planned": 4, "accepted": 3, "quiet": 1, "pending": 1}
    with time_machine.travel(datetime.now(UTC).replace(minute=0) + timedelta(hours=5, seconds=1), tick=True):
        workshop.finish()
        assert told(bulletin) == {"planned": 4, "accepted": 4, "quiet": 0, "pending": 0}
        assert dispatch_of(bulletin).state == "done"
    assert Counter(planned(bulletin)) == Counter(four)


@pytest.mark.parametrize("tier", ["orange", "red"])
def test_orange_and_red_wake_everybody_and_a_drill_of_them_nobody(workshop, issued, four, tier):
    sleeping_now(*four)
    loud = issued(target=AIM, tier=tier)
    drill = issued(target=AIM, tier=tier, exercise=True)
    workshop.finish()
    assert told(loud) == {"planned": 4, "accepted": 4, "quiet": 0, "pending": 0}
    assert told(drill) == {"planned": 4, "accepted": 0, "quiet": 4, "pending": 4}


def test_who_slept_until_the_end_is_shown_as_not_told_in_time(workshop, issued, four):
    sleeping_now(four[0], hours=9)
    bulletin = issued(target=AIM, tier="yellow", expires=datetime.now(UTC) + timedelta(hours=3))
    workshop.finish()
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=10), tick=True):
        workshop.finish()
        sms = next(p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == "sms")
        assert (sms.ends, sms.dispatch.state) == ({"accepted": 3, "expired": 1}, "expired")


def test_an_all_clear_reaches_who_was_told_in_the_morning_if_they_sleep_and_nobody_who_still_slept(workshop, issued, four):
    sleeping_now(four[0])
    alert = issued(target=AIM, tier="yellow", expires=datetime.now(UTC) + timedelta(hours=12))
    workshop.finish()
    sleeping_now(four[1])
    cancel = issued(kind=CANCEL, warning_id=alert.warning_id, tier="yellow", target=AIM)
    workshop.finish()
    assert sorted(planned(cancel)) == sorted(four[1:])
    assert told(cancel) == {"planned": 3, "accepted": 2, "quiet": 1, "pending": 1}
    sms = next(p for p in progress.of_bulletin(alert.id) if p.dispatch.channel == "sms")
    assert sms.ends == {"accepted": 3, "stopped": 1}


@pytest.mark.parametrize("cut", [1, 2, 3, 5])
def test_a_plan_that_is_cut_off_among_the_sleeping_goes_on_and_names_everybody_once(workshop, issued, steady, monkeypatch, cut):
    monkeypatch.setattr(plan, "SLICE", 20)
    district.subscribers(300)
    ids = sorted(db.session.scalars(select(Subscriber.id)))
    for number, hours in enumerate((1, 4, 7)):
        sleeping_now(*ids[number::4], hours=hours)
    bulletin = issued(tier="yellow", target=AIM | {"regions": [district.DISTRICT]},
                      expires=datetime.now(UTC) + timedelta(hours=12))
    for _ in range(2000):
        if dispatch_of(bulletin).planned_at:
            break
        steps = plan.plan(dispatch_of(bulletin).id)
        for _step in range(cut):
            next(steps, None)
        steps.close()
    assert dispatch_of(bulletin).planned_at
    assert Counter(planned(bulletin)) == Counter(ids)
    rows = db.session.execute(select(Batch).where(Batch.dispatch_id == dispatch_of(bulletin).id)).scalars().all()
    assert {i for b in rows if b.quiet_until is None for i in unpack(b.recipients)} == set(ids[3::4])


@settings(max_examples=40, deadline=None)
@given(begins=st.integers(0, 23), ends=st.integers(0, 23), hour=st.integers(0, 23))
def test_quiet_hours_hold_exactly_the_hours_from_the_first_until_the_last(begins, ends, hour):
    """Asked of the statement itself, on a database of its own: the answer is that of walking round the clock."""
    from sqlalchemy import create_engine, literal_column
    walked, at = set(), begins
    while at != ends:
        walked.add(at)
        at = (at + 1) % 24
    statement = select(literal_column("1")).where(Matter(0, 0, hour).quiet())
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE subscriber (quiet_from INTEGER, quiet_to INTEGER)")
        connection.exec_driver_sql("INSERT INTO subscriber VALUES (?, ?)", (begins, ends))
        assert bool(connection.execute(statement).all()) == (hour in walked)
    engine.dispose()


@settings(max_examples=40, deadline=None)
@given(hour=st.integers(0, 23), at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
       zone=st.sampled_from([ZONE, "Europe/Berlin", "America/New_York"]))
def test_the_end_of_quiet_is_the_next_time_that_the_clock_shows_that_hour(hour, at, zone):
    end = end_of_quiet(hour, at, zone)
    assert at - timedelta(seconds=1) < end <= at + timedelta(hours=25, seconds=1)
    shown = local(end, zone)
    # Where clocks go forward over the hour, the quiet ends with the jump.
    assert (shown.hour, shown.minute) == (hour, 0) or (shown.hour, shown.minute) == ((hour + 1) % 24, 0)
