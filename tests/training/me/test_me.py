"""A learner's own page: what is said there is kept, told back in full, and taken away again."""

from __future__ import annotations

import json
from contextvars import Context

import lxml.html
import pytest
from sqlalchemy import func, select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import own, practice
from portal.training.me import copy, pages
from portal.training.models import Enrolment, Learner, LearnerSession, PracticeAnswer
from tests.training.learners.conftest import NUMBER, LearnerPhone
from tests.training.learners.test_pages import COURSE, PRACTICE, play, text

ME = "/learn/me/"
COMMUNITY = "440310001001"


def me():
    db.session.rollback()
    return db.session.execute(select(Learner)).scalar_one()


@pytest.fixture
def inside(phone):
    return phone.sign_in()


def send(phone, path, **fields):
    return phone.send(f"{ME}{path}", fields, page=ME)


def copied(phone):
    """The answer with the copy, read as it is made."""
    token = lxml.html.fromstring(phone.get(ME).text).xpath("//input[@name='csrf_token']")[0].value
    return Context().run(lambda: phone.client.post(f"{ME}copy", data={"csrf_token": token}, buffered=True))


def test_the_page_is_behind_the_door_and_reached_from_every_page_of_a_learner(phone):
    assert phone.get(ME).status_code == 302
    phone.sign_in()
    assert ME in [a.get("href") for a in lxml.html.fromstring(phone.get("/learn/").text).xpath("//header//nav/a")]


def test_a_name_is_kept_shown_to_whoever_gave_it_and_stands_nowhere_else(inside):
    assert send(inside, "name", name=" 张𰻝 ").location.endswith("/learn/me/?done=name")
    assert own.name(me()) == "张𰻝"
    page = lxml.html.fromstring(inside.get(ME).text)
    assert page.xpath("//input[@name='name']/@value") == ["张𰻝"]
    for other in ("/learn/", COURSE):
        assert "张𰻝" not in inside.get(other).text


def test_a_bad_name_is_told_at_its_field_with_what_was_typed(inside):
    got = send(inside, "name", name="12345")
    assert got.status_code == 422
    field, = lxml.html.fromstring(got.text).xpath("//input[@name='name']")
    assert (field.get("value"), field.get("aria-invalid")) == ("12345", "true")
    assert me().name_sealed is None


@pytest.mark.parametrize(("target", "leads"), [("/learn/courses/sample/", "/learn/courses/sample/"), ("//evil.example", ME),
                                               ("https://evil.example/", ME), ("/desk/", ME)])
def test_whoever_was_asked_for_a_name_goes_back_to_where_it_was_needed_and_nowhere_else(inside, target, leads):
    page = inside.get(f"{ME}?why=booking&next={target}").text
    assert "practical session" in text(page)
    form = next(f for f in lxml.html.fromstring(page).forms if f.get("action").endswith("/name"))
    got = send(inside, "name", **{**dict(form.form_values()), "name": "王五"})
    assert got.location.startswith(leads)


def test_a_community_is_found_by_name_or_by_area_and_everything_of_the_learner_moves_along(inside, district, sample):
    inside.post(f"{COURSE}start", page=COURSE)
    with transaction() as session:
        session.add(Certificate(serial="T-1", learner_id=me().id, slug="sample", version_id=sample[0], issued_at=utcnow(),
                                status_index=1, credential="c"))
    page = lxml.html.fromstring(inside.get(f"{ME}community/").text)
    deeper = page.xpath("//ul[@class='me-places']//a/@href")
    assert deeper
    codes = [code for link in deeper for code in lxml.html.fromstring(inside.get(link).text).xpath("//button/@value")]
    assert COMMUNITY in codes
    by_code = lxml.html.fromstring(inside.get(f"{ME}community/?q={COMMUNITY}").text)
    assert COMMUNITY in by_code.xpath("//button/@value")
    assert send(inside, "community/", code=COMMUNITY).status_code == 303
    moved = me()
    assert moved.region_code == COMMUNITY
    for table in (Enrolment, Certificate):
        assert db.session.execute(select(table.region_code)).scalar_one() == COMMUNITY
    assert send(inside, "community/", code="440310").status_code == 422  # a district is no community
    assert me().region_code == COMMUNITY
    send(inside, "community/", code="")
    assert me().region_code is None


def test_consent_is_given_by_a_tick_and_taken_back_with_one_button_and_rooms_hear_of_both(inside, monkeypatch):
    heard = []
    monkeypatch.setattr(own, "AFTER_CHANGE", [lambda session, row: heard.append(row.on_call_at is not None)])
    assert send(inside, "on-call").status_code == 422
    assert me().on_call_at is None
    send(inside, "on-call", agree="1")
    since = me().on_call_at
    send(inside, "on-call", agree="1")
    assert me().on_call_at == since
    assert since is not None
    send(inside, "on-call", take_back="1")
    assert me().on_call_at is None
    assert heard == [True, False]


def test_the_language_chosen_is_that_of_texts_and_pages(inside):
    send(inside, "language", language="zh")
    assert me().language == "zh"
    assert lxml.html.fromstring(inside.get(ME).text).get("lang") == "zh-CN"
    assert send(inside, "language", language="de").status_code == 400


def test_signing_out_everywhere_ends_every_device_and_nobody_elses(inside, school, learner):
    other = LearnerPhone(school, NUMBER)
    other.client.set_cookie("anlan_learner", pages.door.begin(me_of(NUMBER, school)), path="/learn/")
    stranger = pages.door.begin(learner)
    page = lxml.html.fromstring(inside.get(ME).text)
    assert len(page.xpath("//ul[@class='me-devices']/li")) == 2
    assert len(page.xpath("//ul[@class='me-devices']//strong")) == 1
    send(inside, "sign-out")
    for one in (inside, other):
        assert one.get(ME).status_code == 302
    assert stranger
    assert db.session.execute(select(LearnerSession.learner_id)).scalars().all() == [learner.id]


def me_of(number, school):
    db.session.rollback()
    index = school.extensions["phones"].index(number)
    return db.session.execute(select(Learner).where(Learner.phone_index == index)).scalar_one()


def test_the_trail_tells_what_was_done_and_neither_name_nor_phone_nor_place(inside, district):
    send(inside, "name", name="王五")
    send(inside, "community/", code=COMMUNITY)
    send(inside, "on-call", agree="1")
    copied(inside)
    db.session.rollback()
    found = db.session.execute(select(AuditEntry).where(AuditEntry.action.startswith("learner."))).scalars().all()
    assert {one.action for one in found} >= {"learner.name", "learner.move", "learner.on_call", "learner.download"}
    told = json.dumps([[one.actor, one.subject, one.details] for one in found], ensure_ascii=False)
    for secret in ("王五", NUMBER[-8:], COMMUNITY):
        assert secret not in told


# -- the copy ------------------------------------------------------------------------------------------------
def test_a_copy_holds_everything_and_no_secret(inside, sample, district):
    question = practice.find(sample[1], "fir-001")[1]
    play(inside, inside.get(PRACTICE).text, question, 0)
    send(inside, "name", name="王五")
    send(inside, "community/", code=COMMUNITY)
    attempt, secret = attempts.start(me().id, "sample")
    attempts.save(me().id, attempt.id, secret, [attempts.Said(0, 1, None)])
    attempts.submit(me().id, attempt.id, secret)
    got = copied(inside)
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["Cache-Control"] == "no-store"
    told = json.loads(got.get_data(as_text=True))
    assert (told["learner"]["phone"], told["learner"]["name"], told["learner"]["community"]) == (NUMBER, "王五", COMMUNITY)
    assert {table.name for table in copy.tables()} <= set(told)
    for name in ("learner_session", "enrolment", "practice_answer", "exam_attempt", "exam_answer", "trail"):
        assert told[name], name
    assert len(told["exam_answer"]) == attempt.out_of
    row = db.session.execute(select(Attempt)).scalar_one()
    body = json.dumps(told)
    for hidden in (row.seed, row.live_hash, db.session.execute(select(LearnerSession.token_hash)).scalar_one(), "drawn"):
        assert hidden not in body


def test_while_an_exam_is_under_way_the_copy_waits_since_it_tells_what_was_right_in_practice(inside):
    attempts.start(me().id, "sample")
    got = send(inside, "copy")
    assert got.status_code == 409
    assert "exam" in text(got.text)


# -- the way out ---------------------------------------------------------------------------------------------
def test_leaving_takes_two_steps_and_a_typed_word_and_the_phone_is_a_stranger_afterwards(inside, sample):
    play(inside, inside.get(PRACTICE).text, practice.find(sample[1], "fir-001")[1], 0)
    first = inside.get(f"{ME}leave/").text
    assert f"{ME}leave/sure/" in first
    page = inside.get(f"{ME}leave/sure/").text
    assert inside.submit(page, sure="yes").status_code == 422
    assert me()
    got = inside.submit(page, sure=" erase ")
    assert got.location.endswith(f"{ME}left/")
    assert inside.get(f"{ME}left/").status_code == 200
    assert inside.get(ME).status_code == 302
    for table in (Learner, LearnerSession, Enrolment, PracticeAnswer):
        db.session.rollback()
        assert not db.session.execute(select(func.count()).select_from(table)).scalar_one()


def test_the_chinese_word_erases_too(inside):
    inside.submit(inside.get(f"{ME}leave/sure/").text, sure="注销")
    db.session.rollback()
    assert not db.session.execute(select(func.count()).select_from(Learner)).scalar_one()


def test_in_the_middle_of_an_exam_leaving_says_what_to_do_first_and_deletes_nothing(inside):
    attempts.start(me().id, "sample")
    first = inside.get(f"{ME}leave/").text
    assert "/learn/sample/exam/" in first
    assert f"{ME}leave/sure/" not in first
    assert inside.submit(inside.get(f"{ME}leave/sure/").text, sure="ERASE").status_code == 409
    assert me()
