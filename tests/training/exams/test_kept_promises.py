"""What an exam promises besides: by which rules it is judged, what a device holds, what is found again elsewhere."""

from __future__ import annotations

import lxml.html
import pytest

from portal.training import courses_store
from portal.training.exams import answers, attempts, pages
from portal.training.exams.attempts import Said
from portal.training.reading.view import text
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
