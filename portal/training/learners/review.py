"""The review queue: what somebody got wrong comes again, at the times that the FSRS scheduler gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

from fsrs import Card, Rating, Scheduler
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.db import db, insert_into
from portal.training import courses_store
from portal.training.content.values import Course, Module, Question
from portal.training.learners import exam_time
from portal.training.models import CourseVersion, ReviewCard

#: Due cards that are looked at; whoever has more begins with the oldest.
MOST = 300


@dataclass(frozen=True, slots=True)
class Due:
    """A question that is to be asked again."""

    version_id: int
    course: Course
    module: Module
    question: Question


@cache
def _scheduler() -> Scheduler:
    return Scheduler(enable_fuzzing=False)


def note(session: Session, learner_id: int, slug: str, question_id: str, *, right: bool, now: datetime) -> None:
    """After an answer, in its transaction: a wrong one puts the question into the queue, a right one puts off what is there."""
    if not right:  # two phones may get it wrong in one moment
        session.execute(insert_into(session, ReviewCard).values(
            learner_id=learner_id, slug=slug, question_id=question_id, card=dict(Card(card_id=1, due=now).to_dict()), due_at=now,
        ).on_conflict_do_nothing())
    row = session.get(ReviewCard, (learner_id, slug, question_id), with_for_update=True)
    if row is None:
        return
    card = Card.from_dict(row.card)  # type: ignore[arg-type]
    if card.last_review is not None:  # what a phone did without a network may come after what was done later
        now = max(now, card.last_review)
    card, _log = _scheduler().review_card(card, Rating.Good if right else Rating.Again, review_datetime=now)
    row.card, row.due_at = dict(card.to_dict()), card.due


def due(learner_id: int, now: datetime) -> list[Due]:
    """What is due, longest waiting first. Left out are questions that their course no longer has, and courses whose exam the
    learner sits now. One query: every page of a learner counts them."""
    newest = select(func.max(CourseVersion.id)).where(CourseVersion.slug == ReviewCard.slug).scalar_subquery()
    rows = db.session.execute(select(newest, ReviewCard.question_id).where(
        ReviewCard.learner_id == learner_id, ReviewCard.due_at <= now, ReviewCard.slug.not_in(exam_time.slugs(learner_id, now)),
    ).order_by(ReviewCard.due_at).limit(MOST)).all()
    known = {version_id: _questions(version_id) for version_id in {row[0] for row in rows} - {None}}
    return [found for version_id, question_id in rows if (found := known.get(version_id, {}).get(question_id))]


def next_at(learner_id: int, now: datetime) -> datetime | None:
    """When the next card is due that is not due yet."""
    return db.session.execute(select(func.min(ReviewCard.due_at)).where(
        ReviewCard.learner_id == learner_id, ReviewCard.due_at > now)).scalar_one()


def _questions(version_id: int) -> dict[str, Due]:
    course = courses_store.of(version_id)
    return {question.id: Due(version_id, course, module, question) for module in course.modules for question in module.questions}
