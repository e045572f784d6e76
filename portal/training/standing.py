"""How somebody stands in a course: one row of :class:`Enrolment`, worked out anew from what happened whenever something happens.

The row is never counted on, only recounted, so that it is right whatever the order in which things reach us, and however often.
Pages that show thousands read the row.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into
from portal.training import courses_store
from portal.training.assessing import results
from portal.training.certificate_models import Certificate
from portal.training.content.values import Course
from portal.training.exam_models import Attempt
from portal.training.models import Enrolment, Learner, LessonProgress

log = logging.getLogger(__name__)

#: `certified_until` of a certificate without end: the last year, but not its last day, which other zones would not survive.
WITHOUT_END = datetime(9999, 1, 1, tzinfo=UTC)

#: What happens after each :func:`touch`, in the same transaction, each called with (session, learner id, slug): a certificate
#: that is due is granted there. Whoever adds one makes it idempotent. What one of them raises is logged, and undoes only itself.
AFTER_TOUCH: list[Callable[[Session, int, str], None]] = []
_WITHIN = "standing hooks"
#: Learners of one query.
_AT_ONCE = 500


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
    for one in recount(session, [learner_id], slug):
        tell(session, one, slug)


def recount(session: Session, learner_ids: Iterable[int], slug: str) -> list[int]:
    """As :func:`touch`, of many learners with a few queries for each 500, but without what follows from it; whose rows are
    there now. The trail waits until the transaction ends: few thousand at once, and late in it."""
    with session.no_autoflush:  # what the caller changed is written, and locked, behind the trail
        audit.serialise(session)
    session.flush()
    ids, done, loaded = sorted(set(learner_ids)), list[int](), courses_store.current(slug)
    if loaded is None:
        return done
    for start in range(0, len(ids), _AT_ONCE):
        rows = _locked(session, ids[start:start + _AT_ONCE], *loaded)
        found = facts_of([row.learner_id for row in rows], loaded[1]) if rows else {}
        for row in rows:
            for name in Facts.__slots__:
                if getattr(row, name) != (value := getattr(found[row.learner_id], name)):
                    setattr(row, name, value)
        session.flush()
        done += [row.learner_id for row in rows]
    return done


def touch_all(session: Session, learner_id: int) -> None:
    """:func:`touch` every course that a learner takes: for one who moved."""
    slugs = select(Enrolment.slug).where(Enrolment.learner_id == learner_id).order_by(Enrolment.slug)
    for slug in session.execute(slugs).scalars().all():
        touch(session, learner_id, slug)


def everybody() -> Iterator[tuple[str, list[int]]]:
    """Course → learners with a row in it, some hundreds at a time: for a recount of all."""
    at: tuple[str, int] = ("", 0)
    while True:
        rows = db.session.execute(select(Enrolment.slug, Enrolment.learner_id).where(
            tuple_(Enrolment.slug, Enrolment.learner_id) > tuple_(*at)).order_by(Enrolment.slug, Enrolment.learner_id).limit(
            _AT_ONCE)).all()
        for slug in sorted({row.slug for row in rows}):
            yield slug, [row.learner_id for row in rows if row.slug == slug]
        if len(rows) < _AT_ONCE:
            return
        at = (rows[-1].slug, rows[-1].learner_id)


def tell(session: Session, learner_id: int, slug: str) -> None:
    """Do what follows from how somebody stands: see :data:`AFTER_TOUCH`."""
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


def gates(learner_id: int, slug: str) -> Gates:
    """How the gates stand now, from what happened and not from the row. For a course that was never loaded all are closed."""
    if (loaded := courses_store.current(slug)) is None:
        return Gates(theory=False, practical=False, skills_open=())
    skills = next(results.states_in(loaded[1], [learner_id]))[1]
    left = tuple(name for name, state in skills.items() if not state.passed)
    return Gates(facts_of([learner_id], loaded[1])[learner_id].theory_at is not None, not left, left)


def facts_of(learner_ids: Sequence[int], course: Course) -> dict[int, Facts]:
    """The recount of each learner, from the lessons, attempts, assessments and certificates themselves."""
    living = select(Learner.id, Learner.region_code).where(Learner.id.in_(learner_ids))
    regions = {row.id: row.region_code for row in db.session.execute(living)}
    lessons, exams = _lessons(learner_ids, course), _exams(learner_ids, course.id)
    practical, until = results.passed_at_of(course, learner_ids), _certified_until(learner_ids, course.id)
    none, never = dict[str, datetime](), _Exams(0, None, None)
    return {one: Facts(regions.get(one), len(lessons.get(one, none)), (sat := exams.get(one, never)).count, sat.best,
                       _theory_at(course, lessons.get(one, none), sat), practical.get(one), until.get(one))
            for one in learner_ids}


def _locked(session: Session, learner_ids: Sequence[int], version_id: int, course: Course) -> list[Enrolment]:
    """The rows, locked: what is read after this is not older than what others wrote who held the locks before."""
    rows = _find(session, learner_ids, course.id)
    missing = set(learner_ids) - {row.learner_id for row in rows}
    if not missing:
        return rows
    there = session.execute(select(Learner.id).where(Learner.id.in_(missing)).order_by(Learner.id)).scalars().all()
    if not there:
        return rows
    now = utcnow()
    session.execute(insert_into(session, Enrolment).values([
        {"learner_id": one, "slug": course.id, "version_id": version_id, "started_at": now, "at": now, "lessons_done": 0,
         "attempts": 0} for one in there]).on_conflict_do_nothing())
    return _find(session, learner_ids, course.id)


def _find(session: Session, learner_ids: Sequence[int], slug: str) -> list[Enrolment]:
    wanted = select(Enrolment).where(Enrolment.learner_id.in_(learner_ids), Enrolment.slug == slug).order_by(
        Enrolment.learner_id)
    return list(session.execute(wanted.with_for_update().execution_options(populate_existing=True)).scalars())


# -- what happened ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Exams:
    count: int
    best: int | None
    passed_at: datetime | None


def _lessons(learner_ids: Sequence[int], course: Course) -> dict[int, dict[str, datetime]]:
    """Learner → lesson of the course as it is now → since when it is done."""
    done = select(LessonProgress.learner_id, LessonProgress.lesson_id, LessonProgress.done_at).where(
        LessonProgress.learner_id.in_(learner_ids), LessonProgress.slug == course.id, LessonProgress.done_at.is_not(None))
    there, found = {lesson.id for lesson in course.lessons}, dict[int, dict[str, datetime]]()
    for learner_id, lesson, at in db.session.execute(done):
        if lesson in there and at is not None:
            found.setdefault(learner_id, {})[lesson] = at
    return found


def _exams(learner_ids: Sequence[int], slug: str) -> dict[int, _Exams]:
    first = func.min(Attempt.ended_at).filter(Attempt.passed)
    ended = select(Attempt.learner_id, func.count(), func.max(Attempt.percent), first).where(
        Attempt.slug == slug, Attempt.learner_id.in_(learner_ids), Attempt.ended_at.is_not(None)).group_by(Attempt.learner_id)
    return {learner_id: _Exams(count, best, at) for learner_id, count, best, at in db.session.execute(ended)}


def _theory_at(course: Course, lessons: dict[str, datetime], exams: _Exams) -> datetime | None:
    """The first pass, by the mark of its day; where the course has no exam, all lessons done will do."""
    if exams.passed_at is not None or course.exam is not None:
        return exams.passed_at
    return max(lessons.values()) if lessons and len(lessons) == sum(1 for _one in course.lessons) else None


def _certified_until(learner_ids: Sequence[int], slug: str) -> dict[int, datetime]:
    """The latest end among what was granted and not taken back, also when it is past: whoever shows it compares with the clock,
    so that nothing has to happen when it ends."""
    ends = select(Certificate.learner_id, Certificate.valid_until).where(
        Certificate.learner_id.in_(learner_ids), Certificate.slug == slug, Certificate.revoked_at.is_(None))
    found = dict[int, datetime]()
    for learner_id, end in db.session.execute(ends):
        if learner_id is not None:
            found[learner_id] = max(end or WITHOUT_END, found.get(learner_id, end or WITHOUT_END))
    return found
