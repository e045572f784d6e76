"""How somebody stands in a course: one row of :class:`Enrolment`, worked out anew from what happened whenever something happens.

The row is never counted on, only recounted, so that it is right whatever the order in which things reach us, and however often.
Pages that show thousands read the row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.content.values import Course
from portal.training.exam_models import Attempt
from portal.training.models import Enrolment, Learner, LessonProgress
from portal.training.practical_models import Assessment

log = logging.getLogger(__name__)

#: `certified_until` of a certificate without end: the last year, but not its last day, which other zones would not survive.
WITHOUT_END = datetime(9999, 1, 1, tzinfo=UTC)

#: What happens after each :func:`touch`, in the same transaction, each called with (session, learner id, slug): a certificate
#: that is due is granted there. Whoever adds one makes it idempotent. What one of them raises is logged, and undoes only itself.
AFTER_TOUCH: list[Callable[[Session, int, str], None]] = []
_WITHIN = "standing hooks"


@dataclass(frozen=True, slots=True)
class Gates:
    """Which gates to the certificate are open. `skills_open`: the practical skills that are still to be passed, in the course's
    order. A course without an exam opens the first gate by its lessons; one without checklists has the second always open."""

    theory: bool
    practical: bool
    skills_open: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """The recount: what the row of `Enrolment` holds, by the same names."""

    region_code: str | None
    lessons_done: int
    attempts: int
    best_percent: int | None
    theory_at: datetime | None
    practical_at: datetime | None
    certified_until: datetime | None


def touch(session: Session, learner_id: int, slug: str) -> None:
    """Recount the row of one learner in one course, and make it if it is missing; idempotent. Call it in the transaction of what
    happened, after that: of two at once the second one waits and then sees what the first one did. It takes the trail's place
    first, so that whoever writes into the trail before or after waits in the same order. Nothing happens for a course that was
    never loaded and for a learner who is gone."""
    audit.serialise(session)
    session.flush()
    row = _locked(session, learner_id, slug)
    if row is None:
        return
    found = facts(learner_id, slug)
    for name in Facts.__slots__:
        if getattr(row, name) != (value := getattr(found, name)):
            setattr(row, name, value)
    session.flush()
    _tell(session, learner_id, slug)


def touch_all(session: Session, learner_id: int) -> None:
    """:func:`touch` every course that a learner takes: for one who moved."""
    slugs = select(Enrolment.slug).where(Enrolment.learner_id == learner_id).order_by(Enrolment.slug)
    for slug in session.execute(slugs).scalars().all():
        touch(session, learner_id, slug)


def gates(learner_id: int, slug: str) -> Gates:
    """How the gates stand now, from what happened and not from the row. For a course that was never loaded all are closed."""
    loaded = courses_store.current(slug)
    if loaded is None:
        return Gates(theory=False, practical=False, skills_open=())
    course, passed = loaded[1], _skills(learner_id, slug)
    left = tuple(one.id for one in course.checklists if one.id not in passed)
    return Gates(_theory_at(course, _lessons(learner_id, course), _exams(learner_id, slug)) is not None, not left, left)


def facts(learner_id: int, slug: str) -> Facts:
    """The recount, from the lessons, attempts, assessments and certificates themselves. Raises LookupError for a course that
    was never loaded."""
    loaded = courses_store.current(slug)
    if loaded is None:
        raise LookupError(slug)
    course = loaded[1]
    lessons, exams = _lessons(learner_id, course), _exams(learner_id, slug)
    region = db.session.execute(select(Learner.region_code).where(Learner.id == learner_id)).scalar_one_or_none()
    return Facts(region, len(lessons), exams.count, exams.best, _theory_at(course, lessons, exams),
                 _practical_at(course, _skills(learner_id, slug)), _certified_until(learner_id, slug))


def _locked(session: Session, learner_id: int, slug: str) -> Enrolment | None:
    """The row, locked: what is read after this is not older than what others wrote who held the lock before."""
    row = _find(session, learner_id, slug)
    if row is None:
        loaded = courses_store.current(slug)
        if loaded is None or session.get(Learner, learner_id) is None:
            return None
        now, dialect = utcnow(), postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(dialect.insert(Enrolment).values(learner_id=learner_id, slug=slug, version_id=loaded[0], started_at=now,
                                                         at=now).on_conflict_do_nothing())
        row = _find(session, learner_id, slug)
    return row


def _find(session: Session, learner_id: int, slug: str) -> Enrolment | None:
    wanted = select(Enrolment).where(Enrolment.learner_id == learner_id, Enrolment.slug == slug)
    return session.execute(wanted.with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()


def _tell(session: Session, learner_id: int, slug: str) -> None:
    if session.info.get(_WITHIN):
        return  # one of them did something that touches: they have their turn already
    session.info[_WITHIN] = True
    try:
        for hook in tuple(AFTER_TOUCH):
            try:
                with session.begin_nested():
                    hook(session, learner_id, slug)
            except Exception:
                log.exception("what follows from how learner %s stands in %s was not done", learner_id, slug)
    finally:
        session.info.pop(_WITHIN, None)


# -- what happened ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Exams:
    count: int
    best: int | None
    passed_at: datetime | None


def _lessons(learner_id: int, course: Course) -> dict[str, datetime]:
    """Lesson of the course as it is now → since when it is done."""
    done = select(LessonProgress.lesson_id, LessonProgress.done_at).where(
        LessonProgress.learner_id == learner_id, LessonProgress.slug == course.id, LessonProgress.done_at.is_not(None))
    there = {lesson.id for lesson in course.lessons}
    return {lesson: at for lesson, at in db.session.execute(done).all() if lesson in there and at is not None}


def _exams(learner_id: int, slug: str) -> _Exams:
    first = func.min(Attempt.ended_at).filter(Attempt.passed)
    ended = select(func.count(), func.max(Attempt.percent), first).select_from(Attempt).where(
        Attempt.slug == slug, Attempt.learner_id == learner_id, Attempt.ended_at.is_not(None))
    count, best, passed_at = db.session.execute(ended).one()
    return _Exams(count, best, passed_at)


def _theory_at(course: Course, lessons: dict[str, datetime], exams: _Exams) -> datetime | None:
    """The first pass, by the mark of its day; where the course has no exam, all lessons done will do."""
    if exams.passed_at is not None or course.exam is not None:
        return exams.passed_at
    return max(lessons.values()) if lessons and len(lessons) == sum(1 for _one in course.lessons) else None


def _practical_at(course: Course, passed: dict[str, datetime]) -> datetime | None:
    """When the last of the course's skills was passed; None also for a course without any."""
    ids = [one.id for one in course.checklists]
    return max(passed[one] for one in ids) if ids and all(one in passed for one in ids) else None


def _skills(learner_id: int, slug: str) -> dict[str, datetime]:
    """Skill → when it was first passed: at a session whose assessors agree, each by what he saw last, or where it was settled."""
    seen = select(Assessment).where(Assessment.learner_id == learner_id, Assessment.slug == slug).order_by(
        Assessment.seen_at, Assessment.id)
    said: dict[tuple[str, Any], dict[Any, Assessment]] = {}
    for one in db.session.execute(seen).scalars():
        said.setdefault((one.skill, one.session_id), {})[one.assessor_id] = one
    passed: dict[str, datetime] = {}
    for (skill, _session), last in said.items():
        if (at := _agreed(last.values())) is not None:
            passed[skill] = min(at, passed.get(skill, at))
    return passed


def _agreed(last: Iterable[Assessment]) -> datetime | None:
    """When a skill was passed at a session by what each assessor saw last."""
    deciding = [one for one in last if one.settles][-1:] or list(last)
    return max(one.seen_at for one in deciding) if all(one.passed for one in deciding) else None


def _certified_until(learner_id: int, slug: str) -> datetime | None:
    """The latest end among what was granted and not taken back, also when it is past: whoever shows it compares with the clock,
    so that nothing has to happen when it ends."""
    ends = select(Certificate.valid_until).where(Certificate.learner_id == learner_id, Certificate.slug == slug,
                                                 Certificate.revoked_at.is_(None))
    found = db.session.execute(ends).scalars().all()
    return max(end or WITHOUT_END for end in found) if found else None
