"""A number that somebody typed is one that a phone can have, or is refused: a digit too few would warn a stranger or nobody."""

from __future__ import annotations

import pytest

from portal.core.phones import parse


@pytest.mark.parametrize(("typed", "number"), [
    ("13800000000", "+8613800000000"), ("138 0000 0000", "+8613800000000"), ("１３８00000000", "+8613800000000"),
    ("+86 138-0000-0000", "+8613800000000"), ("0755-88888888", "+8675588888888"), ("010-88888888", "+861088888888"),
    ("+85261234567", "+85261234567"), ("12900007123", "+8612900007123"), ("129 0000 7123", "+8612900007123"),
])
def test_a_number_is_understood_however_it_is_written(typed: str, number: str) -> None:
    assert parse(typed) == number


def test_a_prefix_that_is_newer_than_the_librarys_list_is_taken() -> None:
    assert parse("15400000000") == "+8615400000000"


@pytest.mark.parametrize("typed", [
    "1380000000", "138000000001", "+86129138000719", "1290000712", "88888888", "129abcdefgh", "129０0007123", "", "+", "119"])
def test_a_digit_too_few_or_too_many_a_letter_or_a_short_code_is_refused(typed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (that it is refused is the promise; pages have the words)
        parse(typed)
