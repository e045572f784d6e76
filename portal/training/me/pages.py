"""A learner's own page at /learn/me/: plain forms, each of which says what it is for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, session, stream_with_context, url_for
from flask_babel import gettext as _
from sqlalchemy import delete, func, select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.limits import limiter
from portal.subscribers import store as subscribers
from portal.training.certificate_models import Certificate
from portal.training.learners import door, exam_time, own
from portal.training.learners.pages import header
from portal.training.me import copy, places
from portal.training.models import Learner, LearnerSession
from portal.training.practical_models import BOOKED, WAITING, Booking, PracticalSession
from portal.web.asked import local_path

#: Copies of one address: each reads everything that somebody ever answered.
COPIES = "10 per hour"
#: What is typed before everything is deleted, in whichever language.
SURE = ("注销", "ERASE")


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("me", __name__, template_folder="templates", static_folder="static",
                          static_url_path="/learn/me-static")
    at, rule = "/learn/me", blueprint.add_url_rule
    rule(f"{at}/", "own", door.required(own_page))
    rule(f"{at}/name", "name", door.required(name), methods=["POST"])
    rule(f"{at}/community/", "places", door.required(places_page))
    rule(f"{at}/community/", "place", door.required(place), methods=["POST"])
    rule(f"{at}/language", "language", door.required(language), methods=["POST"])
    rule(f"{at}/on-call", "on_call", door.required(on_call), methods=["POST"])
    rule(f"{at}/sign-out", "sign_out", door.required(sign_out_everywhere), methods=["POST"])
    rule(f"{at}/copy", "copy", limiter.limit(COPIES)(door.required(copy_of_all)), methods=["POST"])
    rule(f"{at}/leave/", "leave", door.required(leave_page))
    rule(f"{at}/leave/sure/", "sure", door.required(sure_page))
    rule(f"{at}/leave/sure/", "erase", door.required(erase), methods=["POST"])
    rule(f"{at}/left/", "left", left)
    blueprint.context_processor(header)
    return blueprint


def _target() -> str:
    """Where somebody came from who was asked for something: a page of ours behind the door, or the own page."""
    target = local_path(request.values.get("next"), "")
    return target if target.startswith(door.PATH) else ""


def own_page(learner: Learner, problems: list[Problem] | None = None, typed: str | None = None, status: int = 200) -> Any:
    """`why` in the query: ``booking`` or ``certificate``, of a page that needs the name; `next`: back to it afterwards."""
    here = door.PASS.find()
    mine = select(LearnerSession).where(LearnerSession.learner_id == learner.id, LearnerSession.expires_at > utcnow())
    devices = db.session.execute(mine.order_by(LearnerSession.started_at.desc())).scalars().all()
    return render_template(
        "me/own.html", me=learner, name=own.name(learner) or "" if typed is None else typed, problems=problems or [],
        named=learner.name_sealed is not None, why=request.values.get("why", ""), target=_target(), longest=own.LONGEST,
        community=places.words(learner.region_code, select_language()), done=request.args.get("done", ""),
        stopped=bool(subscribers.stopped([learner.phone_index])),
        devices=[(one, here is not None and one.token_hash == here.token_hash) for one in devices]), status


def _back(done: str) -> Any:
    return redirect(_target() or url_for("me.own", done=done), 303)


# -- who, where, how -----------------------------------------------------------------------------------------
def name(learner: Learner) -> Any:
    typed = request.form.get("name", "")[:400]
    try:
        with transaction() as writing:
            own.set_name(writing, learner, typed)
    except Invalid as refusal:
        return own_page(learner, refusal.problems, typed, 422)
    return _back("name")


def places_page(learner: Learner, problems: list[Problem] | None = None, status: int = 200) -> Any:
    """Communities by `q`, a name, or within `in`, a region."""
    text, inside = request.args.get("q", "").strip()[:places.LONGEST], request.args.get("in", "")[:12]
    found = places.by_name(text, select_language()) if text else places.within(inside or None)
    return render_template("me/places.html", me=learner, found=found, text=text, inside=places.words(inside, select_language()),
                           target=_target(), problems=problems or [],
                           community=places.words(learner.region_code, select_language())), status


def place(learner: Learner) -> Any:
    code = request.form.get("code", "")
    if code and places.community(code) is None:
        return places_page(learner, [Problem("q", _("There is no such community here. Look for it by its name."))], 422)
    with transaction() as writing:
        own.move(writing, learner, code or None)
    return _back("community")


def language(learner: Learner) -> Any:
    """The language of texts to the phone, and of these pages from now on."""
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        abort(400)
    with transaction() as writing:
        row = writing.get(Learner, learner.id)
        if row is not None and row.language != chosen:
            audit.serialise(writing)
            row.language = chosen
            audit.append(writing, door.actor(row), "learner.language", f"learner:{row.id}", {"language": chosen})
    session["language"] = chosen
    return _back("language")


def on_call(learner: Learner) -> Any:
    agreed = request.form.get("agree") == "1"
    if not agreed and request.form.get("take_back") != "1":
        problem = Problem("agree", _("Tick that you agree, if you want to be called."))
        return own_page(learner, [problem], status=422)
    with transaction() as writing:
        own.agree(writing, learner, on_call=agreed)
    return _back("on_call" if agreed else "off_call")


# -- devices and data ----------------------------------------------------------------------------------------
def sign_out_everywhere(learner: Learner) -> Any:
    with transaction() as writing:
        audit.append(writing, door.actor(learner), "learner.sign_out_all", f"learner:{learner.id}")
        writing.execute(delete(LearnerSession).where(LearnerSession.learner_id == learner.id))
    return _without_cookie(redirect(url_for("learners.sign_in")))


def _without_cookie(answer: Any) -> Any:
    return door.PASS.hand_over(answer, "")


def copy_of_all(learner: Learner) -> Any:
    """Everything that is kept of the learner, streamed; while an exam is under way it waits, as practice does: the copy tells
    which answers of practice were right."""
    if exam_time.under_way(learner.id):
        problem = Problem("copy", _("You are sitting an exam. Your data can be downloaded once it is over."))
        return own_page(learner, [problem], status=409)
    with transaction() as writing:
        audit.append(writing, door.actor(learner), "learner.download", f"learner:{learner.id}")
    return Response(stream_with_context(copy.chunks(learner, select_language())), content_type="application/json; charset=utf-8",
                    headers={"Content-Disposition": 'attachment; filename="anlan-learner.json"', "Cache-Control": "no-store"})


# -- the way out ---------------------------------------------------------------------------------------------
def _left_behind(learner: Learner) -> dict[str, Any]:
    """What the pages of the way out say: certificates that stay, seats that are given back, an exam that has to end first."""
    certificates = select(func.count()).select_from(Certificate).where(Certificate.learner_id == learner.id)
    seats = select(func.count()).select_from(Booking).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.learner_id == learner.id, Booking.state.in_((BOOKED, WAITING)), PracticalSession.starts_at > utcnow())
    return {"certificates": db.session.execute(certificates).scalar_one(), "seats": db.session.execute(seats).scalar_one(),
            "exams": sorted(exam_time.under_way(learner.id)), "me": learner}


def leave_page(learner: Learner) -> Any:
    return render_template("me/leave.html", **_left_behind(learner))


def sure_page(learner: Learner, problems: list[Problem] | None = None, status: int = 200) -> Any:
    return render_template("me/sure.html", problems=problems or [], **_left_behind(learner)), status


def erase(learner: Learner) -> Any:
    typed = request.form.get("sure", "")[:20].strip().upper()
    if typed not in SURE:
        problem = Problem("sure", _("Type the word as it stands above, if you want to delete everything."))
        return sure_page(learner, [problem], 422)
    try:
        own.erase(learner)
    except Conflict as refusal:
        return sure_page(learner, [Problem("", refusal.message)], 409)
    return _without_cookie(redirect(url_for("me.left"), 303))


def left() -> Any:
    return render_template("me/left.html")
