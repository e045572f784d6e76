"""Taking a course: enrolling, opening lessons, marking them as done, and how far somebody is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.training import courses_store
from portal.training import standing as stands
from portal.training.content.values import Course, Lesson, Module
from portal.training.learners import practice
from portal.training.models import Enrolment, LessonProgress


@dataclass(frozen=True, slots=True)
class Part:
    """How far somebody is in one module: lessons done of lessons, questions answered (and right at last) of questions."""

    module: Module
    done: int
    lessons: int
    answered: int
    right: int
    questions: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody is in a course. `resume`: the lesson to go on with, None where the course has no lessons; `begun`:
    whether any was opened; `done_ids`: the lessons that are done."""

    learner_id: int
    course: Course
    enrolled: bool
    resume: Lesson | None
    begun: bool
    done_ids: frozenset[str]

    @property
    def done(self) -> int:
        return sum(lesson.id in self.done_ids for lesson in self.course.lessons)

    @property
    def lessons(self) -> int:
        return sum(1 for _lesson in self.course.lessons)

    @property
    def finished(self) -> bool:
        return self.lessons > 0 and self.done == self.lessons

    def parts(self) -> list[Part]:
        """Module by module. Asks for what was answered in practice, which grows as one practises: only the page that shows it
        needs it."""
        latest = practice.latest(self.learner_id, self.course.id) if self.enrolled else {}
        return [_part(module, self.done_ids, latest) for module in self.course.modules]


def enrol(learner_id: int, slug: str, version_id: int) -> None:
    """Begin a course; beginning twice changes nothing, and costs a look."""
    if is_enrolled(learner_id, slug):
        return
    now = utcnow()
    with transaction() as session:
        _once(session, Enrolment, learner_id=learner_id, slug=slug, version_id=version_id, started_at=now, at=now)
        stands.touch(session, learner_id, slug)


def is_enrolled(learner_id: int, slug: str) -> bool:
    return db.session.get(Enrolment, (learner_id, slug)) is not None


def opened(learner_id: int, slug: str, lesson_id: str) -> None:
    """Somebody looks at a lesson: it is the one to resume at. Looking again at the same one writes nothing."""
    enrolment = db.session.get(Enrolment, (learner_id, slug))
    if enrolment is None or enrolment.at_lesson == lesson_id:
        return
    now = utcnow()
    with transaction() as session:
        _once(session, LessonProgress, learner_id=learner_id, slug=slug, lesson_id=lesson_id, opened_at=now)
        if (enrolment := session.get(Enrolment, (learner_id, slug))) is not None:
            enrolment.at_lesson, enrolment.at = lesson_id, now


def mark(learner_id: int, slug: str, lesson_id: str, *, done: bool) -> None:
    """Mark a lesson as done, or take that back. What was done stays done at its first time."""
    now = utcnow()
    with transaction() as session:
        _once(session, LessonProgress, learner_id=learner_id, slug=slug, lesson_id=lesson_id, opened_at=now)
        row = session.get(LessonProgress, (learner_id, slug, lesson_id), populate_existing=True)
        if row is not None:
            row.done_at = (row.done_at or now) if done else None
        stands.touch(session, learner_id, slug)


def standings(learner_id: int) -> list[Standing]:
    """Every course that is loaded, those that the learner takes first."""
    enrolments = {one.slug: one for one in db.session.execute(
        select(Enrolment).where(Enrolment.learner_id == learner_id)).scalars()}
    done: dict[str, set[str]] = {}
    for slug, lesson_id in db.session.execute(_done(learner_id)):
        done.setdefault(slug, set()).add(lesson_id)
    found = [_standing(learner_id, course, enrolments.get(course.id), done.get(course.id, ()))
             for _version_id, course in courses_store.currents()]
    return sorted(found, key=lambda one: not one.enrolled)


def standing(learner_id: int, course: Course) -> Standing:
    enrolment = db.session.get(Enrolment, (learner_id, course.id))
    done = db.session.execute(_done(learner_id).where(LessonProgress.slug == course.id)).all() if enrolment else ()
    return _standing(learner_id, course, enrolment, [row.lesson_id for row in done])


def _done(learner_id: int) -> Select[str, str]:
    return select(LessonProgress.slug, LessonProgress.lesson_id).where(
        LessonProgress.learner_id == learner_id, LessonProgress.done_at.is_not(None))


def _standing(learner_id: int, course: Course, enrolment: Enrolment | None, done: Iterable[str]) -> Standing:
    ids, at = frozenset(done) if enrolment else frozenset(), enrolment.at_lesson if enrolment else None
    return Standing(learner_id, course, enrolment is not None, _resume(course.lessons, ids, at), at is not None, ids)


def _part(module: Module, done: Collection[str], latest: dict[str, bool]) -> Part:
    answered = [latest[question.id] for question in module.questions if question.id in latest]
    return Part(module, sum(lesson.id in done for lesson in module.lessons), len(module.lessons), len(answered), sum(answered),
                len(module.questions))


def _resume(lessons: Iterable[Lesson], done: frozenset[str], at: str | None) -> Lesson | None:
    """The lesson where one left if it is not done, else the next one that is not, else the first that is not."""
    order = list(lessons)
    begin = next((n for n, lesson in enumerate(order) if lesson.id == at), 0)
    return next((lesson for lesson in order[begin:] + order[:begin] if lesson.id not in done), order[0] if order else None)


def _once(session: Session, table: Any, **values: Any) -> None:
    """Insert a row unless there is one with its key."""
    session.execute(insert_into(session, table).values(**values).on_conflict_do_nothing())
