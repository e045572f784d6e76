"""The road from the first lesson to the certificate, as a course sets it, and how far somebody has come on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import select

from portal import current_settings
from portal.core.clock import local
from portal.core.db import db
from portal.training.content.values import Course
from portal.training.models import Enrolment

#: The parts of the road, in their order.
LESSONS, EXAM, PRACTICAL, CERTIFICATE = "lessons", "exam", "practical", "certificate"
#: How a part stands: behind one, the one to do now, not open yet.
DONE, NOW, AHEAD = "done", "now", "ahead"


#: Nobody counts the days to a year that stands for "without end".
_FAR = 9999


@dataclass(frozen=True, slots=True)
class Stretch:
    """One part of the road. `at`: since when it is behind one; of the certificate: until when it holds. `best`: per cent of the
    best exam so far, None before the first."""

    part: str
    state: str
    at: datetime | None = None
    best: int | None = None


def of(learner_id: int, course: Course, now: datetime) -> list[Stretch]:
    """The parts that the course has. Lessons are no gate: the exam is open from the start, the practical sessions when the
    theory is passed, the certificate when both are. Empty for a course without an exam, which ends with its last lesson."""
    return _stretches(db.session.get(Enrolment, (learner_id, course.id)), course, now)


def ahead(learner_id: int, courses: Iterable[Course], now: datetime) -> dict[str, Stretch]:
    """Course → the stretch to go now, of courses that the learner takes: what the exam opens goes before lessons that are left;
    the certificate where it holds. None where lessons are what there is to do."""
    rows = {row.slug: row for row in db.session.execute(select(Enrolment).where(Enrolment.learner_id == learner_id)).scalars()}
    found = {course.id: _ahead(_stretches(rows.get(course.id), course, now)) for course in courses}
    return {slug: one for slug, one in found.items() if one is not None}


def _ahead(stretches: list[Stretch]) -> Stretch | None:
    if not stretches:
        return None
    by_part = {one.part: one for one in stretches}
    if by_part[CERTIFICATE].state == DONE:
        return by_part[CERTIFICATE]
    if by_part[EXAM].state != DONE and by_part[LESSONS].state != DONE:
        return None
    return next(one for one in stretches if one.part != LESSONS and one.state == NOW)


def _stretches(row: Enrolment | None, course: Course, now: datetime) -> list[Stretch]:
    if row is None or course.exam is None:
        return []
    lessons = sum(1 for _lesson in course.lessons)
    until = row.certified_until if row.certified_until and row.certified_until > now else None
    passed = row.theory_at is not None and (row.practical_at is not None or not course.checklists)
    road = [Stretch(LESSONS, DONE if row.lessons_done >= lessons else NOW),
            Stretch(EXAM, DONE if row.theory_at else NOW, row.theory_at, row.best_percent)]
    if course.checklists:
        road.append(Stretch(PRACTICAL, DONE if row.practical_at else NOW if row.theory_at else AHEAD, row.practical_at))
    return [*road, Stretch(CERTIFICATE, DONE if until else NOW if passed else AHEAD, until)]


def signposts(road: list[Stretch], course: Course) -> list[dict[str, str]]:
    """The road in words for a page: of each part its state, label, what is to be said of it, and where it is gone on (empty for
    what is not open yet)."""
    where = {LESSONS: f"#m-{course.modules[0].id}" if course.modules else "", EXAM: url_for("exams.rules", slug=course.id),
             PRACTICAL: url_for("practicals.course", slug=course.id), CERTIFICATE: url_for("learner_certificates.index")}
    labels = {LESSONS: _("Lessons"), EXAM: _("Exam"), PRACTICAL: _("Practical sessions"), CERTIFICATE: _("Certificate")}
    return [{"part": one.part, "state": one.state, "label": labels[one.part], "words": _words(one),
             "href": "" if one.state == AHEAD else where[one.part]} for one in road]


def _words(one: Stretch) -> str:
    if one.part == CERTIFICATE:
        return {DONE: _("without end") if one.at and one.at.year == _FAR else _("valid until %(day)s", day=_day(one.at)),
                NOW: _("See what it still needs."), AHEAD: _("Granted when all before it is passed.")}[one.state]
    if one.part == LESSONS:
        return _("all done") if one.state == DONE else _("Read at your own pace; the exam does not wait for them.")
    if one.state == DONE:
        return _("passed on %(day)s", day=_day(one.at))
    if one.part == PRACTICAL:
        return _("Book a seat.") if one.state == NOW else _("Open to you when the exam is passed.")
    return _("best so far: %(n)s %%", n=one.best) if one.best is not None else _("Open to you whenever you are ready.")


def _day(moment: datetime | None) -> str:
    return f"{local(moment, current_settings().timezone):%Y-%m-%d}" if moment else ""
