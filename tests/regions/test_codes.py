"""A region's code says where it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.regions import codes, lookup

PARTS = (2, 2, 2, 3, 3)


@st.composite
def region_codes(draw: st.DrawFn) -> str:
    """Codes of every level, from few digits, so that kinship is common."""
    level = draw(st.integers(1, 5))
    used = [str(draw(st.integers(1, 3))).rjust(width, "0") for width in PARTS[:level]]
    return "".join(used).ljust(12, "0")


@given(region_codes(), region_codes())
def test_a_region_contains_another_exactly_when_its_range_does(one: str, other: str) -> None:
    low, high = codes.code_range(one)
    assert codes.contains(one, other) == (low <= other <= high)


@given(region_codes())
def test_a_region_lies_in_its_parent_one_level_up(code: str) -> None:
    parent = codes.parent_of(code)
    if parent is None:
        assert codes.level_of(code) == "province"
        return
    assert codes.contains(parent, code)
    assert not codes.contains(code, parent)
    assert codes.LEVELS.index(codes.level_of(parent)) == codes.LEVELS.index(codes.level_of(code)) - 1


@given(region_codes(), region_codes(), region_codes())
def test_containment_is_an_order(a: str, b: str, c: str) -> None:
    assert codes.contains(a, a)
    assert not (codes.contains(a, b) and codes.contains(b, a)) or a == b
    assert not (codes.contains(a, b) and codes.contains(b, c)) or codes.contains(a, c)


@given(region_codes(), region_codes())
def test_two_regions_either_share_nothing_or_one_holds_the_other(a: str, b: str) -> None:
    (low_a, high_a), (low_b, high_b) = codes.code_range(a), codes.code_range(b)
    meet = low_a <= high_b and low_b <= high_a
    assert meet == (codes.contains(a, b) or codes.contains(b, a))


@given(st.lists(region_codes(), max_size=12))
def test_topmost_keeps_what_no_other_contains_and_covers_the_same(given_codes: list[str]) -> None:
    kept = lookup.topmost(given_codes)
    expected = {c for c in given_codes if not any(o != c and codes.contains(o, c) for o in given_codes)}
    assert kept == sorted(expected)


@pytest.mark.parametrize(
    "text", ["", "44031", "4403100000000", "44031000000a", "４４０３１０００００００", "440310000000\n"]
)
def test_what_is_not_twelve_plain_digits_is_no_code(text: str) -> None:
    assert not codes.is_code(text)
    with pytest.raises(ValueError, match="12-digit"):
        codes.level_of(text)
