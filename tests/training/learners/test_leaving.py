"""The way out: what is left of somebody who was erased, on both databases."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import func, select, update

from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import Base, db, transaction
from portal.core.errors import Conflict
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt, AttemptAnswer
from portal.training.exams import attempts
from portal.training.learners import door, learning, own
from portal.training.me import copy
from portal.training.models import Enrolment, Learner, LearnerSession, LessonProgress, PracticeAnswer, ReviewCard
from tests.training.learners.test_own import busy  # noqa: F401
from tests.waiting import until_somebody_waits_for_a_lock


def rows_of_learners():
    """Table → rows, of all that refers to learners."""
    db.session.rollback()
    tables = [table for table in Base.metadata.tables.values()
              if any(key.column.table.name == "learner" for key in table.foreign_keys)]
    return {table.name: db.session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def test_an_exam_under_way_is_ended_first(busy):  # noqa: F811
    learner, attempt, secret = busy
    with pytest.raises(Conflict):
        own.erase(learner)
    db.session.rollback()
    assert db.session.get(Learner, learner.id) is not None
    attempts.submit(learner.id, attempt.id, secret)
    own.erase(learner)
    assert db.session.execute(select(func.count()).select_from(Learner)).scalar_one() == 0


def test_nothing_refers_to_who_was_erased_and_a_certificate_stays_without_a_name(busy):  # noqa: F811
    learner, attempt, secret = busy
    attempts.submit(learner.id, attempt.id, secret)
    own.erase(learner)
    own.erase(learner)
    assert {name: n for name, n in rows_of_learners().items() if n} == {"certificate": 1}
    assert not db.session.execute(select(func.count()).select_from(AttemptAnswer)).scalar_one()
    left = db.session.execute(select(Certificate)).scalar_one()
    assert (left.serial, left.learner_id, left.name_sealed, left.region_code) == ("T-1", None, None, None)
    entries = db.session.execute(select(AuditEntry).where(AuditEntry.action == "learner.erase")).scalars().all()
    assert [(one.subject, one.details) for one in entries] == [(f"learner:{learner.id}", {})]
    assert list(audit.verify(db.session)) == []


def test_another_learner_loses_nothing(busy, school, sample):  # noqa: F811
    learner, attempt, secret = busy
    attempts.submit(learner.id, attempt.id, secret)
    book = school.extensions["phones"]
    with transaction() as session:
        other = Learner(phone_sealed=b"x", phone_index=book.index("+8612900000099"), tail="0099", language="zh",
                        joined_at=utcnow(), seen_at=utcnow())
        session.add(other)
    door.begin(other)
    learning.enrol(other.id, "sample", sample[0])
    own.erase(learner)
    db.session.rollback()
    assert db.session.execute(select(Learner.id)).scalars().all() == [other.id]
    for table in (Enrolment, LearnerSession):
        assert db.session.execute(select(table.learner_id)).scalars().all() == [other.id]
    assert not db.session.execute(select(LessonProgress)).first()
    assert not db.session.execute(select(PracticeAnswer)).first()


def test_whoever_is_written_about_just_now_is_told_to_try_again_and_nobody_waits_for_the_other(learner, database_kind):
    if database_kind == "sqlite":
        pytest.skip("SQLite has one writer at a time, and no row is locked")
    with db.engine.connect() as other:
        other.execute(select(Learner.id).where(Learner.id == learner.id).with_for_update(read=True, key_share=True))
        with pytest.raises(Conflict) as refusal:
            own.erase(learner)
        assert "请稍后再试" in str(refusal.value.message)
        other.rollback()
    own.erase(learner)
    assert db.session.execute(select(func.count()).select_from(Learner)).scalar_one() == 0


@pytest.mark.parametrize("table", [LessonProgress, LearnerSession, ReviewCard, Attempt])
def test_an_erasure_waits_for_no_row_of_the_learner(busy, database_kind, table):  # noqa: F811
    if database_kind == "sqlite":
        pytest.skip("SQLite has one writer at a time, and no row is locked")
    learner, attempt, secret = busy
    attempts.submit(learner.id, attempt.id, secret)
    with db.engine.connect() as other:
        held = select(table.learner_id).where(table.learner_id == learner.id).with_for_update()
        assert other.execute(held).all()
        with pytest.raises(Conflict) as refusal:
            own.erase(learner)
        assert "请稍后再试" in str(refusal.value.message)
        other.rollback()
    own.erase(learner)
    assert db.session.execute(select(func.count()).select_from(Learner)).scalar_one() == 0


ACTS = {"/learn/courses/sample/01-first/mark": {"done": "0"}, "/learn/me/name": {"name": "陈小明"},
        "/learn/me/language": {"language": "zh"}, "/learn/me/sign-out": {}}


@pytest.mark.parametrize("act", ACTS)
def test_whoever_waits_for_the_trail_holds_no_row_that_an_erasure_needs(phone, sample, database_kind, database_url, act):
    if database_kind == "sqlite":
        pytest.skip("SQLite has one writer at a time, and no row is locked")
    phone.sign_in()
    learner_id = db.session.execute(select(Learner.id)).scalar_one()
    lesson = next(iter(sample[1].lessons)).id
    learning.enrol(learner_id, "sample", sample[0])
    learning.mark(learner_id, "sample", lesson, done=True)
    db.session.rollback()
    path = act.replace("01-first", lesson)
    done = []
    other = threading.Thread(target=lambda: done.append(phone.post(path, ACTS[act], page="/learn/me/").status_code))
    with transaction() as session:
        audit.serialise(session)
        other.start()
        until_somebody_waits_for_a_lock(database_url)
        with db.engine.connect() as third:
            for table, column in ((Learner, Learner.id), (LessonProgress, LessonProgress.learner_id),
                                  (LearnerSession, LearnerSession.learner_id), (Enrolment, Enrolment.learner_id)):
                held = select(column).where(column == learner_id).with_for_update(nowait=True, key_share=True)
                assert third.execute(held).all(), table
    other.join(60)
    assert done
    assert done[0] in (302, 303)


def test_what_is_deleted_was_told_in_full_before(busy, school):  # noqa: F811
    learner, _attempt, _secret = busy
    with transaction() as session:
        session.execute(update(Certificate).values(name_sealed=None))  # the fixture's is no sealed name
    with school.test_request_context():
        told = json.loads("".join(copy.chunks(learner, "zh")))
    there = {name: n for name, n in rows_of_learners().items() if n}
    assert there
    assert {name: len(told[name]) for name in there} == there
    assert told["learner"]["name"] == "王㛃"
