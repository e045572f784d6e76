"""What answers are worth."""

from __future__ import annotations

import copy
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.content.reader import read
from portal.training.content.values import Choice, Hotspot, Matching, Numeric, Ordering, Scenario, ShortText
from portal.training.grading import grade, number
from portal.warnings.hazards import Phrase
from tests.training.conftest import CONTENT, SAMPLE


@cache
def questions():
    courses = [read(SAMPLE).course, read(CONTENT / "courses" / "children").course]
    return {q.id: q for course in courses if course for module in course.modules for q in module.questions}


def of(kind):
    return next(question for question in questions().values() if question.type == kind)


def best(question):
    """An answer that is wholly right."""
    match question:
        case Choice() if question.type != "multiple":
            return next(n for n, option in enumerate(question.options) if option.right)
        case Choice():
            return [n for n, option in enumerate(question.options) if option.right]
        case Ordering():
            return list(range(len(question.items)))
        case Matching():
            return list(range(len(question.pairs)))
        case Numeric():
            return str(question.value)
        case ShortText():
            return question.accept.zh[0]
        case Hotspot():
            return [area.id for area in question.areas if area.right]
        case Scenario():
            return _to_a_good_end(question)


def _to_a_good_end(question):
    nodes, queue, seen = {node.id: node for node in question.nodes}, [(question.nodes[0], [])], set()
    while queue:
        node, path = queue.pop(0)
        if node.outcome == "good":
            return path
        for n, way in enumerate(node.ways):
            if way.goto not in seen:
                seen.add(way.goto)
                queue.append((nodes[way.goto], [*path, n]))
    raise AssertionError("no good end")


@pytest.mark.parametrize("kind", ["single", "multiple", "truefalse", "ordering", "matching", "numeric", "text", "hotspot",
                                  "scenario"])
def test_the_right_answer_of_every_type_wins_the_point_and_none_wins_nothing(kind):
    question = of(kind)
    graded = grade(question, best(question))
    assert (graded.points, graded.right) == (1, True)
    assert (grade(question, None).points, grade(question, None).right) == (0, False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.text(max_size=8) | st.just("1" * 900),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=12)


@settings(max_examples=40)
@given(st.data(), json_values)
def test_whatever_a_browser_sends_is_worth_between_nothing_and_one_point_and_changes_nothing(data, answer):
    question = questions()[data.draw(st.sampled_from(sorted(questions())))]
    before = copy.deepcopy(answer)
    graded = grade(question, answer)
    assert 0 <= graded.points <= 1
    assert isinstance(graded.points, Fraction)
    assert graded.right == (graded.points == 1)
    assert repr(answer) == repr(before)
    assert grade(question, answer) == graded


@settings(max_examples=30)
@given(st.sets(st.integers(0, 2)), st.randoms())
def test_of_several_choices_the_order_counts_nothing_and_a_wrong_one_costs_what_a_right_one_wins(chosen, random):
    question = of("multiple")
    answer = sorted(chosen)
    random.shuffle(answer)
    rights = {n for n, option in enumerate(question.options) if option.right}
    hits, misses = len(chosen & rights), len(chosen - rights)
    assert grade(question, answer).points == max(Fraction(0), Fraction(hits - misses, len(rights)))
    assert grade(question, answer).right == (chosen == rights)
    assert [f.right for f in grade(question, answer).feedback] == [n in rights for n in sorted(chosen)]


@settings(max_examples=30)
@given(st.permutations(range(3)))
def test_ordering_and_matching_are_right_in_one_order_only(order):
    for kind in ("ordering", "matching"):
        assert grade(of(kind), list(order)).right == (list(order) == [0, 1, 2])


def test_a_choice_that_is_named_twice_or_all_at_once_wins_nothing():
    question = of("multiple")
    assert grade(question, [0, 0, 1]).points == 0
    assert grade(question, [0, 1, 2]).points < 1
    assert grade(of("single"), [best(of("single"))]).points == 0
    assert grade(of("single"), True).points == 0


@settings(max_examples=30)
@given(st.decimals(-20, 20, places=3))
def test_a_number_is_right_within_the_tolerance_and_wrong_beyond(value):
    question = of("numeric")
    assert grade(question, str(value)).right == (abs(value - question.value) <= question.tolerance)


@pytest.mark.parametrize(("typed", "value"), [
    ("5.5", "5.5"), (" ５．５ ", "5.5"), ("5,5", "5.5"), ("5.5 cm", "5.5"), ("5.5厘米", "5.5"), ("1,200", "1200"),
    ("−3", "-3"), ("+7", "7"), ("007", "7"), ("五", None), ("1e5", None), ("nan", None), ("5.5 m", None),
    ("1 2 3 4,5,6", None), ("", None), ("9" * 16, None)])
def test_numbers_are_read_as_people_type_them(typed, value):
    assert number(typed, Phrase("厘米", "cm")) == (None if value is None else Decimal(value))


def test_short_text_is_compared_without_case_spaces_and_width():
    question = of("text")
    assert grade(question, " １１９。").right
    assert not grade(question, "120").right
    assert not grade(question, "。").right


def test_a_scenario_that_was_not_played_to_its_end_wins_nothing():
    question = of("scenario")
    assert grade(question, []).points == 0
    assert grade(question, best(question)[:-1]).points == 0
    assert grade(question, best(question)).feedback[-1].right
