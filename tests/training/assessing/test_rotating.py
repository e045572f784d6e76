"""The code of attendance, half minute by half minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.assessing import rotating

NOON, KEY, OTHER = datetime(2026, 3, 1, 12, tzinfo=UTC), b"k" * 32, b"o" * 32
MOMENTS = st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds))


def test_a_code_is_valid_for_the_half_minute_in_which_it_is_shown_and_the_next():
    shown = rotating.code_of(KEY, NOON)
    assert [rotating.matches(KEY, shown, NOON + timedelta(seconds=s)) for s in (-1, 0, 29, 30, 59, 60, 3600)] == [
        False, True, True, True, True, False, False]


@settings(max_examples=40)
@given(MOMENTS)
def test_a_code_has_no_sign_that_is_mistaken_and_may_be_typed_in_small_letters_with_spaces(at):
    shown = rotating.code_of(KEY, at)
    assert len(shown) == 6
    assert not set(shown) & set("01ILO")
    assert rotating.matches(KEY, f" {shown[:3].lower()}-{shown[3:].lower()} ", at)
    assert not rotating.matches(KEY, shown[:5], at)
    assert 1 <= rotating.seconds_left(at) <= 30
    assert rotating.code_of(KEY, at + timedelta(seconds=rotating.seconds_left(at))) != shown
    assert rotating.code_of(OTHER, at) != shown


@settings(max_examples=40)
@given(st.text(max_size=12))
def test_nothing_that_somebody_may_type_is_an_error(text):
    assert rotating.matches(KEY, text, NOON) is (text.upper().strip() == rotating.code_of(KEY, NOON))
