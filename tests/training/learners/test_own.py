"""A learner's name and community: what is kept, how, and what follows; what keeps somebody from leaving."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.training import standing
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import door, learning, own, practice
from portal.training.models import Enrolment, Learner
from tests.shelters.living.one_database import database_url  # noqa: F401

#: The last one is of Unicode 15.1, which this Python may not know.
RARE = ["𠮷野家", "王㛃", "李𬭎", "张𰻝", "陈𮯰"]


def give(learner, text, **more):
    with transaction() as session:
        own.set_name(session, learner, text, **more)


@pytest.mark.parametrize("typed", [*RARE, "阿不都热合曼·买买提", "María José Núñez", "O’Brien-Smith, Jr."])
def test_a_name_is_taken_as_it_was_given_rare_ideographs_too(typed):
    assert own.clean(typed) == typed


def test_a_name_is_one_form_of_itself_without_what_nobody_sees():
    assert own.clean("\u202e  Jose\u0301 \t\u200b Nu\u0301n\u0303ez\ufeff\n") == "José Núñez"


@pytest.mark.parametrize("typed", ["", "  \u200b ", "王" * (own.LONGEST + 1), "王\x07", "王\ue000", "12345", "……", "a\ud800"])
def test_what_is_no_name_is_refused_at_its_field(typed):
    with pytest.raises(Invalid) as refusal:
        own.clean(typed)
    assert [one.field for one in refusal.value.problems] == ["name"]


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=80))
def test_whatever_is_taken_is_normal_fits_its_column_and_is_taken_again_unchanged(typed):
    try:
        name = own.clean(typed)
    except Invalid:
        return
    assert unicodedata.is_normalized("NFC", name)
    assert own.clean(name) == name
    assert len(name) <= own.LONGEST
    assert not any(unicodedata.category(c) == "Cc" for c in name)


def test_neither_the_database_nor_the_trail_holds_the_name_and_it_opens_in_its_own_row_only(learner):
    give(learner, RARE[-1])
    assert own.name(learner) == RARE[-1]
    give(learner, RARE[-1])
    give(learner, "王㛃", actor=audit.Actor("7", "trainer"))
    with pytest.raises(Invalid):
        give(learner, "")
    db.session.rollback()
    assert own.name(learner) == "王㛃"
    entries = db.session.execute(select(AuditEntry).where(AuditEntry.action == "learner.name")).scalars().all()
    assert [(one.actor, one.subject, one.details) for one in entries] == [
        (f"learner {learner.id}", f"learner:{learner.id}", {}), ("trainer", f"learner:{learner.id}", {})]
    assert "王".encode() not in learner.name_sealed
    moved = Learner(id=learner.id + 1, name_sealed=learner.name_sealed)
    with pytest.raises(RuntimeError, match="ANLAN_PHONE_KEY"):
        own.name(moved)


@pytest.fixture
def busy(learner, sample):
    """A learner who did a little of everything: (learner, certificate)."""
    version_id, course = sample
    lesson, question = next(iter(course.lessons)), course.modules[0].questions[0]
    give(learner, "王㛃")
    door.begin(learner)
    learning.enrol(learner.id, "sample", version_id)
    learning.mark(learner.id, "sample", lesson.id, done=True)
    practice.record(learner.id, course, version_id, course.modules[0].id, question, practice.new_ref(), 0)
    attempt, secret = attempts.start(learner.id, "sample")
    attempts.save(learner.id, attempt.id, secret, [attempts.Said(0, 1, None)])
    with transaction() as session:
        session.add(Certificate(serial="T-1", learner_id=learner.id, slug="sample", version_id=version_id, name_sealed=b"x",
                                region_code="440310001001", issued_at=utcnow(), status_index=1, credential="c"))
    return learner, attempt, secret


def test_an_exam_whose_time_is_over_keeps_nobody_here(busy):
    learner, _attempt, _secret = busy
    with transaction() as session:
        session.execute(update(Attempt).values(closes_at=utcnow() - timedelta(seconds=1)))
    own.erase(learner)
    assert db.session.execute(select(func.count()).select_from(Learner)).scalar_one() == 0


def test_the_number_of_who_left_is_never_anothers(school):
    """It stands in the trail, and in what waits on other people's phones."""
    def join(tail):
        with transaction() as session:
            made = Learner(phone_sealed=b"x", phone_index=tail.encode() * 4, tail=tail, language="zh", joined_at=utcnow(),
                           seen_at=utcnow())
            session.add(made)
        return made
    first = join("0001")
    gone = first.id
    own.erase(first)
    assert join("0002").id > gone


def test_rooms_are_asked_before_and_one_that_refuses_stops_it_all(busy, monkeypatch):
    learner, attempt, secret = busy
    attempts.submit(learner.id, attempt.id, secret)
    asked = []

    def refuse(session, row):
        raise Conflict("not yet")

    monkeypatch.setattr(own, "BEFORE_ERASURE", [lambda session, row: asked.append(row.id), refuse])
    with pytest.raises(Conflict):
        own.erase(learner)
    assert asked == [learner.id]
    db.session.rollback()
    assert db.session.execute(select(Enrolment.slug)).scalars().all() == ["sample"]


def test_moving_is_kept_once_and_certificates_and_how_one_stands_follow(busy):
    learner, _attempt, _secret = busy
    for _again in range(2):
        with transaction() as session:
            own.move(session, learner, "440310002001")
    db.session.rollback()
    for table in (Enrolment, Certificate):
        assert db.session.execute(select(table.region_code)).scalars().all() == ["440310002001"]
    moves = select(AuditEntry).where(AuditEntry.action == "learner.move")
    assert [one.details for one in db.session.execute(moves).scalars()] == [{}]


def test_a_name_that_was_waited_for_lets_what_waited_happen(busy, monkeypatch):
    learner, _attempt, _secret = busy
    heard = []
    monkeypatch.setattr(standing, "AFTER_TOUCH", [lambda session, one, slug: heard.append((one, slug))])
    give(learner, "李四")
    assert heard == [(learner.id, "sample")]
