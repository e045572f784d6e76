"""A number is read from a cell as people write it, and what is kept of a cell that is none cannot be dialled."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from portal.core import phones
from portal.subscribers.roster import reasons
from portal.subscribers.roster.rows import Bad, number_of


@given(st.integers(3, 9), st.integers(0, 999_999_999), st.sampled_from(["", " ", "-", "'", "\u3000"]))
def test_what_is_known_of_a_number_at_a_glance_is_what_the_library_says(second: int, rest: int, between: str) -> None:
    plain = f"1{second}{rest:09d}"
    written = f"{plain[:3]}{between}{plain[3:7]}{between}{plain[7:]}"
    assert number_of(written) == phones.parse(plain) == f"+86{plain}"
    assert number_of(f"+86 {plain}") == number_of(f"0086{plain}") == number_of(f"86{plain}") == f"+86{plain}"


@given(st.text(max_size=30))
def test_no_cell_breaks_the_reader_and_what_is_kept_of_it_cannot_be_dialled(text: str) -> None:
    with suppress(Bad):
        assert number_of(text).startswith("+")
    kept = reasons.about(text)
    assert len(kept) <= 40
    assert kept.isprintable()
