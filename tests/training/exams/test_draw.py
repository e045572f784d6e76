"""What is drawn follows from the seed alone, keeps the blueprint, and tells nothing of what is right."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.content.reader import folders, read
from portal.training.content.values import Matching, Ordering, Scenario
from portal.training.exams.draw import Drawn, TooFew, draw
from tests.training.conftest import CONTENT, SAMPLE

COURSE = read(SAMPLE).course
assert COURSE is not None
FIRE = COURSE.modules[0].questions
BANKS = {"fire": FIRE, "more": tuple(replace(one, id=f"more-{one.id}") for one in FIRE)}
BY_ID = {one.id: one for bank in BANKS.values() for one in bank}
FIT = sum(not isinstance(one, Scenario) for one in FIRE)
seeds = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
blueprints = st.fixed_dictionaries({"fire": st.integers(0, FIT), "more": st.integers(0, FIT)})


@settings(max_examples=40)
@given(blueprints, seeds)
def test_each_module_gives_what_the_blueprint_says_and_nothing_is_asked_twice(blueprint, seed):
    drawn = draw(blueprint, BANKS, seed)
    assert {m: sum(one.module == m for one in drawn) for m in blueprint} == blueprint
    assert len({one.id for one in drawn}) == len(drawn)
    assert not any(isinstance(BY_ID[one.id], Scenario) for one in drawn)


@settings(max_examples=40)
@given(blueprints, seeds)
def test_the_same_seed_draws_the_same_whatever_the_order_of_the_bank(blueprint, seed):
    turned = {name: tuple(reversed(bank)) for name, bank in BANKS.items()}
    assert draw(blueprint, BANKS, seed) == draw(blueprint, turned, seed)


@settings(max_examples=40)
@given(seeds)
def test_shuffling_loses_no_option_and_never_shows_an_ordering_in_order(seed):
    for one in draw({"fire": FIT}, BANKS, seed):
        question = BY_ID[one.id]
        size = max((len(getattr(question, name, ())) for name in ("options", "items", "pairs", "areas")), default=0)
        assert sorted(one.order) == list(range(size))
        assert sorted(one.other) == (list(range(size)) if isinstance(question, Matching) else [])
        if isinstance(question, Ordering):
            assert one.order != tuple(range(size))
        if question.type == "truefalse":
            assert one.order == (0, 1)


@settings(max_examples=40)
@given(blueprints, seeds)
def test_what_is_stored_comes_back_the_same(blueprint, seed):
    drawn = draw(blueprint, BANKS, seed)
    assert tuple(Drawn.restored(one.stored()) for one in drawn) == drawn


def test_every_question_and_every_place_has_its_turn():
    draws = [draw({"fire": 2}, BANKS, str(n)) for n in range(200)]
    assert {one.id for drawn in draws for one in drawn} == {one.id for one in FIRE if not isinstance(one, Scenario)}
    assert {one.order.index(1) for drawn in draws for one in drawn if one.id == "fir-001"} == {0, 1}


def test_a_draw_is_the_same_today_as_it_was():
    assert [one.id for one in draw({"fire": 3}, BANKS, "a seed")] == ["fir-006", "fir-005", "fir-008"]


def test_a_bank_that_is_too_small_is_named():
    with pytest.raises(TooFew) as refused:
        draw({"fire": FIT + 1}, BANKS, "x")
    assert (refused.value.module, refused.value.there) == ("fire", FIT)


@pytest.mark.parametrize("folder", folders(CONTENT), ids=lambda folder: folder.name)
def test_the_exam_of_each_course_can_be_drawn(folder):
    course = read(folder).course
    if course is None or course.exam is None:
        pytest.skip("this course has no exam")
    drawn = draw(course.exam.draw, {module.id: module.questions for module in course.modules}, "x")
    assert len(drawn) == course.exam.questions
