"""The learners' pages as a phone without scripts sees them."""

from __future__ import annotations

import re

import lxml.html
import pytest
from sqlalchemy import func, select, update
from werkzeug.datastructures import MultiDict

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training.grading import walk
from portal.training.learners import asking, practice
from portal.training.models import Learner, LessonProgress, PracticeAnswer, ReviewCard
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.training.learners.conftest import NUMBER, OTHER, LearnerPhone
from tests.training.test_grading import best

COURSE, PRACTICE = "/learn/courses/sample/", "/learn/courses/sample/practice/fire/"


def text(page):
    return " ".join(lxml.html.fromstring(page).text_content().split())


def count(table):
    db.session.rollback()  # what the test has read before is of an older moment
    return db.session.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_code_lets_in_whoever_has_the_phone_and_leads_where_one_wanted_to_go(phone):
    assert phone.get(COURSE).location.endswith("/learn/sign-in?next=/learn/courses/sample/")
    phone.sign_in(COURSE)
    assert phone.landed == COURSE
    assert phone.get(COURSE).status_code == 200
    assert phone.post("/learn/sign-out").status_code == 302
    assert phone.get("/learn/").status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/desk/", "/learn/../desk/\t"])
def test_the_door_leads_nowhere_else(school, target):
    assert LearnerPhone(school, NUMBER).sign_in(target).landed in ("/learn/", "/learn/../desk/")


def test_the_door_says_the_same_to_a_phone_that_is_known_and_one_that_is_not(school, learner):
    pages = []
    for number in (NUMBER, OTHER):
        one = LearnerPhone(school, number)
        answer = one.send("/learn/sign-in", {"phone": number}, page="/learn/sign-in").text
        wrong = one.send("/learn/code", {"phone": number, "code": "000000"}, page="/learn/sign-in")
        assert wrong.status_code == 422
        pages.append(re.sub(r'name="csrf_token" value="[^"]*"', "", (answer + wrong.text).replace(number, "")))
    assert pages[0] == pages[1]


def test_whoever_asks_again_too_soon_can_still_type_the_code_that_is_on_its_way(school):
    one, other = LearnerPhone(school, NUMBER), LearnerPhone(school, NUMBER)
    one.send("/learn/sign-in", {"phone": NUMBER}, page="/learn/sign-in")
    got = other.send("/learn/sign-in", {"phone": NUMBER}, page="/learn/sign-in")
    assert got.status_code == 422
    assert "less than a minute ago" in got.text
    assert other.send("/learn/code", {"phone": NUMBER, "code": one.code()}, page="/learn/sign-in").status_code == 302


def test_the_cookie_is_for_these_pages_only_and_its_secret_is_not_kept(school):
    one = LearnerPhone(school, NUMBER)
    one.send("/learn/sign-in", {"phone": NUMBER}, page="/learn/sign-in")
    got = one.send("/learn/code", {"phone": NUMBER, "code": one.code()}, page="/learn/sign-in")
    cookie = next(v for k, v in got.headers if k == "Set-Cookie" and v.startswith("anlan_learner="))
    for part in ("HttpOnly", "SameSite=Lax", "Path=/learn/"):
        assert part in cookie
    assert NUMBER[-8:] not in phone_free(one)


def phone_free(one):
    return one.get("/learn/").text + one.get(COURSE).text


def test_a_form_without_its_token_does_nothing(phone):
    phone.sign_in()
    assert phone.client.post(COURSE + "start").status_code == 400


def test_two_lessons_are_read_marked_and_counted_and_one_goes_on_where_one_left(phone):
    phone.sign_in()
    assert "Start this course" in phone.get(COURSE).text
    lesson = phone.post(COURSE + "start").location
    assert "Done, go on" in phone.get(lesson).text
    second = phone.post(lesson + "mark", {"done": "1"}, page=lesson).location
    assert second != lesson
    assert "1 of 2 lessons done" in text(phone.get(COURSE).text)
    phone.get(second)
    mine = lxml.html.fromstring(phone.get("/learn/").text)
    assert mine.xpath("//main//a[contains(@class, 'button')]/@href") == [second]
    assert phone.post(second + "mark", {"done": "1"}, page=second).location == f"{COURSE}#m-fire"
    assert "All lessons are done." in text(phone.get(COURSE).text)
    assert phone.post(second + "mark", {"done": "0"}, page=second).location == second
    assert count(LessonProgress) == 2


def test_the_pictures_of_a_lesson_are_there(phone, sample):
    phone.sign_in()
    found = [src for lesson in sample[1].lessons
             for src in lxml.html.fromstring(phone.get(f"{COURSE}{lesson.id}/").text).xpath("//article//img/@src")]
    assert found
    for src in found:
        got = phone.get(src)
        assert (got.status_code, got.mimetype) == (200, "image/svg+xml")
        assert "immutable" in got.headers["Cache-Control"]
    assert phone.get(f"/learn/media/{'0' * 64}.svg").status_code == 404


def fields_for(question, ref, answer):
    """What a browser would send for an answer, by the places that the form has for it."""
    places = asking.order(question, ref)
    match question.type:
        case "single" | "truefalse":
            return {"answer": places.index(answer)}
        case "multiple":
            return {"answer": [places.index(n) for n in answer]}
        case "hotspot":
            ids = [area.id for area in question.areas]
            return {"answer": [places.index(ids.index(one)) for one in answer]}
        case "ordering" | "matching":
            return {f"answer-{at}": places.index(n) for at, n in enumerate(answer)}
    return {"answer": answer}


def play(phone, page, question, answer):
    _action, hidden = phone.form(page)
    if question.type != "scenario":
        return phone.submit(page, **fields_for(question, hidden["ref"], answer))
    places = [asking.ways(question, walk(question, answer[:n])[1], hidden["ref"]).index(way) for n, way in enumerate(answer)]
    for place in places[:-1]:
        page = phone.submit(page, answer=place).text
    return phone.submit(page, answer=places[-1])


def test_in_a_story_the_good_way_stands_in_no_place_of_its_own(sample):
    question = practice.find(sample[1], "fir-009")[1]
    node = question.nodes[0]
    refs = [practice.new_ref() for _n in range(60)]
    assert {asking.ways(question, node, ref)[0] for ref in refs} == set(range(len(node.ways)))
    for ref in refs:
        shown = asking.ask(question, ref, "en", {}).choices
        for place, words in enumerate(shown):
            (taken,), problems = asking.read(question, ref, MultiDict({"answer": str(place)}))
            assert (node.ways[taken].words.en, problems) == (str(words.striptags()), [])


def test_all_nine_types_are_answered_by_plain_forms_and_judged_at_once(phone, sample):
    phone.sign_in()
    seen = set()
    for question in sample[1].modules[0].questions:
        page = phone.get(PRACTICE).text
        assert phone.form(page)[1]["question"] == question.id
        got = play(phone, page, question, best(question))
        assert got.status_code == 303, text(got.text)
        told = phone.get(got.location).text
        assert lxml.html.fromstring(told).xpath("string(//h1)").split() == ["✓", "That", "is", "right"], question.type
        assert "To remember" in text(told)
        seen.add(question.type)
    assert len(seen) == 9
    done = text(phone.get(PRACTICE).text)
    assert "9 of 9 questions answered, 9 right" in done
    assert "Go through all questions again" in done
    assert count(ReviewCard) == 0


def test_no_form_shows_what_is_right(phone, sample):
    phone.sign_in()
    for question in sample[1].modules[0].questions:
        page = phone.get(PRACTICE).text
        for word in (question.explanation.en, "Heat is dangerous too", "The air is cleaner there."):
            assert word not in page
        assert "checked" not in page
        if question.type == "ordering":
            shown = lxml.html.fromstring(page).xpath("//select[1]/option[position() > 1]/text()")
            assert shown[:3] != [item.en for item in question.items]
        play(phone, page, question, best(question))


def test_a_wrong_answer_is_explained_and_comes_again_in_the_review(phone, sample):
    phone.sign_in()
    question = practice.find(sample[1], "fir-001")[1]
    page = phone.get(PRACTICE).text
    wrong = next(n for n, option in enumerate(question.options) if not option.right)
    got = play(phone, page, question, wrong)
    told = text(phone.get(got.location).text)
    for words in ("Not right", "Heat is dangerous too", "What is right", "The smoke", "comes again in your review"):
        assert words in told
    assert "Nothing is due now." in text(phone.get("/learn/review/").text)  # in a minute
    db.session.rollback()
    with transaction() as session:
        session.execute(update(ReviewCard).values(due_at=utcnow()))
    assert "1 due" in text(phone.get("/learn/").text)
    got = play(phone, phone.get("/learn/review/").text, question, best(question))
    assert got.location.endswith("came=review")
    assert "/learn/review/" in phone.get(got.location).text
    assert "Nothing is due now." in text(phone.get("/learn/review/").text)


def test_an_answer_that_is_sent_twice_counts_once(phone, sample):
    phone.sign_in()
    page = phone.get(PRACTICE).text
    one, other = phone.submit(page, answer="0"), phone.submit(page, answer="1")
    assert one.location == other.location
    assert count(PracticeAnswer) == 1


@pytest.mark.parametrize("kind", ["single", "ordering", "matching", "numeric", "scenario"])
def test_an_unfinished_answer_is_asked_for_in_words_and_what_was_chosen_stays(phone, sample, kind):
    phone.sign_in()
    for question in sample[1].modules[0].questions:
        page = phone.get(PRACTICE).text
        if question.type == kind:
            break
        play(phone, page, question, best(question))
    chosen = {"answer-1": "2"} if kind in ("ordering", "matching") else {}
    got = phone.submit(page, **chosen)
    assert got.status_code == 422
    assert lxml.html.fromstring(got.text).xpath("//*[@role='alert']//a/@href")[0].lstrip("#") in got.text
    if chosen:
        assert lxml.html.fromstring(got.text).xpath("//select[@name='answer-1']/option[@selected]/@value") == ["2"]


def test_an_item_cannot_stand_in_two_places(phone, sample):
    question = practice.find(sample[1], "fir-004")[1]
    given, problems = asking.read(question, "ref", {f"answer-{n}": "1" for n in range(3)})
    assert given is None
    assert len(problems) == 1


@pytest.mark.parametrize(("field", "value", "status"), [("question", "nothing", 404), ("ref", "x", 400), ("version", "99", 303),
                                                        ("version", "x" * 50, 303)])
def test_a_form_that_was_tampered_with_harms_nothing(phone, sample, field, value, status):
    phone.sign_in()
    assert phone.submit(phone.get(PRACTICE).text, answer="0", **{field: value}).status_code == status


def test_an_answer_of_somebody_else_is_not_shown(school, phone, sample):
    told = phone.sign_in().submit(phone.get(PRACTICE).text, answer="0").location
    assert phone.get(told).status_code == 200
    assert LearnerPhone(school, OTHER).sign_in().get(told).status_code == 404
    assert count(Learner) == 2


def test_a_question_is_judged_as_it_was_asked_though_the_bank_changed_meanwhile(phone, sample, course):
    from portal.training import courses_store
    phone.sign_in()
    page, question = phone.get(PRACTICE).text, practice.find(sample[1], "fir-001")[1]
    for language in ("zh", "en"):
        path = course / "banks" / f"fire.{language}.md"
        words = path.read_text(encoding="utf-8")
        head, tail = words.split("## fir-002")
        head = head.replace("- [ ]", "- [?]").replace("- [x]", "- [ ]").replace("- [?]", "- [x]").replace("rev: 1", "rev: 2")
        path.write_text(head + "## fir-002" + tail, encoding="utf-8")
    assert courses_store.sync(faulty=True)[0].new
    got = play(phone, page, question, best(question))
    assert "That is right" in text(phone.get(got.location).text)


def test_pages_are_in_chinese_too(school, sample):
    one = LearnerPhone(school, NUMBER, "zh").sign_in()
    assert "我的课程" in text(one.get("/learn/").text)
    assert "开始学习本课程" in text(one.get(COURSE).text)
    assert "练习" in text(one.get(PRACTICE).text)


@pytest.mark.parametrize("path", ["courses/nothing/", "courses/sample/nothing/", "courses/sample/practice/nothing/",
                                  "courses/sample/answers/x/", "courses/nothing/practice/fire/"])
def test_what_is_not_there_is_said_so(phone, path):
    assert phone.sign_in().get("/learn/" + path).status_code == 404
