"""What a page holds for pointing and dragging: where choices lie and in what order they are shown, never what is right."""

from __future__ import annotations

import json

import lxml.html

from portal.core.db import db
from portal.training import courses_store
from portal.training.content.values import Hotspot, Ordering
from portal.training.exams import attempts
from portal.training.learners import asking, practice
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.training.learners.conftest import learner, phone, sample, school  # noqa: F401
from tests.training.learners.test_exam_time import sit
from tests.training.learners.test_pages import PRACTICE


def question(course, kind):
    return next(q for module in course.modules for q in module.questions if isinstance(q, kind))


def shown(phone, course, kind):  # noqa: F811
    """The practice page of the first question of a kind."""
    ids = [q.id for q in course.modules[0].questions]
    before = ids[ids.index(question(course, kind).id) - 1]
    return lxml.html.fromstring(phone.get(f"{PRACTICE}?again=&after={before}").text)


def test_a_picture_knows_where_its_choices_lie_in_the_order_in_which_they_are_shown(phone, sample):  # noqa: F811
    phone.sign_in()
    asked, page = question(sample[1], Hotspot), shown(phone, sample[1], Hotspot)
    image, = page.xpath("//main//img[@data-spots]")
    ref = page.xpath("//input[@name='ref']/@value")[0]
    places = asking.order(asked, ref)
    assert json.loads(image.get("data-spots")) == [
        [float(getattr(asked.areas[n], side)) for side in "xywh"] for n in places]
    assert page.xpath("//main//label[@class='choice']"), "the list of choices is the fallback and stays"
    assert page.xpath("//script[contains(@src, 'hotspot.js')][@defer]")
    assert not page.xpath("//script[contains(@src, 'ordering.js')]")


def test_nothing_on_the_page_tells_which_place_is_right(phone, sample):  # noqa: F811
    phone.sign_in()
    asked, page = question(sample[1], Hotspot), shown(phone, sample[1], Hotspot)
    image, = page.xpath("//main//img[@data-spots]")
    body = lxml.html.tostring(page, encoding="unicode")
    for area in asked.areas:
        assert area.feedback["en"] not in body
        assert area.id not in image.get("data-spots")
    assert all(len(one) == 4 for one in json.loads(image.get("data-spots")))
    assert all("right" not in name and "key" not in name for name in image.attrib)


def test_an_ordering_is_never_shown_in_its_right_order(sample):  # noqa: F811
    asked = question(sample[1], Ordering)
    for _time in range(200):
        assert asking.order(asked, practice.new_ref()) != list(range(len(asked.items)))


def test_the_lists_of_an_ordering_stand_in_the_page_for_those_without_scripts(phone, sample):  # noqa: F811
    phone.sign_in()
    page = shown(phone, sample[1], Ordering)
    holder, = page.xpath("//main//*[@data-order='places']")
    assert len(holder.xpath(".//select")) == len(question(sample[1], Ordering).items)
    assert set(json.loads(holder.get("data-words"))) >= {"up", "down", "moved", "keep"}
    assert page.xpath("//script[contains(@src, 'ordering.js')][@defer]")


def test_an_exam_says_no_more_than_practice_and_loads_only_what_it_needs(phone, sample, content, school):  # noqa: F811
    course_file = content / "courses" / "sample" / "course.yaml"
    course_file.write_text(course_file.read_text().replace("draw: {fire: 5}", "draw: {fire: 8}"))
    courses_store.sync(faulty=True)
    phone.sign_in()
    _learner_id, attempt, secret = sit()
    phone.client.set_cookie("anlan_exam", secret, path="/learn/sample/exam/")
    page = lxml.html.fromstring(phone.get("/learn/sample/exam/sit").text)
    db.session.rollback()
    (at, drawn, asked), = [(at, d, q) for at, (d, q) in enumerate(attempts.questions(attempt)) if isinstance(q, Hotspot)]
    image, = page.xpath(f"//fieldset[@data-at='{at}']//img[@data-spots]")
    assert json.loads(image.get("data-spots")) == [
        [float(getattr(asked.areas[n], side)) for side in "xywh"] for n in drawn.order]
    body = lxml.html.tostring(page, encoding="unicode")
    assert not any(area.feedback["en"] in body for area in asked.areas)
    assert page.xpath("//main//*[@data-order='ranks']//select")
    assert len(page.xpath("//script[contains(@src, '/learn/touch-static/')]")) == 2
