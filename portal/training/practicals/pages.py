"""The learners' pages of practical sessions: which there are near one, one of them, booking it and giving it back."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity import listing
from portal.regions import lookup
from portal.training import courses_store, standing
from portal.training.certificates import renewal
from portal.training.content.values import Course
from portal.training.learners import door, learning, own
from portal.training.learners.pages import header
from portal.training.models import Learner
from portal.training.practical_models import WAITING, PracticalSession
from portal.training.practicals import booking, calendar, messages, store, words
from portal.training.practicals.booking import Hindrance
from portal.training.practicals.store import SEATED

#: Sessions of a course: on the page of all courses, and on its own.
FEW, MANY = 5, 60


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("practicals", __name__, url_prefix="/learn/sessions", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule = blueprint.add_url_rule
    rule("/", "index", door.required(index))
    rule("/of/<slug>/", "course", door.required(course_page))
    rule("/<uuid:session_id>/", "show", door.required(show))
    rule("/<uuid:session_id>/book", "book", door.required(book), methods=["POST"])
    rule("/<uuid:session_id>/leave", "leave", door.required(leave), methods=["POST"])
    rule("/<uuid:session_id>/calendar.ics", "calendar", door.required(calendar_file))
    blueprint.context_processor(header)
    blueprint.context_processor(lambda: {"span": words.span, "span_parts": words.parts, "moment": utcnow()})
    return blueprint


# -- looking -------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Offer:
    """What a course offers a learner: `rows` of its sessions that can be booked, `more` where there are others; `lessons` that
    are done, of how many, where these and no exam are the theory."""

    course: Course
    gates: standing.Gates
    rows: list[PracticalSession]
    more: bool
    lessons: tuple[int, int] | None


def _offer(learner: Learner, course: Course, now: datetime, most: int) -> Offer:
    gates = renewal.gates(learner.id, course.id)
    rows = [] if gates.practical else store.open_to(course.id, learner.region_code, now, most + 1)
    lessons = None
    if course.exam is None and not gates.theory:
        here = learning.standing(learner.id, course)
        lessons = (here.done, here.lessons)
    return Offer(course, gates, rows[:most], len(rows) > most, lessons)


def _lists(learner: Learner, courses: list[Course], most: int, template: str) -> str:
    now = utcnow()
    offers = [_offer(learner, course, now, most) for course in courses]
    mine = booking.mine(learner.id, now)
    rows = [row for offer in offers for row in offer.rows]
    places = {one.practical.id: booking.place(one.booking) for one in mine if one.booking.state == WAITING}
    return render_template(template, offers=offers, mine=mine, places=places, counts=store.counts(row.id for row in rows),
                           booked={one.practical.id: one.booking.state for one in mine},
                           **_words([*rows, *(one.practical for one in mine)]))


def index(learner: Learner) -> str:
    """What one has booked, and what the courses that one takes offer."""
    courses = [one.course for one in learning.standings(learner.id) if one.enrolled and one.course.checklists]
    return _lists(learner, courses, FEW, "practicals/mine.html")


def course_page(learner: Learner, slug: str) -> str:
    loaded = courses_store.current(slug)
    if loaded is None or not loaded[1].checklists:
        abort(404)
    return _lists(learner, [loaded[1]], MANY, "practicals/course.html")


def _words(rows: list[PracticalSession]) -> dict[str, Any]:
    language = select_language()
    return {"titles": {row.slug: messages.title(row.slug, language) for row in rows},
            "regions": lookup.names(row.region_code for row in rows)}


def _found(session_id: uuid.UUID) -> PracticalSession:
    return store.get(session_id) or abort(404)


def show(learner: Learner, session_id: uuid.UUID) -> Any:
    return _page(learner, _found(session_id))


def _page(learner: Learner, row: PracticalSession, problems: list[Problem] | None = None, status: int = 200) -> Any:
    now, loaded = utcnow(), courses_store.current(row.slug)
    gates, all_mine = renewal.gates(learner.id, row.slug), booking.mine(learner.id, now)
    mine = booking.of(learner.id, row.id)
    state = mine.state if mine is not None else ""
    blocked = None if state in (*SEATED, WAITING) else booking.hindrance(row, all_mine, gates, now)
    course = loaded[1] if loaded else None
    return render_template(
        "practicals/one.html", row=row, state=state, place=booking.place(mine) if mine and state == WAITING else 0,
        blocked=blocked, problems=problems or [], counts=store.counts([row.id])[row.id], course=course,
        skills=_skills(row, course, gates), needs_name=own.name(learner) is None, typed=request.form.get("name", ""),
        trainer=listing.display_names([row.trainer_id]).get(row.trainer_id, ""), missing=_missing(learner, course, blocked),
        can_leave=row.starts_at > now,
        reminded=bool(current_settings().practical_reminder_hours), **_words([row, *_other(blocked)])), status


def _other(blocked: Hindrance | None) -> list[PracticalSession]:
    return [blocked.other] if blocked and blocked.other else []


def _skills(row: PracticalSession, course: Course | None, gates: standing.Gates) -> list[tuple[str, bool]]:
    """Name of each skill that is assessed, and whether one has passed it."""
    names = {one.id: one.title[select_language()] for one in course.checklists} if course else {}
    return [(names.get(one, one), one in names and one not in gates.skills_open) for one in row.skills]


def _missing(learner: Learner, course: Course | None, blocked: Hindrance | None) -> tuple[str, str, str] | None:
    """What is missing of the theory, where it is done, and how the way there is called."""
    if course is None or blocked is None or blocked.why != booking.THEORY:
        return None
    if course.exam is not None:
        return (_("You have not passed the exam of this course yet."), url_for("exams.rules", slug=course.id),
                _("To the exam and its rules"))
    here = learning.standing(learner.id, course)
    return (_("%(done)s of %(all)s lessons are done; all of them are needed.", done=here.done, all=here.lessons),
            url_for("learners.course", slug=course.id), _("To the lessons"))


# -- writing -------------------------------------------------------------------------------------------------
def book(learner: Learner, session_id: uuid.UUID) -> Any:
    row = _found(session_id)
    try:
        booking.book(learner, row.id, name=request.form.get("name", "")[:200] if "name" in request.form else None)
    except Invalid as error:
        return _page(learner, row, error.problems, 422)
    except Conflict as error:
        return _page(learner, row, [Problem("", error.message)], 409)
    return redirect(url_for("practicals.show", session_id=row.id), 303)


def leave(learner: Learner, session_id: uuid.UUID) -> Any:
    row = _found(session_id)
    try:
        left = booking.leave(learner, row.id)
    except Conflict as error:
        return _page(learner, row, [Problem("", error.message)], 409)
    if left:
        flash(_("You have given it back. Whoever waits longest gets the seat."))
    return redirect(url_for("practicals.show", session_id=row.id), 303)


def calendar_file(learner: Learner, session_id: uuid.UUID) -> Response:
    """The session for one's own calendar; only for who has a seat."""
    row, mine = _found(session_id), booking.of(learner.id, session_id)
    if mine is None or mine.state not in SEATED:
        abort(404)
    url = current_settings().base_url + url_for("practicals.show", session_id=row.id)
    summary = _("Practical session: %(course)s", course=messages.title(row.slug, select_language()))
    body = calendar.text(row, summary=summary, description="\n".join(filter(None, (row.note, url))), url=url, now=utcnow())
    day = f"{local(row.starts_at, 'UTC'):%Y%m%d}"
    return Response(body, content_type="text/calendar; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="session-{day}.ics"', "Cache-Control": "private, no-store"})

