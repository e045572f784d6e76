"""The table of steps, and what the rules make of any order in which steps come in."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.core.db import db
from portal.shelters.models import ARRIVED, REFUSED, TRANSFER_STATES, UNREACHABLE, WAITING, TransferEvent
from portal.shelters.transfers import moves, steps, words
from tests.shelters.transfers.people import fresh, person, seen, staff, start


def test_every_state_has_its_moves_and_its_words():
    assert set(moves.MOVES) == set(TRANSFER_STATES) == set(words.STATES) == set(words.ACTS)
    assert {s for after in moves.MOVES.values() for s in after} == set(TRANSFER_STATES)


def test_from_every_state_every_other_can_be_reached():
    for start_at in TRANSFER_STATES:
        reached, todo = {start_at}, [start_at]
        while todo:
            new = set(moves.MOVES[todo.pop()]) - reached
            reached |= new
            todo += new
        assert reached == set(TRANSFER_STATES)


def test_ends_without_arrival_and_taking_an_arrival_back_need_a_word():
    assert {(a, b) for a, after in moves.MOVES.items() for b in after if moves.needs_note(a, b)} == {
        (a, b) for a, after in moves.MOVES.items() for b in after if b in (REFUSED, UNREACHABLE) or a == ARRIVED}


@given(a=st.sampled_from(TRANSFER_STATES), b=st.sampled_from(TRANSFER_STATES))
def test_nobody_contradicts_by_going_on_from_what_is_no_end(a, b):
    assert moves.contradicts(a, a) is False
    if b in moves.MOVES[a] and a not in moves.ENDS:
        assert not moves.contradicts(a, b)
    if a in moves.ENDS and a != b:
        assert moves.contradicts(a, b)


#: (by the first office or the second, the state reported, the state known before, when, with a note)
STEP = st.tuples(st.booleans(), st.sampled_from(TRANSFER_STATES), st.sampled_from(TRANSFER_STATES),
                 st.integers(-60, 60), st.booleans())


@pytest.fixture
def stage(town):
    first, second = staff("first"), staff("second")
    return first, second, start(first)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(STEP, max_size=6))
def test_the_newest_observation_counts_and_nothing_leaves_the_table_unmarked(stage, told):
    first, second, round_ = stage
    somebody = person(first, str(uuid.uuid4()))
    begun = newest = fresh(somebody).state_at
    before = WAITING
    for is_first, state, knew, seconds, explained in told:
        at, account = begun + timedelta(seconds=seconds), first if is_first else second
        got, = steps.record(account, [seen(somebody, round_, state, knew, at=at, note="不愿离开" if explained else "")])
        now = fresh(somebody)
        legal = moves.may(knew, state) and (explained or not moves.needs_note(knew, state))
        assert (got.outcome == steps.REFUSED) == (not legal)
        assert got.state == now.state
        if got.outcome != steps.APPLIED:
            assert now.state == before
            continue
        assert now.state == state
        assert now.state_at >= newest
        assert moves.may(before, state) or got.conflict
        before, newest = state, now.state_at
        assert now.state_by == account.username
    events = db.session.execute(select(TransferEvent).where(TransferEvent.person_id == somebody.id)).scalars().all()
    assert max((e for e in events if e.applied), key=lambda e: (e.observed_at, e.id)).state == before
