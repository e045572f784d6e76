"""GIFT as other programs write it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.training.exchange import gift
from portal.training.exchange.drafts import Option, Unreadable

pytestmark = pytest.mark.usefixtures("english")


def one(text: str):
    reading = gift.read(text, "en")
    assert reading.untaken == []
    (draft,) = reading.drafts
    return draft


def test_one_right_option_with_feedback_weights_and_a_name():
    draft = one("// a remark\n::Colour:: What is between orange and green?\n{ =yellow # right; good!\n ~%50%red # wrong\n"
                " ~blue\n####Think of a rainbow.}\n")
    assert (draft.type, draft.name, draft.line, draft.explanation) == ("single", "Colour", 2, "Think of a rainbow.")
    assert draft.options == (Option("yellow", "right; good!", True), Option("red", "wrong", False), Option("blue", "", False))
    assert "counts as wrong here" in draft.notes[0]


def test_several_right_options_and_uneven_weights_are_said():
    even = one("Which?{~%50%a ~%50%b ~%-50%c}")
    assert (even.type, [o.right for o in even.options], even.notes) == ("multiple", [True, True, False], ())
    assert "each right option counts the same" in one("Which?{~%70%a ~%30%b ~%-100%c}").notes[0]


def test_true_and_false_with_what_is_said_to_each():
    draft = one("The sun rises in the west.{F#No, in the east.#Right.####East.}")
    assert draft.options == (Option("True", "No, in the east.", False), Option("False", "Right.", True))
    assert one("It burns.{TRUE}").options[0].right


def test_pairs_and_what_belongs_to_nothing():
    draft = one("Match.{\n=cat -> cat food\n=dog -> dog food\n=cow -> gr|ass\n= -> stones\n}")
    assert draft.pairs == (("cat", "cat food"), ("dog", "dog food"), ("cow", "gr|ass"))
    assert "1 right-hand sides" in draft.notes[0]


@pytest.mark.parametrize(("text", "value", "tolerance"), [
    ("{#3:2}", "3", "2"), ("{#1..5}", "3", "2"), ("{#=1822:0 =%50%1822:2}", "1822", "0"), ("{#-4.25}", "-4.25", "0")])
def test_numbers_with_a_tolerance_or_a_range(text, value, tolerance):
    draft = one(f"How many?{text}")
    assert (draft.type, draft.value, draft.tolerance) == ("numeric", Decimal(value), Decimal(tolerance))


def test_a_text_to_type_and_a_gap_within_a_sentence():
    assert one("Two plus {=two =2} equals four.").accept == ("two", "2")
    assert one("Two plus {=two =2} equals four.").words == "Two plus \\_\\_\\_\\_\\_ equals four."
    assert one("Who?{=no one =%50%somebody =no * at all}").accept == ("no one",)


def test_an_order_line_by_line():
    draft = one("Order.{>3 ALL VERTICAL ABSOLUTE\nfirst\nsecond\nthird\n}")
    assert (draft.type, draft.items) == ("ordering", ("first", "second", "third"))


@pytest.mark.parametrize("head", [">", "> ALL VERTICAL", ">3 EXACT HORI ABS SHOW 123", ">ALL_OR_NOTHING",
                                  "> RELATIVE_TO_CORRECT HIDE\t"])
def test_how_an_order_is_shown_elsewhere_is_no_item_of_it(head):
    assert one(f"Order: {{{head}\nfirst\nsecond\n}}").items == ("first", "second")


def test_a_long_run_of_spaces_where_an_order_begins_is_read_like_a_short_one():
    assert one("Order: {>" + " " * 5000 + "first\nsecond\n}").items == ("first", "second")


def test_what_is_escaped_means_nothing_and_plain_text_is_no_markdown():
    draft = one("1 \\= 1 \\{set\\} * a_b # <b \\: x{=\\~right\\n# why ~wrong \\# 2}")
    assert draft.words == "1 = 1 {set} \\* a\\_b # \\<b : x"
    assert draft.options[0].words == "\\~right"
    assert draft.options[1].words == "wrong # 2"


def test_html_becomes_markdown_and_nothing_of_it_is_passed_on():
    draft = one("[html]<p>Call <b>119</b> <i>now</i>.</p><script>alert\\(1)</script><p onclick\\=\"x\">Stay <a href\\=\"http\\://evil\">"
                "here</a>.</p>{=<em>yes</em> ~no}")
    assert draft.words == "Call **119** *now*.\n\nStay here."
    assert draft.options[0].words == "*yes*"


def test_categories_hold_for_what_follows():
    reading = gift.read("$CATEGORY: $course$/top/Fire\n\nA?{T}\n\n$CATEGORY: tom/dick\n\nB?{F}\n", "en")
    assert [draft.category for draft in reading.drafts] == ["$course$/top/Fire", "tom/dick"]


@pytest.mark.parametrize(("text", "reason"), [
    ("Just a text.", "asks nothing"), ("Write!{}", "essay"), ("Open {=a", "not closed"), ("Two {=a} and {=b}", "several gaps"),
    ("Which?{=a =b ~c}", "2 options are worth all points"), ("How many?{#}", "0 numbers"), ("How many?{#a lot}", "no number"),
    ("Who?{=*}", "pattern"), ("Match.{=a -> b =c}", "no “->”"), ("How many?{#1e400}", "no number"),
    ("How many?{#NaN}", "no number")])
def test_what_cannot_be_taken_is_named_with_its_line_and_the_rest_is(text, reason):
    reading = gift.read(f"// head\n\nFine?{{T}}\n\n::bad::{text}\n\nAlso fine?{{F}}\n", "en")
    assert [draft.line for draft in reading.drafts] == [3, 7]
    (left,) = reading.untaken
    assert (left.line, left.name) == (5, "bad")
    assert reason in left.reason


def test_what_holds_invisible_characters_is_no_honest_text():
    with pytest.raises(Unreadable) as refused:
        gift.read("A?{T}\n\nB\u202e?{F}", "en")
    assert refused.value.line == 3


@pytest.mark.parametrize("text", ["{" * 50_000, "~" * 50_000 + "{~", "::" * 50_000, "a{" + "=x->" * 20_000 + "}", "%50%" * 20_000,
                                  "a{#" + "=1:" * 20_000 + "}", "\\" * 100_000])
def test_hostile_text_ends_soon(text):
    gift.read(text, "en")
