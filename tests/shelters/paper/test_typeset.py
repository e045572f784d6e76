"""Lines break where Chinese and English allow it, and nothing is lost in between."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.shelters.paper import typeset
from portal.web import fonts

PIECES = ["疏散路线图", "，", "。", "（预案）", "24分钟", "1.7公里", "0755 8462 0001", "Liulian", "step-free", " ", "“十个有”",
          "abcdefghijklmnopqrstuvwxyz", "\n"]
WORDS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@settings(max_examples=40, deadline=None)
@given(WORDS, st.floats(45, 300))
def test_every_character_is_kept_and_every_line_fits(text, room):
    lines = typeset.wrap(text, fonts.REGULAR, 9, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(fonts.width(line, fonts.REGULAR, 9) <= room + 0.1 for line in lines)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["疏", "散，", "路。", "（图）", "“线”"]), min_size=1, max_size=60).map("".join),
       st.floats(60, 200))
@example("“线”“线”“线”", 63.0)
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(text, room):
    for line in typeset.wrap(text, fonts.REGULAR, 9, room):
        assert line[0] not in "，。）”"
        assert line[-1] not in "（“"


def test_a_number_stays_with_what_it_counts_and_a_telephone_number_may_break_at_its_spaces():
    assert typeset.wrap("步行24分钟", fonts.REGULAR, 10, 45) == ["步行", "24分钟"]
    assert typeset.wrap("about 780\u00a0m", fonts.REGULAR, 10, 50) == ["about", "780\u00a0m"]
    assert typeset.wrap("step-free", fonts.REGULAR, 10, 30) == ["step-", "free"]


def test_what_is_too_long_for_its_lines_ends_in_an_ellipsis():
    [first, last] = typeset.wrap("很长的备注" * 20, fonts.REGULAR, 10, 100, most=2)
    assert len(first) == 10
    assert last.endswith("…")
    assert fonts.width(last, fonts.REGULAR, 10) <= 100
