"""While the exam of a course is under way, nothing behind the door shows what is right in its bank."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import exam_time, practice, review
from portal.training.models import Learner, PracticeAnswer, ReviewCard
from tests.training.learners.conftest import NUMBER, LearnerPhone
from tests.training.learners.test_pages import COURSE, PRACTICE, play, text


@pytest.fixture
def wrong(phone, sample):
    """A phone that got the first question wrong, the question, and the page that told so."""
    phone.sign_in()
    question = practice.find(sample[1], "fir-001")[1]
    got = play(phone, phone.get(PRACTICE).text, question, next(n for n, one in enumerate(question.options) if not one.right))
    db.session.rollback()
    with transaction() as session:
        session.execute(update(ReviewCard).values(due_at=utcnow()))
    return phone, question, got.location


def sit():
    db.session.rollback()
    learner_id = db.session.execute(select(Learner.id)).scalar_one()
    attempt, secret = attempts.start(learner_id, "sample")
    return learner_id, attempt, secret


def count():
    db.session.rollback()
    return db.session.execute(select(func.count()).select_from(PracticeAnswer)).scalar_one()


def test_practice_and_review_wait_until_the_exam_is_over_and_go_on_then(wrong):
    phone, question, told = wrong
    page = phone.get(PRACTICE).text
    assert "1 due" in text(page)
    learner_id, attempt, secret = sit()
    for path in (PRACTICE, PRACTICE + "?again=", told, "/learn/review/"):
        got = phone.get(path)
        shown = text(got.text)
        assert "Practice and review wait until your exam is over" in shown, path
        assert 'href="/learn/sample/exam/"' in got.text
        for secret_words in (question.words.en, question.explanation.en, *(one.feedback.en for one in question.options)):
            assert secret_words not in got.text, path
    assert "1 due" not in text(phone.get("/learn/").text)
    before = text(phone.get(COURSE).text)
    answer = phone.submit(page, answer="0")
    assert answer.status_code == 409
    assert "This answer was not taken and does not count." in text(answer.text)
    assert count() == 1
    assert text(phone.get(COURSE).text) == before  # no count tells what it would have been worth
    attempts.submit(learner_id, attempt.id, secret)
    assert "What is right" in text(phone.get(told).text)
    assert phone.form(phone.get("/learn/review/").text)[1]["question"] == question.id


def test_in_chinese_too(school, sample):
    phone = LearnerPhone(school, NUMBER, "zh").sign_in()
    sit()
    page = text(phone.get(PRACTICE).text)
    assert "考试期间，练习和复习暂停" in page
    assert "最迟" in page


def test_an_attempt_whose_time_and_grace_are_over_holds_nothing_back_though_nobody_ended_it(wrong):
    learner_id, attempt, _secret = sit()
    assert exam_time.under_way(learner_id) == {"sample": attempt.closes_at}
    assert review.due(learner_id, utcnow()) == []
    with transaction() as session:
        session.execute(update(Attempt).values(closes_at=utcnow() - timedelta(seconds=1)))
    assert exam_time.under_way(learner_id) == {}
    assert [one.question.id for one in review.due(learner_id, utcnow())] == ["fir-001"]


def test_the_exam_of_somebody_else_holds_nothing_back(wrong, learner):
    phone, _question, _told = wrong
    attempts.start(learner.id, "sample")
    assert phone.form(phone.get(PRACTICE).text)[1]["question"]
    assert "1 due" in text(phone.get("/learn/").text)
