"""How far somebody is in the courses that a phone holds: what its pages show before its own answers are laid over it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from portal.core.db import db
from portal.training import courses_store
from portal.training.learners import exam_time, learning, practice
from portal.training.models import ReviewCard

#: Courses of one question.
MOST = 30


def of(learner_id: int, slugs: Iterable[str]) -> dict[str, Any]:
    """Course → the version that is current, lessons done, questions answered and whether rightly at last, when which of them
    comes again (milliseconds since 1970), and whether the learner sits its exam. A course that is gone is None."""
    sitting = exam_time.under_way(learner_id)
    return {slug: _one(learner_id, slug, sits=slug in sitting) for slug in sorted(set(slugs))[:MOST]}


def _one(learner_id: int, slug: str, *, sits: bool) -> dict[str, Any] | None:
    found = courses_store.current(slug)
    if found is None:
        return None
    version_id, course = found
    cards = db.session.execute(select(ReviewCard.question_id, ReviewCard.due_at).where(
        ReviewCard.learner_id == learner_id, ReviewCard.slug == slug))
    return {"version_id": version_id, "version": course.version, "sits": sits,
            "lessons": sorted(learning.standing(learner_id, course).done_ids), "answers": practice.latest(learner_id, slug),
            "due": {row.question_id: milliseconds(row.due_at) for row in cards}}


def milliseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
