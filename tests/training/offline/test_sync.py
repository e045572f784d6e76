"""What phones did without a network, taken in: nothing lost, nothing twice, nothing for somebody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training import standing
from portal.training.exams import attempts
from portal.training.learners import practice
from portal.training.models import Enrolment, PracticeAnswer, ReviewCard
from portal.training.offline import sync
from portal.training.offline.sync import LATER, REFUSED, TAKEN

SENT = 1_700_000_000_000.0


def answer(version_id, question="fir-001", given=0, *, rev=1, ago=0, **more):
    return {"ref": practice.new_ref(), "kind": "answer", "slug": "sample", "version_id": version_id, "question": question,
            "rev": rev, "answer": given, "at": SENT - ago, **more}


def lesson(name, *, done=True, **more):
    return {"ref": practice.new_ref(), "kind": "lesson", "slug": "sample", "lesson": name, "done": done, "at": SENT, **more}


def take(learner, *things):
    db.session.rollback()
    return sync.take(learner.id, things, SENT)


def rows(table=PracticeAnswer):
    db.session.rollback()
    return list(db.session.execute(select(table)).scalars())


@pytest.fixture
def request_(school):
    with school.test_request_context():
        yield


@pytest.mark.usefixtures("request_")
def test_an_answer_counts_once_however_often_it_is_sent(learner, sample):
    things = [answer(sample[0], given=1), answer(sample[0], "fir-007", "119")]
    for _time in range(3):
        assert [(one.outcome, one.right, one.old) for one in take(learner, *things)] == [(TAKEN, True, False)] * 2
    assert sorted(row.ref for row in rows()) == sorted(thing["ref"] for thing in things)
    assert [(row.version_id, row.module_id, row.rev, row.points) for row in rows()] == [(sample[0], "fire", 1, 1.0)] * 2
    assert len(rows(Enrolment)) == 1


@pytest.mark.usefixtures("request_")
def test_an_answer_of_whoever_takes_the_course_already_waits_for_no_recount(learner, sample, monkeypatch):
    take(learner, answer(sample[0], given=1))
    monkeypatch.setattr(standing, "touch", None)  # holds the trail, in which all writers wait
    assert [one.outcome for one in take(learner, answer(sample[0], "fir-007", "119"))] == [TAKEN]


@pytest.mark.usefixtures("request_")
def test_the_same_answer_from_two_tabs_in_one_moment_counts_once(school, learner, sample):
    things = [answer(sample[0], given=0) for _n in range(4)]

    learner_id = learner.id

    def send():
        with school.test_request_context():
            return [one.outcome for one in sync.take(learner_id, things, SENT)]
    db.session.rollback()
    with ThreadPoolExecutor(3) as pool:
        outcomes = [task.result() for task in [pool.submit(send) for _tab in range(3)]]
    assert outcomes == [[TAKEN] * 4] * 3
    assert len(rows()) == 4
    assert len(rows(ReviewCard)) == 1


@pytest.mark.usefixtures("request_")
def test_what_arrives_after_a_later_answer_stands_before_it(learner, sample):
    hour = 3600e3
    done = take(learner, answer(sample[0], given=1, ago=hour), answer(sample[0], "fir-002", 0, ago=hour))
    assert [one.right for one in done] == [True, False]
    due = {row.question_id: row.due_at for row in rows(ReviewCard)}
    done = take(learner, answer(sample[0], given=0, ago=3 * hour), answer(sample[0], "fir-002", 1, ago=3 * hour))
    assert [one.right for one in done] == [False, True]
    assert practice.latest(learner.id, "sample") == {"fir-001": True, "fir-002": False}
    after = {row.question_id: row.due_at for row in rows(ReviewCard)}
    assert after["fir-002"] == due["fir-002"]
    assert after["fir-001"] > utcnow() - timedelta(hours=1)  # as if the right answer had come second


@pytest.mark.usefixtures("request_")
def test_while_the_exam_is_under_way_answers_wait_and_lessons_count(learner, sample):
    known = answer(sample[0], given=1)
    take(learner, known)
    attempt, secret = attempts.start(learner.id, "sample")
    new = answer(sample[0], "fir-002", 1)
    assert [(one.outcome, one.right) for one in take(learner, known, new, lesson("smoke"))] == [
        (TAKEN, True), (LATER, None), (TAKEN, None)]
    assert len(rows()) == 1
    attempts.submit(learner.id, attempt.id, secret)
    assert take(learner, new)[0].outcome == TAKEN
    assert len(rows()) == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(
        ["sample", "answer", "lesson", "fir-003", "fir-009", practice.new_ref(), "a\0b", "x" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=8)
names = st.sampled_from(["ref", "kind", "slug", "version_id", "question", "rev", "answer", "at", "lesson", "done"])


def test_whatever_arrives_is_answered(school, learner, sample):
    @settings(max_examples=20, deadline=None)
    @given(st.lists(anything | st.dictionaries(names, anything, max_size=3), max_size=4))
    def answered(changes):
        whole = answer(sample[0], given=1)
        things = [whole | one if isinstance(one, dict) else one for one in changes]
        with school.test_request_context():
            results = sync.take(learner.id, things, SENT)
        assert all(one.outcome in (TAKEN, LATER, REFUSED) for one in results)
        assert len(results) == sum(isinstance(one, dict) for one in things)
        assert all(bool(one.message) == (one.outcome == REFUSED) for one in results)
    answered()
    assert {row.learner_id for row in rows()} <= {learner.id}
