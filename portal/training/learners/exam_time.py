"""While somebody sits the exam of a course, nothing shows them what is right in its bank: practice and review wait."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training.exam_models import Attempt


def under_way(learner_id: int) -> dict[str, datetime]:
    """Course → when the learner's attempt at its exam closes at the latest, of attempts that are under way."""
    rows = db.session.execute(slugs(learner_id, utcnow()).add_columns(Attempt.closes_at))
    return {row.slug: row.closes_at for row in rows}


def slugs(learner_id: int, now: datetime) -> Select[str]:
    """Asks for the courses whose exam the learner sits `now`. Where time and grace are over nobody sits any more, though the
    attempt may not be ended yet."""
    return select(Attempt.slug).where(Attempt.learner_id == learner_id, Attempt.ended_at.is_(None), Attempt.closes_at >= now)
