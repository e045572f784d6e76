"""The learners' side: checking in at a session, and how the practical skills of a course stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for
from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Invalid, Problem
from portal.identity.limits import address, limiter
from portal.training import courses_store
from portal.training.assessing import attendance, results, rules, words
from portal.training.assessing.rules import SkillState
from portal.training.content.values import Checklist, Course, Step
from portal.training.learners import door
from portal.training.learners.pages import header
from portal.training.models import Learner
from portal.training.practical_models import Assessment, Booking, PracticalSession

#: Codes that one learner may try: far fewer than there are, and more than fingers need.
GUESSES = "12 per 10 minutes"
_SHOWN, _LONGEST_CODE = "attendance", 40


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_here", __name__, url_prefix="/learn", template_folder="templates", static_folder="static",
                          static_url_path="/here/static")
    rule = blueprint.add_url_rule
    rule("/here/", "here", here)
    rule("/here/", "check_in", door.required(limiter.limit(GUESSES, key_func=_who)(check_in)), methods=["POST"])
    rule("/courses/<slug>/skills/", "skills", door.required(skills))
    blueprint.context_processor(header)
    blueprint.app_context_processor(lambda: {
        "is_checking_in": lambda held: attendance.is_open(held, utcnow()), "skills_of": rows_of,
        "skill_states": words.STATES, "skill_marks": words.MARKS})
    return blueprint


def _who() -> str:
    learner = door.here()
    return f"learner {learner.id}" if learner else address()


# -- checking in ---------------------------------------------------------------------------------------------
def here() -> Any:
    """Opened by the QR code on the trainer's screen, or by hand. Who has to sign in first keeps the code that was shown."""
    shown = request.args.get("c", "")[:_LONGEST_CODE].strip()
    learner = door.here()
    if shown:
        session[_SHOWN] = [shown, utcnow().timestamp()]
    if learner is None:
        return redirect(url_for("learners.sign_in", next=url_for(".here")))
    if not shown and _remembered():
        shown = session[_SHOWN][0]
    return _page(learner, shown)


def check_in(learner: Learner) -> Any:
    typed, kept = request.form.get("code", "")[:_LONGEST_CODE].strip(), _remembered()
    try:
        attendance.check_in(learner, typed, kept[1] if kept and kept[0] == typed else None)
    except Invalid as invalid:
        return _page(learner, "", invalid.problems, typed, 422)
    session.pop(_SHOWN, None)
    return redirect(url_for(".here"), 303)


def _remembered() -> tuple[str, datetime] | None:
    """The code that this browser opened last, and when: signing in, or a slow network, may take longer than it is valid."""
    kept = session.get(_SHOWN)
    if not isinstance(kept, list) or len(kept) != 2:
        return None
    return str(kept[0]), datetime.fromtimestamp(float(kept[1]), UTC)


def _page(learner: Learner, shown: str, problems: Sequence[Problem] = (), typed: str = "", status: int = 200) -> Any:
    now = utcnow()
    rows = db.session.execute(select(Booking, PracticalSession).join(
        PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.learner_id == learner.id, PracticalSession.ends_at >= now,
        PracticalSession.starts_at <= now + attendance.OPENS_BEFORE)).all()
    today = [(one, held, words.course_title(held.slug)) for one, held in rows if attendance.is_open(held, now)]
    return render_template("training_assessing/here.html", today=today, shown=shown, problems=problems, typed=typed,
                           bookings=words.BOOKINGS, booking_marks=words.BOOKING_MARKS), status


# -- skills --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Row:
    """A skill as a learner sees it. `missed`: what was not shown, of what is not passed."""

    checklist: Checklist
    state: SkillState
    missed: tuple[Step, ...]
    notes: tuple[str, ...]


def rows_of(learner: Learner, course: Course) -> list[Row]:
    """Each practical skill of a course; empty for a course without any."""
    if not course.checklists:
        return []
    states = results.skills(learner.id, course.id)
    ids = [say.id for one in states.values() if one.state == rules.NOT_YET for say in one.says]
    found = db.session.execute(select(Assessment).where(Assessment.id.in_(ids))).scalars().all() if ids else ()
    sheets = {one.id: one for one in found}
    return [_row(one, states.get(one.id, SkillState()), sheets) for one in course.checklists]


def _row(checklist: Checklist, state: SkillState, sheets: dict[int, Assessment]) -> Row:
    """What at least one of those who decided did not see; of a sheet of an older list what the list still has."""
    deciding = [say for say in state.says if say.settles] or list(state.says)
    marks = [sheets[say.id].steps for say in deciding if say.id in sheets]
    gone = {step for one in marks if one for step in rules.missed(checklist, one)}  # a result by list names no steps
    return Row(checklist, state, tuple(step for step in checklist.steps if step.id in gone),
               tuple(sheets[say.id].note for say in deciding if say.id in sheets and sheets[say.id].note and not say.settles))


def skills(learner: Learner, slug: str) -> Any:
    loaded = courses_store.current(slug)
    if loaded is None or not loaded[1].checklists:
        abort(404)
    return render_template("training_assessing/skills.html", course=loaded[1], rows=rows_of(learner, loaded[1]),
                           sessions_page=_sessions_page(slug))


def _sessions_page(slug: str) -> str:
    """Where sessions of the course are booked, if this portal has that."""
    page = "practicals.course"
    return url_for(page, slug=slug) if page in current_app.view_functions else ""


