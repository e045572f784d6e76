"""A learner's own page: what is said there is kept, told back in full, and taken away again."""

from __future__ import annotations

import json

import lxml.html
import pytest
from sqlalchemy import func, select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.subscribers import store as subscribers
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import own, practice
from portal.training.me import copy
from portal.training.models import Enrolment, LearnerSession, PracticeAnswer
from tests.training.learners.conftest import LearnerPhone
from tests.training.learners.test_pages import COURSE, PRACTICE, play, text
from tests.training.me.conftest import ME, Own

COMMUNITY = "440310001001"


def test_the_page_is_behind_the_door_and_reached_from_every_page_of_a_learner(school, inside):
    assert LearnerPhone(school, inside.number).get(ME).status_code == 302
    assert ME in [a.get("href") for a in lxml.html.fromstring(inside.get("/learn/").text).xpath("//header//nav/a")]


def test_a_name_is_kept_shown_to_whoever_gave_it_and_stands_nowhere_else(inside):
    assert inside.say("name", name=" 张𰻝 ").location.endswith("/learn/me/?done=name")
    assert own.name(inside.row()) == "张𰻝"
    page = lxml.html.fromstring(inside.get(ME).text)
    assert page.xpath("//input[@name='name']/@value") == ["张𰻝"]
    for other in ("/learn/", COURSE):
        assert "张𰻝" not in inside.get(other).text


def test_a_bad_name_is_told_at_its_field_with_what_was_typed(inside):
    got = inside.say("name", name="12345")
    assert got.status_code == 422
    field, = lxml.html.fromstring(got.text).xpath("//input[@name='name']")
    assert (field.get("value"), field.get("aria-invalid")) == ("12345", "true")
    assert inside.row().name_sealed is None


@pytest.mark.parametrize(("target", "leads"), [("/learn/courses/sample/", "/learn/courses/sample/"), ("//evil.example", ME),
                                               ("https://evil.example/", ME), ("/desk/", ME)])
def test_whoever_was_asked_for_a_name_goes_back_to_where_it_was_needed_and_nowhere_else(inside, target, leads):
    page = inside.get(f"{ME}?why=booking&next={target}").text
    assert "practical session" in text(page)
    form = next(f for f in lxml.html.fromstring(page).forms if f.get("action").endswith("/name"))
    got = inside.say("name", **{**dict(form.form_values()), "name": "王五"})
    assert got.location.startswith(leads)


def test_a_community_is_found_by_name_or_by_area_and_everything_of_the_learner_moves_along(inside, sample):
    inside.post(f"{COURSE}start", page=COURSE)
    with transaction() as session:
        session.add(Certificate(serial="T-1", learner_id=inside.row().id, slug="sample", version_id=sample[0], issued_at=utcnow(),
                                status_index=1, credential="c"))
    page = lxml.html.fromstring(inside.get(f"{ME}community/").text)
    deeper = page.xpath("//ul[@class='me-places']//a/@href")
    assert deeper
    codes = [code for link in deeper for code in lxml.html.fromstring(inside.get(link).text).xpath("//button/@value")]
    assert COMMUNITY in codes
    by_code = lxml.html.fromstring(inside.get(f"{ME}community/?q={COMMUNITY}").text)
    assert COMMUNITY in by_code.xpath("//button/@value")
    assert inside.say("community/", code=COMMUNITY).status_code == 303
    moved = inside.row()
    assert moved.region_code == COMMUNITY
    for table in (Enrolment, Certificate):
        assert db.session.execute(select(table.region_code).where(table.learner_id == inside.id)).scalar_one() == COMMUNITY
    assert inside.say("community/", code="440310").status_code == 422  # a district is no community
    assert inside.row().region_code == COMMUNITY
    inside.say("community/", code="")
    assert inside.row().region_code is None


def test_consent_is_given_by_a_tick_and_taken_back_with_one_button_and_rooms_hear_of_both(inside, monkeypatch):
    heard = []
    monkeypatch.setattr(own, "AFTER_CHANGE", [lambda session, row: heard.append(row.on_call_at is not None)])
    assert inside.say("on-call").status_code == 422
    assert inside.row().on_call_at is None
    inside.say("on-call", agree="1")
    since = inside.row().on_call_at
    inside.say("on-call", agree="1")
    assert inside.row().on_call_at == since
    assert since is not None
    inside.say("on-call", take_back="1")
    assert inside.row().on_call_at is None
    assert heard == [True, False]


def test_the_consent_says_what_else_comes_with_it_and_who_stopped_texts_reads_that_it_brings_nothing_back(inside):
    told, stopped = "warnings that go to everybody in your community", "Your number gets neither calls nor warnings"
    page = text(inside.get(ME).text)
    assert told in page
    assert "Whoever has asked for no more texts gets neither" in page
    assert stopped not in page
    subscribers.add_many([subscribers.NewSubscriber(inside.number, "zh", 1, (COMMUNITY,), "web")])
    subscribers.opt_out(inside.row().phone_index, "web")
    assert stopped in text(inside.get(ME).text)
    inside.say("on-call", agree="1")
    assert stopped in text(inside.get(ME).text)


def test_the_language_chosen_is_that_of_texts_and_pages(inside):
    inside.say("language", language="zh")
    assert inside.row().language == "zh"
    assert lxml.html.fromstring(inside.get(ME).text).get("lang") == "zh-CN"
    assert inside.say("language", language="de").status_code == 400


def test_signing_out_everywhere_ends_every_device_and_nobody_elses(school, inside):
    other, stranger = LearnerPhone(school, inside.number), Own(school)
    inside.again(other)
    page = lxml.html.fromstring(inside.get(ME).text)
    assert len(page.xpath("//ul[@class='me-devices']/li")) == 2
    assert len(page.xpath("//ul[@class='me-devices']//strong")) == 1
    inside.say("sign-out")
    for one in (inside, other):
        assert one.get(ME).status_code == 302
    assert stranger.get(ME).status_code == 200


def test_the_trail_tells_what_was_done_and_neither_name_nor_phone_nor_place(inside):
    inside.say("name", name="王五")
    inside.say("community/", code=COMMUNITY)
    inside.say("on-call", agree="1")
    inside.copied()
    db.session.rollback()
    found = db.session.execute(select(AuditEntry).where(AuditEntry.subject == f"learner:{inside.id}")).scalars().all()
    assert {one.action for one in found} >= {"learner.name", "learner.move", "learner.on_call", "learner.download"}
    told = json.dumps([[one.actor, one.subject, one.details] for one in found], ensure_ascii=False)
    for secret in ("王五", inside.number[-8:], COMMUNITY):
        assert secret not in told


# -- the copy ------------------------------------------------------------------------------------------------
def test_a_copy_holds_everything_and_no_secret(inside, sample):
    question = practice.find(sample[1], "fir-001")[1]
    play(inside, inside.get(PRACTICE).text, question, 0)
    inside.say("name", name="王五")
    inside.say("community/", code=COMMUNITY)
    attempt, secret = attempts.start(inside.row().id, "sample")
    attempts.save(inside.row().id, attempt.id, secret, [attempts.Said(0, 1, None)])
    attempts.submit(inside.row().id, attempt.id, secret)
    got = inside.copied()
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert got.headers["Cache-Control"] == "no-store"
    told = json.loads(got.get_data(as_text=True))
    assert (told["learner"]["phone"], told["learner"]["name"], told["learner"]["community"]) == (inside.number, "王五", COMMUNITY)
    assert {table.name for table in copy.tables()} <= set(told)
    for name in ("learner_session", "enrolment", "practice_answer", "exam_attempt", "exam_answer", "trail"):
        assert told[name], name
    assert len(told["exam_answer"]) == attempt.out_of
    row = db.session.execute(select(Attempt).where(Attempt.learner_id == inside.id)).scalar_one()
    body = json.dumps(told)
    session = db.session.execute(
        select(LearnerSession.token_hash).where(LearnerSession.learner_id == inside.id)).scalar_one()
    for hidden in (row.seed, row.live_hash, session, "drawn"):
        assert hidden not in body


def test_while_an_exam_is_under_way_the_copy_waits_since_it_tells_what_was_right_in_practice(inside):
    attempts.start(inside.row().id, "sample")
    got = inside.say("copy")
    assert got.status_code == 409
    assert "exam" in text(got.text)


# -- the way out ---------------------------------------------------------------------------------------------
def test_leaving_takes_two_steps_and_a_typed_word_and_the_phone_is_a_stranger_afterwards(inside, sample):
    play(inside, inside.get(PRACTICE).text, practice.find(sample[1], "fir-001")[1], 0)
    first = inside.get(f"{ME}leave/").text
    assert f"{ME}leave/sure/" in first
    page = inside.get(f"{ME}leave/sure/").text
    assert inside.submit(page, sure="yes").status_code == 422
    assert inside.row()
    got = inside.submit(page, sure=" erase ")
    assert got.location.endswith(f"{ME}left/")
    assert inside.get(f"{ME}left/").status_code == 200
    assert inside.get(ME).status_code == 302
    assert inside.row() is None
    for table in (LearnerSession, Enrolment, PracticeAnswer):
        assert not db.session.execute(select(func.count()).where(table.learner_id == inside.id)).scalar_one()


def test_the_chinese_word_erases_too(inside):
    inside.submit(inside.get(f"{ME}leave/sure/").text, sure="注销")
    assert inside.row() is None


def test_in_the_middle_of_an_exam_leaving_says_what_to_do_first_and_deletes_nothing(inside):
    attempts.start(inside.row().id, "sample")
    first = inside.get(f"{ME}leave/").text
    assert "/learn/sample/exam/" in first
    assert f"{ME}leave/sure/" not in first
    assert inside.submit(inside.get(f"{ME}leave/sure/").text, sure="ERASE").status_code == 409
    assert inside.row()
