"""What is kept of a learner, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from flask import g
from sqlalchemy import func, select

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.subscribers import store as subscribers
from portal.training.learners import door, learning, practice, review
from portal.training.models import Enrolment, Learner, LearnerSession, PracticeAnswer, ReviewCard
from tests.training.learners.conftest import NUMBER, OTHER


def question(sample, question_id):
    return practice.find(sample[1], question_id)[1]


def answered(learner, sample, question_id, answer, ref=None):
    version_id, course = sample
    return practice.record(learner.id, course, version_id, "fire", question(sample, question_id), ref or practice.new_ref(),
                           answer)


def test_beginning_a_course_twice_changes_nothing(learner, sample):
    for _twice in range(2):
        learning.enrol(learner.id, "sample", sample[0])
    assert db.session.execute(select(func.count()).select_from(Enrolment)).scalar_one() == 1


def test_one_resumes_where_one_left_and_progress_counts_what_is_done(learner, sample):
    version_id, course = sample
    learning.enrol(learner.id, "sample", version_id)
    first, second = (lesson.id for lesson in course.lessons)
    assert learning.standing(learner.id, course).resume.id == first
    learning.opened(learner.id, "sample", second)
    here = learning.standing(learner.id, course)
    assert (here.resume.id, here.done, here.lessons, here.finished) == (second, 0, 2, False)
    learning.mark(learner.id, "sample", second, done=True)
    here = learning.standing(learner.id, course)
    assert (here.resume.id, here.done) == (first, 1)
    learning.mark(learner.id, "sample", first, done=True)
    assert learning.standing(learner.id, course).finished
    learning.mark(learner.id, "sample", first, done=False)
    assert learning.standing(learner.id, course).done == 1


def test_an_answer_that_is_sent_twice_counts_once_and_the_first_one_stands(learner, sample):
    ref = practice.new_ref()
    first = answered(learner, sample, "fir-001", 0, ref)
    again = answered(learner, sample, "fir-001", 1, ref)
    assert (first.id, again.answer, again.right) == (again.id, 0, False)
    assert db.session.execute(select(func.count()).select_from(PracticeAnswer)).scalar_one() == 1


def test_practice_asks_what_is_new_first_then_what_was_wrong_and_then_nothing(learner, sample):
    questions = sample[1].modules[0].questions[:3]
    asked = [practice.following(questions, {}, None).id]
    answered(learner, sample, asked[0], 0)  # wrong
    asked.append(practice.following(questions, practice.latest(learner.id, "sample"), asked[-1]).id)
    answered(learner, sample, asked[1], 1)
    asked.append(practice.following(questions, practice.latest(learner.id, "sample"), asked[-1]).id)
    answered(learner, sample, asked[2], [0, 1])
    asked.append(practice.following(questions, practice.latest(learner.id, "sample"), asked[-1]).id)
    assert asked == ["fir-001", "fir-002", "fir-003", "fir-001"]
    answered(learner, sample, "fir-001", 1)
    assert practice.latest(learner.id, "sample") == {"fir-001": True, "fir-002": True, "fir-003": True}
    assert practice.following(questions, practice.latest(learner.id, "sample"), "fir-001") is None


def test_what_was_wrong_comes_again_and_each_right_answer_puts_it_off_longer(learner, sample):
    answered(learner, sample, "fir-002", 1)
    assert review.due(learner.id, utcnow() + timedelta(days=999)) == []
    start, waits = utcnow(), []
    with time_machine.travel(start, tick=False) as clock:
        answered(learner, sample, "fir-001", 0)
        for _round in range(5):
            due_at = db.session.execute(select(ReviewCard.due_at)).scalar_one()
            waits.append(due_at - utcnow())
            assert review.due(learner.id, due_at - timedelta(seconds=1)) == []
            assert review.next_at(learner.id, utcnow()) == due_at
            assert [one.question.id for one in review.due(learner.id, due_at)] == ["fir-001"]
            clock.move_to(due_at)
            answered(learner, sample, "fir-001", 1)
        assert waits == sorted(waits)
        assert waits[0] < timedelta(hours=1)
        assert waits[-1] > timedelta(days=1)
        long = db.session.execute(select(ReviewCard.due_at)).scalar_one() - utcnow()
        answered(learner, sample, "fir-001", 0)
        assert db.session.execute(select(ReviewCard.due_at)).scalar_one() - utcnow() < long


def test_two_phones_that_get_the_same_question_wrong_at_once_lose_no_answer(school, learner, sample):
    found = []

    def other():
        with school.app_context():
            found.append(answered(learner, sample, "fir-001", 0).right)
    thread = threading.Thread(target=other)
    with transaction() as session:
        review.note(session, learner.id, "sample", "fir-001", right=False, now=utcnow())
        session.flush()
        thread.start()
        thread.join(0.5)
    thread.join()
    assert found == [False]
    assert db.session.execute(select(func.count()).select_from(ReviewCard)).scalar_one() == 1


def test_a_question_that_its_course_no_longer_has_is_not_due(learner, sample):
    with transaction() as session:
        session.add(ReviewCard(learner_id=learner.id, slug="sample", question_id="gone", card={}, due_at=utcnow()))
        session.add(ReviewCard(learner_id=learner.id, slug="gone", question_id="fir-001", card={}, due_at=utcnow()))
    assert review.due(learner.id, utcnow() + timedelta(days=1)) == []


def test_a_learner_is_the_subscriber_with_the_same_phone(school, monkeypatch):
    subscribers.add_many([subscribers.NewSubscriber(NUMBER, "zh", 1, ("440310001001",), "web")])
    monkeypatch.setattr(door.codes, "check_code", lambda *_given: True)
    with school.test_request_context("/learn/"):
        secrets = [door.enter(NUMBER, "000000") for _twice in range(2)]
    learner = db.session.execute(select(Learner)).scalar_one()
    assert learner.phone_index == school.extensions["phones"].index(NUMBER)
    assert (learner.region_code, learner.tail) == ("440310001001", NUMBER[-4:])
    assert NUMBER.encode() not in learner.phone_sealed
    assert len(set(secrets)) == 2


def test_sessions_end_and_the_oldest_give_way(school, learner):
    kept = [door.begin(learner) for _many in range(door.MOST + 2)]
    assert db.session.execute(select(func.count()).select_from(LearnerSession)).scalar_one() == door.MOST
    assert not set(db.session.execute(select(LearnerSession.token_hash)).scalars()) & set(kept)

    def who(secret):
        with school.test_request_context("/learn/", headers={"Cookie": f"{door.COOKIE}={secret}"}):
            g.pop("learner", None)  # the context of the test lasts longer than a request
            found = door.here()
            return found and found.id
    assert who(kept[-1]) == learner.id
    assert who("wrong") is None
    with time_machine.travel(utcnow() + door.LASTS + timedelta(minutes=1)):
        assert who(kept[-1]) is None


@pytest.mark.parametrize("ref", ["", "x" * 36, "00000000-0000-0000-0000-00000000000Z", OTHER])
def test_only_a_uuid_names_an_answer(ref):
    assert not practice.is_ref(ref)
    assert practice.is_ref(practice.new_ref())
