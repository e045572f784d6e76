"""The end of an attempt: its mark, or, where marking fails, that it waits for one.

An answer is never lost by a fault in marking, and nobody is kept in an exam by it: the attempt ends as it would have, is UNMARKED
until the fault is mended, and is then marked by what was answered (:func:`mark_again`).
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.db import db, transaction
from portal.training import grading
from portal.training import standing as stands
from portal.training.exam_models import HANDED_IN, IS_UNMARKED, TIME, UNMARKED, Attempt, AttemptAnswer
from portal.training.exams import answers, rules
from portal.training.exams.asked import questions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """`each`: question's id and its points, by place; `modules`: id → points and how many questions."""

    each: list[tuple[str, Fraction]]
    modules: dict[str, tuple[Fraction, int]]

    @property
    def points(self) -> Fraction:
        return sum((points for _question, points in self.each), Fraction(0))


def end(session: Session, attempt: Attempt, how: str, now: datetime) -> None:
    """End a locked attempt at `now` and mark it. Every question gets its row, so that what was left out counts in the figures of
    questions too. What cannot be marked is UNMARKED afterwards; only a database that does not answer raises."""
    rows = _rows(session, attempt)
    attempt.ended_at = now
    try:
        mark = _mark(attempt, rows)
    except SQLAlchemyError:
        raise
    except Exception:
        log.exception("the attempt %s could not be marked", attempt.id)
        attempt.ended_by, attempt.counted = UNMARKED, True  # no figure of questions waits for it
        _trail(session, attempt, "exam.unmarked", {"number": attempt.number, "ended_by": how})
    else:
        attempt.ended_by = how
        _keep(session, attempt, rows, mark)
        _trail(session, attempt, "exam.end", {"number": attempt.number, "percent": attempt.percent, "passed": attempt.passed})
    stands.touch(session, attempt.learner_id, attempt.slug)


def waiting() -> int:
    """How many attempts wait for a mark."""
    return db.session.execute(select(func.count()).select_from(Attempt).where(IS_UNMARKED)).scalar_one()


def mark_again() -> tuple[int, int]:
    """Mark the attempts that wait for it, each in a transaction of its own: (how many were marked, how many still wait)."""
    done = left = 0
    wanted = select(Attempt.id).where(IS_UNMARKED).order_by(Attempt.id)
    for attempt_id in db.session.execute(wanted).scalars().all():
        try:
            done += _again(attempt_id)
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("the attempt %s still cannot be marked", attempt_id)
            left += 1
    return done, left


def _again(attempt_id: uuid.UUID) -> bool:
    with transaction() as session:
        attempt = session.execute(select(Attempt).where(Attempt.id == attempt_id).with_for_update()).scalar_one_or_none()
        if attempt is None or attempt.ended_by != UNMARKED or attempt.ended_at is None:
            return False
        rows = _rows(session, attempt)
        _keep(session, attempt, rows, _mark(attempt, rows))
        attempt.ended_by, attempt.counted = (TIME if attempt.ended_at >= attempt.closes_at else HANDED_IN), False
        _trail(session, attempt, "exam.end", {"number": attempt.number, "percent": attempt.percent, "passed": attempt.passed})
        stands.touch(session, attempt.learner_id, attempt.slug)
        return True


def _rows(session: Session, attempt: Attempt) -> dict[int, AttemptAnswer]:
    wanted = select(AttemptAnswer).where(AttemptAnswer.attempt_id == attempt.id).execution_options(populate_existing=True)
    return {row.at: row for row in session.execute(wanted).scalars()}


def _mark(attempt: Attempt, rows: dict[int, AttemptAnswer]) -> Mark:
    each, modules = [], dict[str, tuple[Fraction, int]]()
    for at, (place, question) in enumerate(questions(attempt)):
        value = rows[at].value if at in rows else None
        points = grading.grade(question, answers.unshuffled(question, place, value)).points
        each.append((question.id, points))
        before, count = modules.get(place.module, (Fraction(0), 0))
        modules[place.module] = (before + points, count + 1)
    return Mark(each, modules)


def _keep(session: Session, attempt: Attempt, rows: dict[int, AttemptAnswer], mark: Mark) -> None:
    for at, (question_id, points) in enumerate(mark.each):
        if (row := rows.get(at)) is None:
            row = AttemptAnswer(attempt_id=attempt.id, at=at, question_id=question_id, value=None, seq=0,
                                received_at=attempt.ended_at)
            session.add(row)
        row.points = float(points)
    attempt.points, attempt.percent = float(mark.points), rules.percent(mark.points, attempt.out_of)
    attempt.passed = rules.passes(mark.points, attempt.out_of, attempt.pass_mark)
    attempt.modules = {name: [float(points), count] for name, (points, count) in mark.modules.items()}


def _trail(session: Session, attempt: Attempt, action: str, details: dict[str, Any]) -> None:
    audit.append(session, audit.Actor(None, f"learner {attempt.learner_id}"), action, f"exam:{attempt.id}",
                 {"course": attempt.slug, **details})
