"""The pages of an exam without a script: rules first, everything by plain forms, and no answer key anywhere before the end."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import g
from sqlalchemy import event
from werkzeug.test import TestResponse

from portal.core.db import db
from portal.training import courses_store
from portal.training.content.values import Matching, Ordering
from portal.training.exam_models import Attempt
from portal.training.exams import attempts, pages, view
from portal.training.learners import door
from portal.training.models import Learner
from portal.training.reading.view import text as shown
from tests.training.exams.conftest import make_learner
from tests.training.exams.test_attempts import right

EXAM = "/learn/sample/exam/"
JSON = {"Accept": "application/json"}


def forget() -> None:
    """What the context of the test keeps from one request to the next."""
    db.session.rollback()
    g.pop("learner", None)


class Phone:
    """A browser that is signed in as a learner."""

    def __init__(self, app: Any, learner: int) -> None:
        app.config["WTF_CSRF_ENABLED"] = False
        self.client = app.test_client()
        self.client.set_cookie(door.COOKIE, door.begin(db.session.get(Learner, learner)), path=door.PATH)

    def get(self, path: str, **given: Any) -> TestResponse:
        forget()
        return self.client.get(EXAM + path, **given)

    def post(self, path: str, data: Any = None, **given: Any) -> TestResponse:
        forget()
        return self.client.post(EXAM + path, data=data, **given)

    def begin(self) -> Attempt:
        assert self.post("start", {"ready": "1"}).headers["Location"] == EXAM + "sit"
        db.session.rollback()
        return db.session.query(Attempt).order_by(Attempt.started_at.desc()).first()

    def save(self, attempt: Attempt, *answers: dict) -> TestResponse:
        return self.post("answers", json.dumps({"attempt": str(attempt.id), "answers": list(answers)}),
                         content_type="application/json", headers=JSON)


@pytest.fixture
def phone(loaded, learner) -> Phone:
    return Phone(loaded, learner)


def form_of(attempt: Attempt, answers: dict[int, Any], seq: int, do: str) -> dict:
    form: dict = {"attempt": str(attempt.id), "seq": seq, "do": do, "at": [str(at) for at in answers]}
    for at, value in answers.items():
        of = attempts.answers.kind(attempts.questions(attempt)[at][1])
        if of == "each":
            form |= {f"q{at}.{place}": "" if one is None else str(one) for place, one in enumerate(value or ())}
        elif value is not None:
            form[f"q{at}"] = value
    return form


def rights(attempt: Attempt) -> dict[int, Any]:
    return {at: right(q, d) for at, (d, q) in enumerate(attempts.questions(attempt))}


def test_rules_come_first_and_the_start_is_confirmed(phone):
    page = phone.get("")
    assert "20 分钟" in page.text
    assert "80%" in page.text
    refused = phone.post("start")
    assert refused.status_code == 422
    assert "请先勾选确认" in refused.text
    assert db.session.query(Attempt).count() == 0
    phone.begin()
    assert "继续考试" in phone.get("").text


def test_a_whole_exam_by_plain_forms(phone):
    attempt = phone.begin()
    page = phone.get("sit")
    seq = int(re.search(r'name="seq" value="(\d+)"', page.text)[1])
    answers = rights(attempt)
    first = {0: answers[0]}
    assert phone.post("sit", form_of(attempt, first, seq, "save")).status_code == 302
    assert attempts.kept(attempt.id)[0].value is not None
    asked = phone.post("sit", form_of(attempt, first, seq + 1, "finish"))
    assert "还有 4 题没有作答" in asked.text
    assert phone.post("sit", form_of(attempt, answers, seq + 2, "save")).status_code == 302
    done = phone.post("sit", form_of(attempt, {}, 0, "submit"))
    result = phone.client.get(done.headers["Location"])
    assert "已通过" in result.text
    assert "100 %" in result.text
    assert "解析" not in result.text  # the heading of the bank; its words are shown:
    assert "逐题回顾" in result.text
    assert phone.post("start", {"ready": "1"}).status_code == 422


def test_a_page_that_is_older_than_what_is_saved_says_so_and_overwrites_nothing(phone):
    attempt = phone.begin()
    seq = int(re.search(r'name="seq" value="(\d+)"', phone.get("sit").text)[1])
    answers = {0: rights(attempt)[0]}
    phone.post("sit", form_of(attempt, answers, seq + 5, "save"))
    kept = attempts.kept(attempt.id)
    db.session.rollback()
    blank = [None] * len(answers[0]) if isinstance(answers[0], list) else None
    old = phone.post("sit", form_of(attempt, {0: blank}, seq, "finish"))
    assert old.status_code == 409
    assert "此页面的内容比已保存的答案旧" in old.text
    assert attempts.kept(attempt.id) == kept


def test_no_answer_key_stands_in_any_page_or_reply_before_the_end(phone, learner):
    attempt = phone.begin()
    replies = [phone.get("").text, phone.get("sit").text, phone.get("clock", headers=JSON).text,
               phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None}).text,
               phone.post("sit", form_of(attempt, {}, 0, "finish")).text]
    asked = attempts.questions(attempt)
    for text in replies:
        for _drawn, question in asked:
            assert question.explanation.zh not in text
            for one in getattr(question, "options", ()):
                assert one.feedback.zh not in text
            for one in getattr(question, "accept", None).zh if hasattr(question, "accept") else ():
                assert f">{one}<" not in text
            if hasattr(question, "tolerance"):
                assert str(question.value) not in text
        assert attempt.seed not in text
        assert "right" not in re.sub(r"copyright", "", text.lower())
    page = replies[1]
    for at, (drawn, question) in enumerate(asked):
        if isinstance(question, Ordering | Matching):  # places count through what is shown, and say nothing of the bank
            for place in range(len(drawn.order)):
                label = re.search(rf'<label for="q{at}\.{place}">(.*?)</label>', page)[1]
                assert label == view.lines(question, drawn)[place].zh
            assert list(drawn.order) != list(range(len(drawn.order))) or isinstance(question, Matching)


def test_the_right_answers_are_shown_only_to_whom_the_rules_allow_it(phone):
    attempt = phone.begin()
    failed = phone.client.get(phone.post("sit", form_of(attempt, {}, 0, "submit")).headers["Location"])
    assert "未通过" in failed.text
    assert "通过考试后可查看正确答案" in failed.text
    for _drawn, question in attempts.questions(attempt):
        assert question.explanation.zh not in failed.text


def test_the_right_answers_of_an_attempt_wait_while_another_is_under_way_that_may_ask_the_same(phone, change):
    change("course.yaml", "wait_hours: 24, one_at_a_time: false, feedback: after_pass", "wait_hours: 0, one_at_a_time: false,"
           " feedback: after_each")
    assert courses_store.sync(faulty=True)[0].new
    first = phone.begin()
    result = phone.post("sit", form_of(first, {}, 0, "submit")).headers["Location"]
    questions = [question for _drawn, question in attempts.questions(first)]
    forget()
    assert all(str(shown(one.explanation.zh, {})) in phone.client.get(result).text for one in questions)
    second = phone.begin()
    assert second.id != first.id
    forget()
    page = phone.client.get(result).text
    assert "正确答案在考试结束后显示" in page
    assert not any(str(shown(one.explanation.zh, {})) in page for one in questions)
    phone.post("sit", form_of(second, {}, 0, "submit"))
    forget()
    assert str(shown(questions[0].explanation.zh, {})) in phone.client.get(result).text


def test_an_autosave_asks_the_database_twice(phone):
    attempt, asked = phone.begin(), []
    phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None})
    sent = {"data": json.dumps({"attempt": str(attempt.id), "answers": [{"at": 0, "seq": 5_000_001, "value": None}]}),
            "content_type": "application/json", "headers": JSON}

    def hear(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)
    forget()
    db.session.expunge_all()
    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        assert phone.client.post(EXAM + "answers", **sent).status_code == 200
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    # the attempt of whoever it is, the answer
    assert len([one for one in asked if not one.startswith("BEGIN")]) == 2, asked


def test_the_other_device_is_told_in_words_and_can_take_the_exam_back(loaded, learner, phone):
    attempt = phone.begin()
    tablet = Phone(loaded, learner)
    assert "考试正在另一台设备上进行" in tablet.get("sit").text
    assert phone.get("clock", headers=JSON).json["state"] == "live"  # looking takes nothing over
    tablet.post("start")
    told = phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None})
    assert (told.status_code, told.json["state"]) == (409, "elsewhere")
    assert "另一台设备" in told.json["message"]
    assert phone.get("clock", headers=JSON).status_code == 409
    assert phone.post("sit", form_of(attempt, {}, 0, "submit")).status_code == 409
    assert phone.post("start").headers["Location"] == EXAM + "sit"
    assert phone.save(attempt, {"at": 0, "seq": 6_000_000, "value": None}).json["kept"] == [{"at": 0, "seq": 6_000_000}]


def test_what_comes_after_the_grace_is_refused_in_words_and_ends_the_attempt(phone, clock):
    attempt = phone.begin()
    clock.forward(minutes=20, seconds=31)
    told = phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None})
    assert (told.status_code, told.json["state"]) == (410, "over")
    assert "超时" in told.json["message"]
    late = phone.post("sit", form_of(attempt, rights(attempt), 5_000_000, "submit"))
    result = phone.client.get(late.headers["Location"])
    assert "因时间到而结束" in result.text
    assert "0 %" in result.text


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"attempt": 1}', '{"attempt": "x", "answers": []}',
                                  '{"attempt": null, "answers": 5}', "nonsense", '{"answers": [{"at": "x"}]}', "[" * 60_000,
                                  '{"attempt": "0192a1b2-0000-7000-8000-000000000000", "answers": [{"at": 1e999, "seq": 1}]}'])
def test_what_is_no_answer_is_refused_without_a_fault(phone, body):
    phone.begin()
    assert phone.post("answers", body, content_type="application/json", headers=JSON).status_code in (404, 413, 422)


def test_a_stranger_sees_and_answers_nothing(loaded, phone, learner):
    attempt = phone.begin()
    stranger = Phone(loaded, make_learner("0009"))
    assert stranger.save(attempt).status_code == 404
    assert stranger.get(f"result/{attempt.id}/").status_code == 404
    assert stranger.post("sit", form_of(attempt, {}, 0, "submit")).status_code == 404
    nobody = loaded.test_client()
    forget()
    assert "/learn/sign-in" in nobody.get(EXAM + "sit").headers["Location"]
    assert nobody.post(EXAM + "answers", json={}, headers=JSON).status_code == 401
    assert pages.COOKIE not in str(nobody.get(EXAM).headers)


def test_the_course_leads_to_its_exam_once_one_takes_it(phone):
    path = "/learn/courses/sample/"
    assert EXAM not in phone.client.get(path).text
    forget()
    phone.client.post(path + "start")
    forget()
    assert f'href="{EXAM}"' in phone.client.get(path).text


def test_a_course_without_an_exam_has_no_such_page(phone):
    assert phone.client.get("/learn/nothing/exam/").status_code == 404


def test_an_exam_that_is_withdrawn_is_finished_by_whoever_began_it_and_by_nobody_else(loaded, phone, change):
    attempt = phone.begin()
    change("course.yaml", "exam: {minutes: 20, grace_seconds: 30, attempts: 3, wait_hours: 24, one_at_a_time: false,"
           " feedback: after_pass, draw: {fire: 5}}\n", "")
    assert courses_store.sync(faulty=True)[0].new
    other = Phone(loaded, make_learner("0007"))
    assert other.get("").status_code == other.post("start", {"ready": "1"}).status_code == 404
    assert phone.post("start").headers["Location"] == EXAM + "sit"  # goes on, as on another phone
    assert phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None}).json["state"] == "saved"
    done = phone.post("sit", form_of(attempt, {1: None}, 5_000_001, "submit"))
    assert "未通过" in phone.client.get(done.headers["Location"]).text
    rules = phone.get("")
    assert rules.status_code == 200
    assert "已不再设考试" in rules.text
    assert 'name="ready"' not in rules.text
    assert phone.post("start", {"ready": "1"}).status_code == 404


def test_the_time_left_is_the_servers_whatever_the_phone_believes(phone, clock):
    attempt = phone.begin()
    clock.forward(minutes=5)
    left = phone.get("clock", headers=JSON | {"Date": "Thu, 26 Nov 2020 00:00:00 GMT"}).json["left"]
    assert 14 * 60 < left <= 15 * 60 + 1
    assert phone.save(attempt, {"at": 0, "seq": 5_000_000, "value": None}).json["left"] <= left + 1
