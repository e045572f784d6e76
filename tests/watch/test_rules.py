"""The alarm is raised when nothing moves that should, and not for what waits by right."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.dispatch.models import PLANNING, PUSH, RUNNING, SMS, SPEAKERS, Dispatch
from portal.dispatch.progress import Progress
from portal.dispatch.watch import rules, said
from portal.dispatch.watch.facts import Facts, Ready
from portal.dispatch.watch.rules import Finding, findings
from portal.dispatch.watch.said import Process

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ALARM = 60


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def dispatch(*, lane: int = 0, channel: str = SMS, state: str = RUNNING, created: float = 3600, moved: float | None = None,
             expires: float = 3600) -> Progress:
    return Progress(Dispatch(
        id=uuid.uuid4(), lane=lane, channel=channel, state=state, created_at=ago(created), expires_at=ago(-expires),
        moved_at=None if moved is None else ago(moved), last_at=None))


def facts(*dispatches: Progress, ready: bool = True, due: float = 3600, since: float | None = None, **changes: Any) -> Facts:
    waiting = {p.dispatch.id: Ready(None if since is None else ago(since), ago(due)) for p in dispatches} if ready else {}
    return Facts(at=NOW, open=dispatches, ready=waiting, **changes)


def process(kind: str, seconds: float = 1, **changes: Any) -> Process:
    return Process(kind, kind, ago(7200), ago(seconds), **changes)


ALL_WELL = (process(said.WORKER), process(said.SCHEDULER, leading=True))


def kinds(of: Facts) -> list[str]:
    return [f.kind for f in findings(of, ALARM)]


def test_a_dispatch_with_something_to_send_and_no_outcome_for_a_minute_stands_still():
    stuck = dispatch(moved=61)
    assert findings(facts(stuck), ALARM) == [Finding(rules.SENDING, str(stuck.dispatch.id), ago(61))]
    assert findings(facts(dispatch(moved=59)), ALARM) == []


def test_a_dispatch_that_never_began_stands_still_a_minute_after_its_issue():
    assert kinds(facts(dispatch(created=61))) == [rules.SENDING]
    assert kinds(facts(dispatch(created=59))) == []


@pytest.mark.parametrize("waits", [
    facts(dispatch(moved=600), ready=False),  # all that is left have quiet hours
    facts(dispatch(moved=600), since=30),  # quiet hours that were over half a minute ago
    facts(dispatch(moved=600, expires=-1)),
    facts(dispatch(lane=0, moved=1), dispatch(lane=3, moved=600)),  # behind a red one that is being sent
    facts(dispatch(moved=600, channel=SPEAKERS), due=-20),  # horns that are away are tried again in 20 s
    facts(dispatch(moved=600, channel=PUSH), due=20),
])
def test_what_waits_by_right_raises_nothing(waits):
    assert kinds(waits) == []


def test_only_what_is_more_urgent_excuses_and_only_on_the_same_channel():
    assert kinds(facts(dispatch(lane=0, moved=600), dispatch(lane=3, moved=1))) == [rules.SENDING]
    assert kinds(facts(dispatch(channel=SPEAKERS, moved=1), dispatch(lane=1, moved=600))) == [rules.SENDING]


def test_horns_that_nobody_tries_stand_still():
    assert kinds(facts(dispatch(moved=600, channel=SPEAKERS), due=61)) == [rules.SENDING]


def test_quiet_hours_long_over_excuse_nothing():
    assert kinds(facts(dispatch(moved=600), since=61)) == [rules.SENDING]


def test_a_plan_that_does_not_go_on_is_told_as_such():
    assert kinds(facts(dispatch(state=PLANNING, moved=61))) == [rules.PLAN]
    behind = facts(dispatch(state=PLANNING, moved=1), dispatch(state=PLANNING, lane=4, moved=61), ready=False)
    assert kinds(behind) == []


@pytest.mark.parametrize(("processes", "expected"), [
    ((), []),  # nothing runs and nothing was left behind
    (ALL_WELL, []),
    ((process(said.RUN, leading=True),), []),
    ((process(said.WORKER, 61), process(said.SCHEDULER, leading=True)), [rules.WORKERS]),
    ((process(said.WORKER), process(said.SCHEDULER, 61, leading=True)), [rules.SCHEDULERS]),
    ((process(said.WORKER), process(said.SCHEDULER)), [rules.SCHEDULERS]),  # one that stands by does not lead
    ((process(said.WEB),), [rules.WORKERS, rules.SCHEDULERS]),
    ((process(said.WORKER, -600), process(said.SCHEDULER, leading=True)), [rules.WORKERS]),  # died, then the clock was set back
])
def test_somebody_must_send_and_somebody_must_keep_the_time(processes, expected):
    assert kinds(Facts(at=NOW, processes=processes)) == expected


def test_the_broker_is_missed_only_when_nobody_reaches_it():
    down = process(said.WORKER, broker=said.DOWN, broker_for=61)
    up = process(said.RUN, leading=True, broker=said.UP)
    leader = process(said.SCHEDULER, leading=True)
    assert kinds(Facts(at=NOW, processes=(down, leader))) == [rules.BROKER]
    assert kinds(Facts(at=NOW, processes=(down, up))) == []
    assert kinds(Facts(at=NOW, processes=(process(said.WORKER, broker=said.DOWN, broker_for=59), leader))) == []


def test_receipts_that_nothing_holds_back_pile_up_after_a_minute():
    assert kinds(Facts(at=NOW, overdue_receipts=ago(61))) == [rules.RECEIPTS]
    assert kinds(Facts(at=NOW, overdue_receipts=ago(59))) == []
    assert kinds(Facts(at=NOW, overdue_receipts=ago(-600))) == [rules.RECEIPTS]  # the clock was set back since


@settings(max_examples=40)
@given(st.lists(st.builds(
    dispatch, lane=st.integers(0, 9), channel=st.sampled_from([SMS, SPEAKERS, PUSH]), state=st.sampled_from([PLANNING, RUNNING]),
    created=st.floats(-900, 900), moved=st.none() | st.floats(-900, 900), expires=st.floats(-900, 900)), max_size=6),
    st.floats(-900, 900))
def test_whatever_stands_and_wherever_clocks_jumped_the_most_urgent_that_stands_still_is_found(dispatches, due):
    """Nothing that moved within the minute is accused; and the first of a channel that stands still with something overdue is
    never overlooked."""
    ordered = sorted(dispatches, key=lambda p: (p.dispatch.lane, p.dispatch.created_at))
    accused = {f.subject for f in findings(facts(*ordered, due=due), ALARM)}
    for progress in ordered:
        d = progress.dispatch
        moments = [abs((NOW - m).total_seconds()) for m in (d.created_at, d.moved_at) if m]
        if min(moments) <= ALARM:
            assert str(d.id) not in accused
    for channel in (SMS, SPEAKERS, PUSH):
        first = next((p.dispatch for p in ordered if p.dispatch.channel == channel), None)
        if first and first.state == RUNNING and first.expires_at > NOW and due > ALARM:
            moments = [abs((NOW - m).total_seconds()) for m in (first.created_at, first.moved_at) if m]
            assert (str(first.id) in accused) == (min(moments) > ALARM)
