"""Of whom nothing was heard in time is counted, batch by batch, and no longer once something is heard."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask, current_app
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.desk import state
from portal.dispatch import overdue, tallies
from portal.dispatch.models import BATCH_DONE, OVERDUE, Batch, Delivery, Dispatch, Tally
from portal.dispatch.progress import Progress
from tests.dispatch.test_receipts_fold import MASKS, PEOPLE, Bench, bench  # noqa: F401  (a fixture)


def age(minutes: float) -> None:
    with transaction() as session:
        session.execute(update(Batch).values(last_at=utcnow() - timedelta(minutes=minutes)))


def silent(bench: Bench) -> dict[tuple[str, int], int]:  # noqa: F811
    rows = db.session.execute(select(Tally.key, Tally.audiences, func.sum(Tally.n)).where(
        Tally.dispatch_id == bench.dispatch, Tally.key.in_(tallies.SILENT.values())).group_by(Tally.key, Tally.audiences))
    return {(key, mask): int(n) for key, mask, n in rows if n}


story = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(PEOPLE), st.sampled_from(["sent", "delivered", "undelivered"])),
        st.tuples(st.just("count"), st.just(0), st.just("")),
        st.tuples(st.just("fold"), st.just(0), st.just("")),
    ),
    max_size=15,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=story)
def test_the_silent_are_those_of_whom_nothing_final_was_heard_whenever_they_were_counted(context: Flask, story) -> None:
    bench = Bench(BATCH_DONE)  # noqa: F811
    bench.record(*range(1, 6))
    bench.record(6, status="uncertain")
    age(120)
    counted = False
    for what, who, status in story:
        if what == "say":
            bench.say(who, status)
        elif what == "count":
            assert overdue.step() == (not counted)
            counted = True
        else:
            bench.fold()
    bench.fold()
    heard = dict(db.session.execute(select(Delivery.recipient_id, Delivery.status)).all())
    told = {who: heard.get(who) for who in PEOPLE if who != 6}
    still = Counter((tallies.SILENT[stage], MASKS[who]) for who, stage in told.items() if stage in tallies.SILENT)
    assert silent(bench) == (dict(still) if counted else {})


def test_a_batch_is_counted_when_its_time_is_over_and_not_before(bench: Bench) -> None:  # noqa: F811
    bench.record(1, 2)
    age(59)
    assert overdue.step() == 0, "it is being sent"
    bench.close()
    assert overdue.step() == 0, "receipts may still come in their ordinary time"
    age(61)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    assert [overdue.sweep(app), overdue.sweep(app)] == [1, 0]
    assert silent(bench) == {("silent", 1): 1, ("silent", 3): 1}


def test_the_desk_tells_of_the_silent_of_a_long_dispatch_while_it_still_sends(bench: Bench) -> None:  # noqa: F811
    now = utcnow()
    with transaction() as session:
        session.execute(update(Dispatch).values(last_at=now))
    dispatch = db.session.get_one(Dispatch, bench.dispatch)
    part = Progress(dispatch, planned=9, ends={"accepted": 9}, stages={"sent": 3}, overdue=2, overdue_sent=1)
    assert (state.silent(part, now), state.unfinished(part, now)) == (2, 1)
    later = now + timedelta(minutes=61)
    assert (state.silent(part, later), state.unfinished(part, later)) == (6, 3)


def test_counting_that_is_broken_off_has_counted_nothing(bench: Bench, monkeypatch) -> None:  # noqa: F811
    bench.record(1)
    bench.close()
    age(61)
    monkeypatch.setattr(tallies, "add", lambda *_given: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        overdue.step()
    monkeypatch.undo()
    assert db.session.execute(select(Batch.state)).scalar_one() != OVERDUE
    assert overdue.step() == 1
    assert silent(bench) == {("silent", 1): 1}
