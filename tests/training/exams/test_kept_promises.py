"""What an exam promises besides: by which rules it is judged, what a device holds, what is found again elsewhere."""

from __future__ import annotations

from datetime import timedelta
from threading import BoundedSemaphore

import lxml.html
import pytest
from sqlalchemy import update

from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.exam_models import TIME
from portal.training.exams import answers, attempts, pages
from portal.training.exams.attempts import Said
from portal.training.models import LearnerSession
from portal.training.reading.view import text
from tests.training.exams.conftest import make_learner
from tests.training.exams.test_attempts import right
from tests.training.exams.test_pages import EXAM, JSON, Phone, form_of, phone, rights  # noqa: F401  (phone: a fixture)


def test_the_mark_and_the_showing_of_answers_are_those_of_the_version_that_the_attempt_began_with(phone, change):  # noqa: F811
    attempt = phone.begin()
    change("course.yaml", "pass_mark: 80", "pass_mark: 10")
    change("course.yaml", "feedback: after_pass", "feedback: after_each")
    assert courses_store.sync(faulty=True)[0].new
    done = phone.post("sit", form_of(attempt, {0: rights(attempt)[0]}, 5_000_000, "submit"))
    page = phone.client.get(done.headers["Location"]).text
    assert attempts.mine(attempt.learner_id, attempt.id).percent == 20
    assert "未通过" in page
    assert "80%" in page
    assert not any(str(text(question.explanation.zh, {})) in page for _drawn, question in attempts.questions(attempt))


def test_another_device_shows_every_answer_as_it_was_given(loaded, learner, phone):  # noqa: F811
    attempt = phone.begin()
    given = rights(attempt)
    phone.post("sit", form_of(attempt, given, 5_000_000, "save"))
    tablet = Phone(loaded, learner)
    tablet.post("start")
    fields = lxml.html.fromstring(tablet.get("sit").text).forms[-1].form_values()
    wanted = form_of(attempt, given, 0, "")
    for at in given:
        said = sorted((name, value) for name, value in fields if name.partition(".")[0] == f"q{at}")
        sent = sorted((name, str(one)) for name, value in wanted.items() if name.partition(".")[0] == f"q{at}"
                      for one in (value if isinstance(value, list) else [value]))
        assert said == sent, attempts.questions(attempt)[at][1].type


def test_the_secret_of_the_device_is_for_this_exam_only_and_not_for_scripts(phone):  # noqa: F811
    cookie = next(one for one in phone.post("start", {"ready": "1"}).headers.getlist("Set-Cookie")
                  if one.startswith(f"{pages.COOKIE}="))
    for part in ("HttpOnly", "SameSite=Lax", f"Path={EXAM}"):
        assert part in cookie.split("; ")


def test_one_request_is_bounded(learner, phone):  # noqa: F811
    attempt, secret = attempts.start(learner, "sample")
    (drawn, question), *_others = attempts.questions(attempt)
    said = [Said(0, 5_000_000 + n, right(question, drawn)) for n in range(attempts.MOST_AT_ONCE + 1)]
    with pytest.raises(answers.Malformed):
        attempts.save(learner, attempt.id, secret, said)
    assert attempts.kept(attempt.id) == {}
    attempts.save(learner, attempt.id, secret, said[1:])
    body = '{"attempt": "' + str(attempt.id) + '", "answers": []' + " " * pages.LARGEST + "}"
    assert phone.post("answers", body, content_type="application/json", headers=JSON).status_code == 413


def test_an_answer_that_was_taken_back_is_one_that_is_missing(phone):  # noqa: F811
    attempt = phone.begin()
    given = rights(attempt)
    assert "5 道题均已作答" in phone.post("sit", form_of(attempt, given, 5_000_000, "finish")).text
    assert phone.save(attempt, {"at": 2, "seq": 5_000_001, "value": None}).json["state"] == "saved"
    page = phone.post("sit", form_of(attempt, {}, 0, "finish")).text
    assert "还有 1 题没有作答" in page
    assert 'q=3#question-3"' in page


def test_only_the_device_that_may_answer_is_led_on_and_another_is_told_what_taking_over_means(loaded, learner, phone):  # noqa: F811
    phone.begin()
    assert f'href="{EXAM}sit"' in phone.get("").text
    page = Phone(loaded, learner).get("").text
    assert f'href="{EXAM}sit"' not in page
    assert "在此设备上继续考试" in page


def test_an_attempt_that_cannot_be_ended_keeps_no_other_from_its_end(loaded, learner, clock, monkeypatch):
    broken, _secret = attempts.start(learner, "sample")
    other, _secret = attempts.start(make_learner("0005"), "sample")
    end = attempts._end_if_over

    def fails(attempt_id):
        if attempt_id == broken.id:
            raise RuntimeError("what it asks is gone")
        return end(attempt_id)
    monkeypatch.setattr(attempts, "_end_if_over", fails)
    clock.forward(minutes=21)
    assert attempts.sweep(loaded) == 1
    db.session.rollback()
    db.session.expire_all()
    assert (broken.ended_at, other.ended_by) == (None, TIME)


def test_an_attempt_that_is_under_way_has_no_result(phone, change):  # noqa: F811
    change("course.yaml", "feedback: after_pass", "feedback: after_each")
    assert courses_store.sync(faulty=True)[0].new
    attempt = phone.begin()
    answer = phone.get(f"result/{attempt.id}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, EXAM + "sit")


def test_when_very_many_hand_in_at_once_the_answers_are_saved_and_the_page_hands_in_again(loaded, phone):  # noqa: F811
    attempt = phone.begin()
    given = rights(attempt)
    phone.get("")  # whatever a process makes at its first request is there
    room = BoundedSemaphore(1)
    loaded.extensions["exams_marking"] = room
    with room:
        answer = phone.post("sit", form_of(attempt, given, 5_000_000, "submit"))
    assert answer.status_code == 503
    assert 2 <= int(answer.headers["Retry-After"]) <= 6
    form = lxml.html.fromstring(answer.text).get_element_by_id("again")
    assert len(attempts.kept(attempt.id)) == len(given)
    assert phone.post("sit", dict(form.form_values())).headers["Location"].startswith(EXAM + "result/")
    db.session.rollback()
    db.session.expire_all()
    assert (attempt.ended_by, attempt.percent) == ("handed_in", 100)


def test_whoever_was_told_to_come_again_is_not_told_to_be_late(phone, clock):  # noqa: F811
    attempt = phone.begin()
    phone.post("sit", form_of(attempt, rights(attempt), 5_000_000, "save"))
    clock.forward(minutes=21)
    done = phone.post("sit", {"attempt": str(attempt.id), "do": "submit"})
    assert "late" not in done.headers["Location"]
    assert "100 %" in phone.client.get(done.headers["Location"]).text


def test_a_session_that_ended_or_is_of_somebody_else_saves_nothing(loaded, phone):  # noqa: F811
    attempt = phone.begin()
    stranger = Phone(loaded, make_learner("0007"))
    stranger.client.set_cookie("anlan_exam", phone.client.get_cookie("anlan_exam", path=EXAM).value, path=EXAM)
    assert stranger.save(attempt, {"at": 0, "seq": 5_000_000, "value": None}).status_code == 404
    with transaction() as session:
        session.execute(update(LearnerSession).values(expires_at=attempts.utcnow() - timedelta(seconds=1)))
    assert phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None}).status_code == 401
    assert attempts.kept(attempt.id) == {}
