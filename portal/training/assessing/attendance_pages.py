"""The screen that a trainer shows where people come in: the code that changes, and the list to mark by hand."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Sequence
from typing import Any

import segno
from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from markupsafe import Markup

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.phones import parse
from portal.identity import sessions
from portal.identity.guard import current_account, signed_in
from portal.identity.limits import limiter
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.training.assessing import attendance, people, rotating, words
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, LEFT, PLANNED, WAITING, PracticalSession

#: How often a trainer may try phones of people who came without a seat.
WALK_IN_LIMIT = "30 per 10 minutes; 200 per hour"
#: A number of a learner in an address: one that a database can hold.
LEARNER = "<int(max=9223372036854775807):learner_id>"
MARKS = {"present": ATTENDED, "absent": ABSENT, "undo": BOOKED}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_attendance", __name__, url_prefix="/desk/training/sessions", template_folder="templates")
    rule, guard, quiet = blueprint.add_url_rule, signed_in(TRAINER), signed_in(TRAINER, touch=False)
    rule("/<uuid:session_id>/attendance/", "show", guard(show))
    rule("/<uuid:session_id>/attendance/code", "code", quiet(code))
    rule("/<uuid:session_id>/attendance/list", "people", quiet(list_of_people))
    rule(f"/<uuid:session_id>/attendance/{LEARNER}", "mark", guard(mark), methods=["POST"])
    rule("/<uuid:session_id>/attendance/walk-in", "walk_in", limiter.limit(WALK_IN_LIMIT)(guard(walk_in)), methods=["POST"])
    return blueprint


def account_here() -> Account:
    """Who is signed in, behind the guard."""
    return current_account() or abort(401)


def session_here(session_id: uuid.UUID) -> PracticalSession:
    return people.session_for(account_here(), session_id) or abort(404)


def show(session_id: uuid.UUID, problems: Sequence[Problem] = (), phone: str = "", status: int = 200) -> Any:
    held = session_here(session_id)
    return render_template("training_assessing/attendance.html", **(_code(held) | _people(held)), problems=problems, phone=phone,
                           title=words.course_title(held.slug)), status


def code(session_id: uuid.UUID) -> Any:
    """The part of the page with the code, asked for every few seconds. While people come in it keeps the trainer signed in:
    nobody touches the screen that everybody looks at."""
    held = session_here(session_id)
    if attendance.is_open(held, utcnow()):
        sessions.touch()
    return render_template("training_assessing/_code.html", **_code(held))


def list_of_people(session_id: uuid.UUID) -> Any:
    """The list, where it is not the one that the page has already."""
    found = _people(session_here(session_id))
    return ("", 204) if request.args.get("have") == found["have"] else render_template("training_assessing/_people.html", **found)


def mark(session_id: uuid.UUID, learner_id: int) -> Any:
    session_here(session_id)
    wanted = MARKS.get(request.form.get("mark", "")) or abort(400)
    try:
        attendance.mark(account_here(), session_id, learner_id, wanted)
    except LookupError:
        abort(404)
    except Conflict as conflict:
        return show(session_id, [Problem("", conflict.message)], status=409)
    return redirect(url_for(".show", session_id=session_id, _anchor=f"p-{learner_id}"), 303)


def walk_in(session_id: uuid.UUID) -> Any:
    session_here(session_id)
    typed = request.form.get("phone", "")[:40].strip()
    try:
        learner_id = attendance.take_in(account_here(), session_id, parse(typed))
    except ValueError:
        problem = Problem("phone", _("This cannot be a phone number. Write it as 13800000000 or +8613800000000."))
        return show(session_id, [problem], typed, 422)
    except Invalid as invalid:
        return show(session_id, invalid.problems, typed, 422)
    except Conflict as conflict:
        return show(session_id, [Problem("phone", conflict.message)], typed, 409)
    flash(_("Taken in and marked as present."))
    return redirect(url_for(".show", session_id=session_id, _anchor=f"p-{learner_id}"), 303)


def _code(held: PracticalSession) -> dict[str, Any]:
    now = utcnow()
    if not attendance.is_open(held, now):
        return {"held": held, "shown": "", "opens": held.starts_at - attendance.OPENS_BEFORE, "over": now > held.ends_at,
                "cancelled": held.state != PLANNED}
    shown = rotating.code(held, now)
    address = f"{current_settings().base_url}{url_for('training_here.here') if _has_site() else '/learn/here/'}"
    return {"held": held, "shown": shown, "address": address.split("://", 1)[-1], "seconds": rotating.seconds_left(now),
            "qr": _qr(f"{address}?c={shown}"), "is_there": len(people.present(held.id))}


def _has_site() -> bool:
    return "site" in current_settings().surfaces


def _qr(url: str) -> Markup:
    """A QR code as SVG without inline styles. It is for a camera: whoever cannot see it types the code beside it."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind="svg", border=4, xmldecl=False, svgns=True, nl=False, svgclass="qr",
                                                 lineclass=None, light="#fff", omitsize=True)
    return Markup(out.getvalue().decode())  # noqa: S704 - made here from an address


def _people(held: PracticalSession) -> dict[str, Any]:
    listed = people.listed(held.id, BOOKED, ATTENDED, ABSENT, WAITING)
    left = people.listed(held.id, LEFT) if attendance.is_open(held, utcnow()) else []
    correctable, begun = attendance.is_correctable(held, utcnow()), held.starts_at <= utcnow()
    facts = [(one.learner_id, one.state, one.name, one.attended_by) for one in [*listed, *left]]
    have = hashlib.sha256(repr((facts, correctable, begun)).encode()).hexdigest()[:16]
    return {"held": held, "listed": listed, "left": left, "have": have, "correctable": correctable, "begun": begun,
            "count": ngettext("%(num)s free seat", "%(num)s free seats", attendance.free_seats(held))}
