"""The rules of practical skills, whatever assessors see and in whatever order it arrives."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.assessing import rules
from portal.training.assessing.rules import DISPUTED, NOT_YET, PASSED, UNSEEN, Say
from portal.training.content.values import Checklist, Step
from portal.warnings.hazards import Phrase

NOTHING, NOON = Phrase("", ""), datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = [uuid.UUID(int=n) for n in range(1, 5)]
SESSIONS = [uuid.UUID(int=n) for n in range(11, 14)]


def checklist(required: int, others: int, per_cent: int) -> Checklist:
    steps = tuple(Step(f"s{n}", NOTHING, NOTHING, n < required) for n in range(required + others))
    return Checklist(id="cpr", title=NOTHING, minutes=10, needs=NOTHING, others=per_cent, steps=steps, source=NOTHING)


LISTS = st.builds(checklist, st.integers(1, 8), st.integers(0, 8), st.integers(0, 100))
MARKS = st.lists(st.sampled_from([True, False, None]), min_size=16, max_size=16)


@st.composite
def says(draw: st.DrawFn, sessions: int = 3) -> list[Say]:
    many = draw(st.integers(0, 9))
    return [Say(n, draw(st.sampled_from(SESSIONS[:sessions])), draw(st.sampled_from(PEOPLE)), draw(st.booleans()),
                draw(st.booleans()), NOON + timedelta(minutes=draw(st.integers(0, 5)))) for n in range(many)]


def say(person: int, passed: bool, minute: int, *, settles: bool = False, session: int = 0) -> Say:
    return Say(minute, SESSIONS[session], PEOPLE[person], passed, settles, NOON + timedelta(minutes=minute))


@settings(max_examples=60)
@given(LISTS, MARKS)
def test_a_checklist_is_passed_with_every_must_and_the_exact_share_of_the_others(one: Checklist, marks: list) -> None:
    steps = {step.id: mark for step, mark in zip(one.steps, marks, strict=False)}
    others = [steps[step.id] is True for step in one.steps if not step.required]
    enough = not others or Fraction(sum(others), len(others)) >= Fraction(one.others, 100)
    assert rules.passes(one, steps) is (all(steps[step.id] is True for step in one.steps if step.required) and enough)


@settings(max_examples=40)
@given(LISTS, MARKS, st.data())
def test_a_step_more_never_takes_a_pass_away_and_a_step_of_another_list_changes_nothing(one, marks, data) -> None:
    steps = {step.id: mark for step, mark in zip(one.steps, marks, strict=False)}
    step = data.draw(st.sampled_from(one.steps)).id
    assert rules.passes(one, steps | {step: True}) >= rules.passes(one, steps)
    assert rules.passes(one, steps) >= rules.passes(one, steps | {step: None})
    assert rules.tally(one, steps) == rules.tally(one, steps | {"elsewhere": True})
    assert step not in rules.missed(one, steps | {step: True})


def test_what_was_not_seen_is_not_shown() -> None:
    one = checklist(2, 2, 50)
    assert rules.passes(one, {"s0": True, "s1": True, "s2": True})
    assert not rules.passes(one, {"s0": True, "s1": None, "s2": True, "s3": True})
    assert not rules.passes(one, {"s0": True, "s1": True, "s2": False, "s3": None})
    assert rules.missed(one, {"s0": True, "s2": False}) == ["s1", "s2", "s3"]


@settings(max_examples=60)
@given(says(), st.randoms(use_true_random=False))
def test_the_order_in_which_says_arrive_changes_nothing(seen: list[Say], chance) -> None:
    mixed = list(seen)
    chance.shuffle(mixed)
    assert rules.state(mixed) == rules.state(seen)


@settings(max_examples=60)
@given(says(sessions=1))
def test_one_session_is_disputed_exactly_while_those_differ_who_decide(seen: list[Say]) -> None:
    last = {}
    for one in sorted(seen, key=lambda one: (one.seen_at, one.id)):
        last[one.assessor_id] = one
    deciding = [one for one in last.values() if one.settles] or list(last.values())
    expected = {frozenset(): UNSEEN, frozenset({True}): PASSED, frozenset({False}): NOT_YET,
                frozenset({True, False}): DISPUTED}[frozenset(one.passed for one in deciding)]
    assert rules.state(seen).state == expected


@settings(max_examples=60)
@given(says(), says())
def test_what_is_passed_at_one_session_no_other_session_takes_away(seen: list[Say], more: list[Say]) -> None:
    before = rules.state(seen)
    elsewhere = [one for one in more if one.session_id != before.session_id]
    if before.passed:
        after = rules.state([*seen, *elsewhere])
        assert (after.state, after.at <= before.at) == (PASSED, True)


def test_two_who_differ_are_a_dispute_whoever_writes_last() -> None:
    assert rules.state([say(0, True, 1), say(1, False, 2)]).state == DISPUTED
    assert rules.state([say(0, False, 1), say(1, True, 2)]).state == DISPUTED
    assert rules.state([say(0, False, 1), say(1, True, 2), say(2, True, 3)]).state == DISPUTED  # two against one settle nothing


def test_a_dispute_ends_when_one_changes_his_mind_or_a_third_settles_it() -> None:
    differ = [say(0, True, 1), say(1, False, 2)]
    changed = rules.state([*differ, say(1, True, 3)])
    assert (changed.state, changed.at) == (PASSED, NOON + timedelta(minutes=1))
    assert rules.state([*differ, say(0, False, 3)]).state == NOT_YET
    settled = rules.state([*differ, say(2, True, 5, settles=True)])
    assert (settled.state, settled.at) == (PASSED, NOON + timedelta(minutes=5))
    assert set(settled.assessors) == set(PEOPLE[:3])
    assert rules.state([*differ, say(2, False, 5, settles=True)]).state == NOT_YET
    assert rules.state([*differ, say(2, True, 5, settles=True), say(1, False, 9)]).state == PASSED  # it stays settled


def test_an_earlier_say_that_arrives_late_does_not_outrank_a_later_one() -> None:
    assert rules.state([say(0, True, 4), say(0, False, 2)]).state == PASSED


def test_another_afternoon_gives_another_chance() -> None:
    assert rules.state([say(0, False, 1), say(1, True, 9, session=1)]).state == PASSED
    assert rules.state([say(0, True, 1), say(1, False, 2), say(2, False, 9, session=1)]).state == DISPUTED
    assert rules.state([say(0, False, 9), say(1, False, 1, session=1)]).session_id == SESSIONS[0]


def test_all_skills_are_passed_since_the_last_of_them_was() -> None:
    first, last = rules.state([say(0, True, 1)]), rules.state([say(0, True, 7)])
    assert rules.passed_at({"cpr": last, "bleeding": first}) == NOON + timedelta(minutes=7)
    assert rules.passed_at({"cpr": last, "bleeding": rules.SkillState()}) is None
    assert rules.passed_at({}) is None
