"""The gradebook: how the members of a cohort, or all who take a course in a region, stand. One statement a page, along an index.

What is shown was counted before, by :mod:`portal.training.standing`; a page reads as many rows as it shows, wherever it begins.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, case, func, null, select, tuple_

from portal.core.db import db
from portal.regions import codes
from portal.training.assessing import rules
from portal.training.content.values import Course
from portal.training.group_models import CohortMember
from portal.training.learners import own
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import Assessment

PAGE = 50
#: Rows of one statement of an export.
_AT_ONCE = 500
#: What somebody may lack, to be looked for.
LESSONS, THEORY, PRACTICAL, CERTIFICATE, ENDED = "lessons", "theory", "practical", "certificate", "ended"
LACKS = {LESSONS: _l("Lessons not done"), THEORY: _l("Theory not passed"), PRACTICAL: _l("Theory passed, practical not"),
         CERTIFICATE: _l("All passed, no certificate"), ENDED: _l("Certificate ended")}
#: Stands for the region of those whose community is not known.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class View:
    """Whom to show: the members of `cohort_id`, else who takes the course in `region_code` (with what lies in it, or
    :data:`UNKNOWN`); and of them only who `lacks` one of :data:`LACKS`."""

    course: Course
    cohort_id: uuid.UUID | None = None
    region_code: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """How one person stands. `skills` by id, in the course's order. `enrolled`: whether he has begun the course at all.
    `stands_in`: the community by which the course's list is ordered."""

    learner_id: int
    number: str
    name: str | None
    tail: str
    region_code: str | None
    stands_in: str | None
    enrolled: bool
    lessons_done: int
    attempts: int
    best_percent: int | None
    theory_at: datetime | None
    practical_at: datetime | None
    certified_until: datetime | None
    skills: dict[str, rules.SkillState]

    def __repr__(self) -> str:
        return f"Line({self.learner_id})"  # never a name into a log


@dataclass(frozen=True, slots=True)
class Page:
    """Lines; `after`: what the next page is asked for by, empty on the last."""

    lines: list[Line]
    after: str


def page(view: View, now: datetime, *, after: str = "", limit: int = PAGE) -> Page:
    """Some lines in the gradebook's order: of a cohort as its members were made, of a region by community."""
    names, people = [one.id for one in view.course.checklists], dict[int, tuple[Any, dict[str, list[rules.Say]]]]()
    for row in db.session.execute(statement(view, now, after=after, limit=limit + 1)):
        says = people.setdefault(row.learner_id, (row, {}))[1]
        if row.skill is not None:
            says.setdefault(row.skill, []).append(
                rules.Say(row.say_id, row.session_id, row.assessor_id, row.passed, row.settles, row.seen_at))
    lines = [_line(row, {name: rules.state(says.get(name, ())) for name in names}) for row, says in people.values()]
    return Page(lines[:limit], _mark(lines[limit - 1]) if len(lines) > limit else "")


def everybody(view: View, now: datetime) -> Iterator[Line]:
    """All lines, some hundreds at a time, none held for longer than it takes to hand it on."""
    after = ""
    while True:
        found = page(view, now, after=after, limit=_AT_ONCE)
        db.session.rollback()  # a slow reader keeps no transaction open
        yield from found.lines
        if not (after := found.after):
            return


def statement(view: View, now: datetime, *, after: str = "", limit: int = PAGE) -> Any:
    """The one statement of a page. The people of the page are found first, from a narrow index; what is joined to them is read of
    them alone: who they are, how they stand, what assessors said of them."""
    inner = (_of_cohort(view, now, after) if view.cohort_id else _of_region(view, now, after)).limit(limit).subquery("people")
    who = inner.c.learner_id
    joined = inner.join(Learner, Learner.id == who).outerjoin(
        Enrolment, and_(Enrolment.learner_id == who, Enrolment.slug == view.course.id)).outerjoin(
        Assessment, and_(Assessment.learner_id == who, Assessment.slug == view.course.id))
    return select(
        who, inner.c.number, inner.c.stands_in, Learner.name_sealed, Learner.tail, Learner.region_code, Enrolment.slug,
        func.coalesce(Enrolment.lessons_done, 0).label("lessons_done"), func.coalesce(Enrolment.attempts, 0).label("attempts"),
        Enrolment.best_percent, Enrolment.theory_at, Enrolment.practical_at, Enrolment.certified_until, Assessment.skill,
        Assessment.id.label("say_id"), Assessment.session_id, Assessment.assessor_id, Assessment.passed, Assessment.settles,
        Assessment.seen_at).select_from(joined).order_by(*([who] if view.cohort_id else [inner.c.stands_in, who]))


def _of_cohort(view: View, now: datetime, after: str) -> Any:
    query = select(CohortMember.learner_id, CohortMember.number, null().label("stands_in")).where(
        CohortMember.cohort_id == view.cohort_id)
    if lacking := _lacking(view, now):  # asked of each member by his key: no list of all people who lack it is gone through
        lacks = select(func.max(case((and_(*lacking), 1), else_=0))).where(
            Enrolment.learner_id == CohortMember.learner_id, Enrolment.slug == view.course.id).scalar_subquery()
        query = query.where(func.coalesce(lacks, 1 if view.lacks in (LESSONS, THEORY) else 0) == 1)
    if mark := _read_mark(after):
        query = query.where(CohortMember.learner_id > mark[1])
    return query.order_by(CohortMember.learner_id)


def _of_region(view: View, now: datetime, after: str) -> Any:
    region, mark = Enrolment.region_code, _read_mark(after)
    query = select(Enrolment.learner_id, null().label("number"), region.label("stands_in")).where(
        Enrolment.slug == view.course.id, *_lacking(view, now))
    if view.region_code == UNKNOWN:
        query = query.where(region.is_(None))  # in an order that PostgreSQL, too, sees in the index
        return (query.where(Enrolment.learner_id > mark[1]) if mark else query).order_by(region, Enrolment.learner_id)
    first, last = codes.code_range(view.region_code)
    if first == last or codes.level_of(view.region_code) == "community":
        query = query.where(region == view.region_code)
        return (query.where(Enrolment.learner_id > mark[1]) if mark else query).order_by(Enrolment.learner_id)
    query = query.where(region.between(first, last))
    return (query.where(tuple_(region, Enrolment.learner_id) > tuple_(*mark)) if mark else query).order_by(
        region, Enrolment.learner_id)


def _lacking(view: View, now: datetime) -> list[ColumnElement[bool]]:
    last_gate = Enrolment.practical_at if view.course.checklists else Enrolment.theory_at
    asked: dict[str, list[ColumnElement[bool]]] = {
        LESSONS: [Enrolment.lessons_done < sum(1 for _one in view.course.lessons)],
        THEORY: [Enrolment.theory_at.is_(None)],
        PRACTICAL: [Enrolment.theory_at.is_not(None), Enrolment.practical_at.is_(None)],
        CERTIFICATE: [Enrolment.theory_at.is_not(None), last_gate.is_not(None), Enrolment.certified_until.is_(None)],
        ENDED: [Enrolment.certified_until.is_not(None), Enrolment.certified_until <= now],
    }
    return asked.get(view.lacks, [])


def _line(row: Any, skills: dict[str, rules.SkillState]) -> Line:
    name = own.name(Learner(id=row.learner_id, name_sealed=row.name_sealed))
    return Line(row.learner_id, row.number or "", name, row.tail, row.region_code, row.stands_in,
                row.slug is not None, row.lessons_done,
                row.attempts, row.best_percent, row.theory_at, row.practical_at, row.certified_until, skills)


def _mark(line: Line) -> str:
    return f"{line.stands_in or ''}.{line.learner_id}"


def _read_mark(text: str) -> tuple[str, int] | None:
    region, _dot, learner_id = text.partition(".")
    if not learner_id.isascii() or not learner_id.isdigit() or len(learner_id) > 18 or (region and not codes.is_code(region)):
        return None
    return region, int(learner_id)
