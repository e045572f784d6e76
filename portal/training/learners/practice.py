"""Practice: which question comes next, and answers that count once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.training.content.values import Course, Module, Question
from portal.training.grading import grade
from portal.training.learners import review
from portal.training.models import PracticeAnswer


def new_ref() -> str:
    return str(uuid.uuid4())


def is_ref(text: str) -> bool:
    """Whether `text` may name an answer: a UUID as :func:`new_ref` writes it."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def latest(learner_id: int, slug: str) -> dict[str, bool]:
    """Question → whether the answer that was given last was right, of those that the learner has answered. What a phone did
    without a network may arrive after what was done later."""
    place = func.row_number().over(partition_by=PracticeAnswer.question_id,
                                   order_by=(PracticeAnswer.answered_at.desc(), PracticeAnswer.id.desc())).label("place")
    mine = select(PracticeAnswer.question_id, PracticeAnswer.right, place).where(
        PracticeAnswer.learner_id == learner_id, PracticeAnswer.slug == slug).subquery()
    rows = db.session.execute(select(mine.c.question_id, mine.c.right).where(mine.c.place == 1))
    return {row.question_id: row.right for row in rows}


def following(questions: Sequence[Question], answered: Mapping[str, bool], after: str | None) -> Question | None:
    """The question to ask next, in the order of the bank and around: one that was never answered, else one whose last answer
    was wrong; None where all were right. `after`: the question that one comes from."""
    start = next((n + 1 for n, question in enumerate(questions) if question.id == after), 0)
    order = [*questions[start:], *questions[:start]]
    new = next((question for question in order if question.id not in answered), None)
    return new or next((question for question in order if not answered.get(question.id)), None)


def turn(questions: Sequence[Question], after: str | None) -> Question | None:
    """The question behind `after`, for those who go through a bank again; None behind the last."""
    start = next((n + 1 for n, question in enumerate(questions) if question.id == after), 0)
    return questions[start] if start < len(questions) else None


def find(course: Course, question_id: str) -> tuple[Module, Question] | None:
    return next(((module, question) for module, question in _all(course) if question.id == question_id), None)


def _all(course: Course) -> Iterator[tuple[Module, Question]]:
    return ((module, question) for module in course.modules for question in module.questions)


def record(learner_id: int, course: Course, version_id: int, module_id: str, question: Question, ref: str,
           answer: Any, *, at: datetime | None = None) -> PracticeAnswer:
    """Keep an answer, and plan the review of what is wrong. The same `ref` again changes nothing: the first answer stands.
    `at`: when it was given, if not now."""
    graded, now = grade(question, answer), at or utcnow()
    with transaction() as session:
        new = session.execute(insert_into(session, PracticeAnswer).values(
            learner_id=learner_id, ref=ref, slug=course.id, version_id=version_id, module_id=module_id, question_id=question.id,
            rev=question.rev, answer=answer, points=float(graded.points), right=graded.right, answered_at=now,
        ).on_conflict_do_nothing().returning(PracticeAnswer.id)).scalar_one_or_none()
        if new is not None:
            _plan(session, learner_id, course.id, question.id, right=graded.right, given_at=now)
    kept = of_ref(learner_id, ref)
    if kept is None:
        raise RuntimeError("an answer was kept and cannot be found")
    return kept


def _plan(session: Session, learner_id: int, slug: str, question_id: str, *, right: bool, given_at: datetime) -> None:
    """Plan the review. Where the question was answered later already, that stands: what was wrong before comes again as it
    would have if both had arrived in their order."""
    later = session.execute(select(PracticeAnswer.right, PracticeAnswer.answered_at).where(
        PracticeAnswer.learner_id == learner_id, PracticeAnswer.slug == slug, PracticeAnswer.question_id == question_id,
        PracticeAnswer.answered_at > given_at).order_by(PracticeAnswer.answered_at.desc()).limit(1)).one_or_none()
    if later is None or not right:
        review.note(session, learner_id, slug, question_id, right=right, now=given_at)
    if later is not None and not right:
        review.note(session, learner_id, slug, question_id, right=later.right, now=later.answered_at)


def of_ref(learner_id: int, ref: str) -> PracticeAnswer | None:
    """A learner's own answer."""
    return db.session.execute(select(PracticeAnswer).where(
        PracticeAnswer.learner_id == learner_id, PracticeAnswer.ref == ref)).scalar_one_or_none()
