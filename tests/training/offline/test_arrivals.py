"""What arrives late, with a wrong clock, of an old course, or too much at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training import courses_store
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import learning
from portal.training.models import Learner, LessonProgress
from portal.training.offline import sync
from portal.training.offline.sync import LATER, REFUSED, TAKEN
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.training.offline.test_sync import SENT, answer, lesson, request_, rows, take  # noqa: F401


@pytest.mark.usefixtures("request_")
def test_a_clock_that_is_wrong_by_a_day_changes_nothing(learner, sample):
    for wrong_by in (0, 24 * 3600e3, -24 * 3600e3):
        thing = answer(sample[0], given=1, ago=2 * 3600e3)
        thing["at"] += wrong_by
        before = utcnow()
        assert sync.take(learner.id, [thing], SENT + wrong_by)[0].outcome == TAKEN
        assert before <= rows()[-1].answered_at + timedelta(hours=2) <= utcnow()


@pytest.mark.usefixtures("request_")
def test_a_time_that_cannot_be_is_now_and_one_long_ago_is_bounded(learner, sample):
    for at in (None, "x", True, SENT + 1e9, -1e300, float("nan")):
        before = utcnow()
        assert take(learner, answer(sample[0]) | {"at": at})[0].outcome == TAKEN
        assert rows()[-1].answered_at >= before
    take(learner, answer(sample[0]) | {"at": 0})
    assert rows()[-1].answered_at >= utcnow() - sync.OLDEST - timedelta(minutes=1)


@pytest.mark.usefixtures("request_")
def test_an_answer_to_an_old_version_is_judged_by_it_and_said_to_be_old(learner, sample, change):
    for language, (heat, smoke, words) in {"en": ("The heat", "The smoke", "What comes **first**"),
                                           "zh": ("高温", "烟气", "火场里**最先**")}.items():
        change(f"banks/fire.{language}.md", f"- [ ] {heat}", f"- [x] {heat}")
        change(f"banks/fire.{language}.md", f"- [x] {smoke}", f"- [ ] {smoke}")
        change(f"banks/fire.{language}.md", f"rev: 1\n```\n{words}", f"rev: 2\n```\n{words}")
    courses_store.sync(faulty=True)
    db.session.rollback()
    assert courses_store.current("sample")[0] != sample[0]
    old, new = take(learner, answer(sample[0], given=1), answer(sample[0], "fir-002", 1))
    assert (old.outcome, old.right, old.old) == (TAKEN, True, True)
    assert (new.outcome, new.right, new.old) == (TAKEN, True, False)
    assert {row.version_id for row in rows()} == {sample[0]}


@pytest.mark.usefixtures("request_")
def test_an_answer_of_a_version_that_is_gone_counts_where_the_question_is_still_the_same_and_is_refused_in_words_else(
        learner, sample):
    same, changed, gone = take(learner, answer(99999, given=1), answer(99999, given=1, rev=7), answer(99999, "fir-999"))
    assert (same.outcome, same.right) == (TAKEN, True)
    assert [one.outcome for one in (changed, gone)] == [REFUSED, REFUSED]
    assert all(one.message for one in (changed, gone))
    assert take(learner, answer(sample[0]) | {"slug": "gone"})[0].message
    assert len(rows()) == 1


@pytest.mark.usefixtures("request_")
def test_lessons_that_were_read_are_marked_and_a_mark_can_be_taken_back(learner, sample):
    thing = lesson("smoke")
    for _time in range(2):
        assert take(learner, thing, lesson("extinguisher"), lesson("nowhere"))[0].outcome == TAKEN
    assert learning.standing(learner.id, sample[1]).done_ids == {"smoke", "extinguisher"}
    take(learner, lesson("smoke", done=False))
    assert learning.standing(learner.id, sample[1]).done_ids == {"extinguisher"}
    assert len(rows(LessonProgress)) == 2


def test_of_a_request_no_more_is_taken_than_one_may_send(school, learner, sample, monkeypatch):
    monkeypatch.setattr(sync, "MOST", 3)
    with school.test_request_context():
        assert len(take(learner, *[answer(sample[0]) for _n in range(5)])) == 3


def test_attempts_whose_time_is_over_let_answers_in(school, learner, sample):
    with school.test_request_context():
        attempts.start(learner.id, "sample")
        thing = answer(sample[0])
        assert take(learner, thing)[0].outcome == LATER
        with transaction() as session:
            session.execute(update(Attempt).values(closes_at=utcnow() - timedelta(seconds=1)))
        assert take(learner, thing)[0].outcome == TAKEN


def test_learners_are_apart(school, learner, sample):
    with transaction() as session:
        other = Learner(phone_sealed=b"x", phone_index=b"y" * 16, tail="0000", language="zh",
                        joined_at=utcnow(), seen_at=utcnow())
        session.add(other)
    thing = answer(sample[0], given=1)
    with school.test_request_context():
        take(learner, thing)
        take(other, thing)
    assert sorted(row.learner_id for row in rows()) == sorted([learner.id, other.id])
