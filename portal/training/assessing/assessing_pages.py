"""Assessing on a trainer's phone: forms that work as they are, and a page that works without a network."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import BadRequest

from portal.core.clock import utcnow
from portal.core.db import uuid7
from portal.core.errors import Problem
from portal.identity import sessions
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import TRAINER, has_role
from portal.training.assessing import dispute_pages, disputes, lists, people, recording, rules, words
from portal.training.assessing.attendance_pages import LEARNER, account_here, session_here
from portal.training.assessing.recording import REFUSED, Outcome, Seen
from portal.training.content.values import Checklist
from portal.training.practical_models import PracticalSession

#: A phone's clock may be wrong by hours: what counts is how long before sending it was seen.
_LONGEST_AGO = timedelta(days=7)
_BODY = 512 * 1024
_GREATEST = 2**63 - 1


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_assessing", __name__, url_prefix="/desk/training", template_folder="templates",
                          static_folder="static", static_url_path="/assessing/static")
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/sessions/<uuid:session_id>/assess/", "show", guard(show))
    rule("/sessions/<uuid:session_id>/assess/take", "take", guard(take), methods=["POST"])
    one = f"/sessions/<uuid:session_id>/assess/{LEARNER}/<skill>/"
    rule(one, "checklist", guard(checklist))
    rule(one, "save", guard(save), methods=["POST"])
    rule("/assessing/offline", "offline", guard(offline))
    rule("/assessing/sw.js", "worker", worker)
    rule("/assessing/session", "session", session)
    rule("/assessing/sync", "sync", sync, methods=["POST"])
    dispute_pages.add(blueprint)
    blueprint.app_context_processor(_everywhere)
    return blueprint


def _everywhere() -> dict[str, Any]:
    """For templates of the desk: how states are called, and what is disputed at a session."""
    page = "training_sessions.show"
    return {"skill_states": words.STATES, "skill_marks": words.MARKS, "bookings": words.BOOKINGS,
            "booking_marks": words.BOOKING_MARKS,
            "session_disputes": lambda session_id: disputes.of_session(account_here(), session_id),
            "page_of_session": lambda held: url_for(page, session_id=held.id) if page in current_app.view_functions else ""}


# -- pages ---------------------------------------------------------------------------------------------------
def show(session_id: uuid.UUID) -> str:
    held = session_here(session_id)
    return _page(held, lists.rows(account_here(), held), words.course_title(held.slug))


def offline() -> str:
    """The page that a phone keeps. Nothing in it tells who asked for it, or who is at a session."""
    return _page(None, [], "")


def _page(held: PracticalSession | None, rows: list[lists.Row], title: str) -> str:
    return render_template("training_assessing/assess.html", held=held, rows=rows, title=title, most=recording.MOST,
                           saw=words.SAW, spoken=lambda labels: {key: str(label) for key, label in labels.items()})


def checklist(session_id: uuid.UUID, learner_id: int, skill: str) -> Any:
    held = session_here(session_id)
    row = next((one for one in lists.rows(account_here(), held) if one.person.learner_id == learner_id), None)
    one = next((one for one in row.skills if one.checklist.id == skill), None) if row else None
    if row is None or one is None:
        abort(404)
    steps, note = (one.mine.steps, one.mine.note) if one.mine else ({}, "")
    return _form(held, learner_id, one.checklist, steps, note, lists.checklists(held)[0], str(uuid7()))


def save(session_id: uuid.UUID, learner_id: int, skill: str) -> Any:
    held, form = session_here(session_id), request.form
    steps = lists.steps_in(list(form.items()))
    try:
        ref, version_id = str(uuid.UUID(form.get("ref", ""))), _number(form.get("version", "")[:20])
    except ValueError:
        abort(400)
    note = form.get("note", "")
    (outcome,) = recording.record(account_here(), [Seen(ref, held.id, learner_id, skill, version_id, steps, note, utcnow())])
    if outcome.outcome == REFUSED:
        if people.at(held.id, learner_id) is None:  # erased meanwhile, or a stranger, whose name is not for this trainer
            flash(outcome.message)
            return redirect(url_for(".show", session_id=held.id), 303)
        found = recording.checklist_of(version_id, held.slug, skill) or abort(404)
        return _form(held, learner_id, found, steps, note, version_id, ref, [Problem("", outcome.message)], 422)
    flash(_told(outcome))
    return redirect(url_for(".show", session_id=held.id, _anchor=f"p-{learner_id}"), 303)


def _form(held: PracticalSession, learner_id: int, one: Checklist, steps: dict[str, Any], note: str, version_id: int, ref: str,
          problems: list[Problem] | None = None, status: int = 200) -> tuple[str, int]:
    who = people.at(held.id, learner_id) or abort(404)
    return render_template("training_assessing/checklist.html", held=held, title=words.course_title(held.slug), checklist=one,
                           steps=steps, note=note, version=version_id, ref=ref, name=who.name, tail=who.tail,
                           tally=rules.tally(one, steps), saw=words.SAW, problems=problems or []), status


def _told(outcome: Outcome) -> str:
    """What the assessor reads after it was taken in."""
    if outcome.state.state == rules.DISPUTED:
        return _("Saved. You and another assessor differ: it is listed under “Assessors differ” until it is settled.")
    if outcome.state.passed != outcome.passed:
        return _("Saved, but the dispute about this skill was settled already; that decision holds.")
    return _("Saved: passed.") if outcome.passed else _("Saved: not yet passed.")


# -- without a network ---------------------------------------------------------------------------------------
def take(session_id: uuid.UUID) -> Response:
    """The list with its names and checklists, for this phone."""
    return jsonify(lists.take(account_here(), session_here(session_id)))


def worker() -> Response:
    """The service worker. It serves the pages of assessing and their files, and nothing else."""
    answer = send_from_directory(f"{current_app.root_path}/training/assessing/static", "worker.js", mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["Service-Worker-Allowed"] = "/desk/training/sessions/"
    return answer


def session() -> tuple[Response, int]:
    """Who is signed in here, and a token for sending. 401 when nobody is who has the duty."""
    account = _trainer()
    return (jsonify({}), 401) if account is None else (jsonify({"account": str(account.id), "csrf": generate_csrf()}), 200)


def _trainer() -> Account | None:
    account = current_account()
    return account if account is not None and not account.must_change_password and has_role(account, TRAINER) else None


def sync() -> tuple[Response, int]:
    """Take assessments in and answer what became of each, and how everybody of the session stands now. JSON: ``{session, sent,
    seen: [{ref, session, learner, skill, version, steps, note, at}]}``, times in milliseconds by the phone's clock."""
    request.max_content_length = _BODY
    account = _trainer()
    if account is None:
        return jsonify({}), 401
    try:
        asked = request.get_json()
        session_id, sent = uuid.UUID(str(asked["session"])), float(asked["sent"])
        seen = [_seen(one, sent) for one in asked["seen"][:recording.MOST]]
    except (BadRequest, KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return jsonify({"message": _("The request could not be understood.")}), 400
    if seen:
        sessions.touch()
    outcomes = recording.record(account, seen)
    held = people.session_for(account, session_id)
    return jsonify({
        "results": [{"ref": one.ref, "outcome": one.outcome, "passed": one.passed, "state": one.state.state,
                     "message": one.message if one.outcome == REFUSED else _told(one)} for one in outcomes],
        "people": lists.brief(account, held) if held else None}), 200


def _seen(one: dict[str, Any], sent: float) -> Seen:
    ago = min(timedelta(milliseconds=max(0.0, sent - float(one["at"]))), _LONGEST_AGO)
    seen_at: datetime = utcnow() - ago
    steps = {str(step)[:64]: mark for step, mark in list(one["steps"].items())[:100]}
    return Seen(str(uuid.UUID(str(one["ref"]))), uuid.UUID(str(one["session"])), _number(one["learner"]), str(one["skill"])[:64],
                _number(one["version"]), steps, str(one.get("note", "")), seen_at)


def _number(value: Any) -> int:
    """A row's number, which a database can hold."""
    number = int(value)
    if not 0 < number <= _GREATEST:
        raise ValueError(value)
    return number
