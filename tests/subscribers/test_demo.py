"""The demonstration's subscribers are always the same, spread as people are, in numbers that nobody can have."""

from __future__ import annotations

import phonenumbers
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.core.phones import is_demonstration, parse
from portal.subscribers import demo, store
from tests.subscribers.conftest import DISTRICT, FIRST, SECOND, THIRD


@given(st.integers(0, 99_999_998))
def test_a_demonstration_number_passes_our_check_and_no_carriers(serial: int) -> None:
    number = demo.number(serial)
    assert parse(number) == number
    assert is_demonstration(number)
    assert not phonenumbers.is_valid_number(phonenumbers.parse(number))


@given(st.integers(0, 99_999_998), st.integers(0, 99_999_998))
def test_no_two_demonstration_numbers_are_the_same(one: int, other: int) -> None:
    assert (demo.number(one) == demo.number(other)) == (one == other)


def test_the_numbers_of_real_people_are_no_demonstration_numbers() -> None:
    assert not any(
        is_demonstration(n) for n in ("+8613800000000", "+8612345", "+861290000000", "+12900000000000")
    )


def test_seeding_follows_population_and_language_and_a_second_time_changes_nothing(district: Flask) -> None:
    assert demo.seed(DISTRICT, 2000).new == 2000
    counts = {code: sum(store.count_in([code]).values()) for code in (FIRST, SECOND, THIRD)}
    assert counts[FIRST] > counts[SECOND] > counts[THIRD] > 0
    languages = store.count_in([DISTRICT])
    assert sum(languages.values()) == 2000
    assert 0.08 < languages["en"] / 2000 < 0.16
    assert 0 < sum(store.count_in([DISTRICT], 1 << 1).values()) < 400
    assert demo.seed(DISTRICT, 2000) == store.Added(known=2000)
    assert store.count_in([DISTRICT]) == languages


def test_a_district_without_people_is_refused_in_words(context: Flask) -> None:
    with pytest.raises(ValueError, match="no communities with a population"):
        demo.seed(DISTRICT, 10)
