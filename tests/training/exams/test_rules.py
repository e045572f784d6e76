"""Who may begin, until when answers count, who passed, and what may be shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.content.values import FEEDBACK, Exam
from portal.training.exams import rules

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EXAM = Exam(minutes=60, grace_seconds=30, attempts=3, wait_hours=24, one_at_a_time=False, feedback="after_pass", draw={"fire": 5})
ended = st.builds(lambda hours: rules.Past(NOW - timedelta(hours=hours + 1), NOW - timedelta(hours=hours), False),
                  st.floats(0, 100))


@settings(max_examples=40)
@given(st.lists(ended, max_size=5))
def test_failed_attempts_use_up_the_limit_and_make_one_wait(past):
    stand = rules.standing(EXAM, past, NOW)
    if len(past) >= EXAM.attempts:
        assert stand == rules.Standing(rules.USED_UP, 0)
        return
    assert stand.left == EXAM.attempts - len(past)
    newest = max((one.ended_at for one in past), default=None)
    assert stand.may == (newest is None or NOW - newest >= timedelta(hours=24))
    if not stand.may:
        assert stand.hindrance == rules.WAIT
        assert rules.standing(EXAM, past, stand.since).may
        assert not rules.standing(EXAM, past, stand.since - timedelta(microseconds=1)).may


@settings(max_examples=40)
@given(st.lists(ended, max_size=5), st.booleans())
def test_one_open_attempt_or_one_pass_hinders_another(past, passed):
    one = rules.Past(NOW - timedelta(days=40), NOW - timedelta(days=39) if passed else None, passed)
    assert rules.standing(EXAM, [*past, one], NOW).hindrance == (rules.PASSED if passed else rules.OPEN)


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(0, 600), st.floats(-1e5, 1e5))
def test_an_answer_counts_to_the_last_moment_of_the_grace_and_not_after(minutes, grace, seconds):
    due = rules.deadline(NOW, minutes)
    closes = rules.closing(due, grace)
    assert rules.is_over(closes, due + timedelta(seconds=seconds)) == (timedelta(seconds=seconds) > timedelta(seconds=grace))
    assert not rules.is_over(closes, due + timedelta(seconds=grace))
    assert rules.is_over(closes, due + timedelta(seconds=grace, microseconds=1))


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(0, 20_000), st.integers(1, 100))
def test_who_passes_reads_at_least_the_mark_and_who_fails_reads_less(out_of, hundredths, mark):
    points = min(Fraction(hundredths, 100), Fraction(out_of))
    assert rules.passes(points, out_of, mark) == (rules.percent(points, out_of) >= mark)
    assert rules.passes(Fraction(out_of), out_of, mark)
    assert 0 <= rules.percent(points, out_of) <= 100


def test_nothing_asked_is_nothing_passed():
    assert not rules.passes(Fraction(0), 0, 80)


@pytest.mark.parametrize("feedback", FEEDBACK)
def test_what_was_right_is_never_shown_before_the_end(feedback):
    assert not any(rules.may_show_feedback(feedback, ended=False, passed=passed) for passed in (True, False))
    shown = tuple(rules.may_show_feedback(feedback, ended=True, passed=passed) for passed in (False, True))
    assert shown == {"never": (False, False), "after_pass": (False, True), "after_each": (True, True)}[feedback]
