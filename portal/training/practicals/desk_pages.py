"""The desk's pages of practical sessions: what is planned, one session with who comes, publishing, changing, calling off."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity import listing
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, TRAINER, VIEWER, has_role, regions_for
from portal.regions import codes, lookup
from portal.regions.snapshot import Node
from portal.training import courses_store
from portal.training.content.values import Course
from portal.training.practical_models import CANCELLED, PracticalSession
from portal.training.practicals import form, messages, sessions, store, words
from portal.training.practicals.form import Typed

#: What other rooms do at a session, where they are there.
ELSEWHERE = ("training_attendance.show", "training_assessing.show")


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_sessions", __name__, url_prefix="/desk/training/sessions", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule, reader, trainer = blueprint.add_url_rule, signed_in(TRAINER, ADMINISTRATOR, VIEWER), signed_in(TRAINER)
    rule("/", "index", reader(index))
    rule("/new", "new", trainer(new), methods=["GET", "POST"])
    rule("/<uuid:session_id>/", "show", reader(show))
    rule("/<uuid:session_id>/edit", "edit", trainer(edit), methods=["GET", "POST"])
    rule("/<uuid:session_id>/cancel", "cancel", trainer(cancel), methods=["GET", "POST"])
    blueprint.context_processor(lambda: {"span": words.span, "span_parts": words.parts, "moment": utcnow()})
    return blueprint


# -- looking -------------------------------------------------------------------------------------------------
def index() -> str:
    now, args = utcnow(), request.args
    streets, courses = lookup.children(current_settings().district), _courses()
    chosen = {"when": "past" if args.get("when") == "past" else "coming", "region": args.get("region", ""),
              "course": args.get("course", "")}
    if chosen["region"] not in {street.code for street in streets}:
        chosen["region"] = ""
    if chosen["course"] not in {course.id for course in courses}:
        chosen["course"] = ""
    page = store.listing(now, past=chosen["when"] == "past", region_code=chosen["region"], slug=chosen["course"],
                         after=args.get("after", ""))
    return render_template("practicals/sessions.html", page=page, chosen=chosen, streets=streets, courses=courses,
                           counts=store.counts(row.id for row in page.rows), first="after" not in args,
                           may_publish=has_role(_here(), TRAINER), **_words(page.rows))


def show(session_id: uuid.UUID) -> str:
    row = _found(session_id)
    account = _here()
    mine = store.may_hold(account, row)
    return render_template("practicals/session.html", row=row, counts=store.counts([row.id])[row.id], mine=mine,
                           people=store.people(row.id) if mine else [], over=row.ends_at <= utcnow(),
                           elsewhere=dict(_elsewhere(row)) if mine else {}, skills=_skills(row), **_words([row]))


def _elsewhere(row: PracticalSession) -> list[tuple[str, str]]:
    """Pages of other rooms about this session, as far as the portal has them."""
    found = []
    for endpoint in ELSEWHERE:
        for one in current_app.url_map.iter_rules(endpoint) if endpoint in current_app.view_functions else ():
            if "GET" in (one.methods or ()) and len(one.arguments) == 1:
                found.append((endpoint, current_app.url_for(endpoint, **_named(one.arguments, row))))
                break
    return found


def _named(arguments: set[str], row: PracticalSession) -> dict[str, Any]:
    return dict.fromkeys(arguments, row.id)


def _words(rows: Any) -> dict[str, Any]:
    """What the templates need to say sessions."""
    rows, language = list(rows), select_language()
    return {"trainers": listing.display_names(row.trainer_id for row in rows),
            "titles": {row.slug: messages.title(row.slug, language) for row in rows},
            "regions": lookup.names(row.region_code for row in rows)}


def _skills(row: PracticalSession) -> list[str]:
    """Names of what is assessed; the id of what the course no longer has."""
    loaded, language = courses_store.current(row.slug), select_language()
    names = {one.id: one.title[language] for one in loaded[1].checklists} if loaded else {}
    return [names.get(one, one) for one in row.skills]


def _courses() -> list[Course]:
    """Courses with a practical part."""
    return [course for _version_id, course in courses_store.currents() if course.checklists]


def _here() -> Account:
    return current_account() or abort(401)


def _found(session_id: uuid.UUID) -> PracticalSession:
    return store.get(session_id) or abort(404)


# -- writing -------------------------------------------------------------------------------------------------
def new() -> Any:
    courses = _courses()
    slug = request.values.get("slug", courses[0].id if len(courses) == 1 else "")
    course = next((one for one in courses if one.id == slug), None)
    if course is None:
        return render_template("practicals/choose_course.html", courses=courses)
    if request.method == "POST":
        return _sent(course, None)
    account = _here()
    return _form(Typed(slug=course.id, skills=[one.id for one in course.checklists], trainer_id=str(account.id),
                       region_code=_only(account)), course, None)


def _only(account: Account) -> str:
    """The community, where the duty has but one."""
    own = lookup.communities_under(regions_for(account, TRAINER))
    return own[0] if len(own) == 1 else ""


def edit(session_id: uuid.UUID) -> Any:
    row = _changeable(session_id)
    if isinstance(row, PracticalSession):
        loaded = courses_store.current(row.slug)
        course = loaded[1] if loaded else None
        return _sent(course, row) if request.method == "POST" else _form(
            form.from_row(row, current_settings().timezone), course, row)
    return row


def _changeable(session_id: uuid.UUID) -> Any:
    """The session, or the answer that it cannot be changed."""
    row = _found(session_id)
    if not store.may_hold(_here(), row):
        raise Forbidden(_("Your duty does not cover the community of this session."))
    if row.state == CANCELLED or row.ends_at <= utcnow():
        flash(_("This session is over or was called off; it can only be read."))
        return redirect(url_for("training_sessions.show", session_id=row.id))
    return row


def _sent(course: Course | None, row: PracticalSession | None) -> Any:
    """Save it; with what is wrong, the form comes back as it was typed."""
    account, typed = _here(), form.from_request(request.form)
    if row is not None:
        typed.slug = row.slug
    version = request.form.get("version", 0, type=int) or 0
    try:
        plan = form.plan(typed, current_settings().timezone, [one.id for one in course.checklists] if course else [])
        saved = sessions.edit(account, row.id, version, plan) if row else sessions.publish(account, plan)
    except Invalid as error:
        return _form(typed, course, row, version=version, problems=error.problems, status=422)
    except Forbidden as error:
        return _form(typed, course, row, version=version, problems=[Problem("region_code", error.message)], status=403)
    except Conflict as error:
        return _form(typed, course, row, version=version, problems=[Problem("", error.message)], status=409)
    flash(_("Saved.") if row else _("The session is published: whoever passed the theory can book now."))
    return redirect(url_for("training_sessions.show", session_id=saved.id))


def _form(typed: Typed, course: Course | None, row: PracticalSession | None, *, version: int = 0, problems: Any = (),
          status: int = 200) -> Any:
    own = regions_for(_here(), TRAINER)
    return render_template(
        "practicals/session_form.html", typed=typed, course=course, row=row, version=version or (row.version if row else 0),
        problems=list(problems), streets=_streets(own), trainers=_trainers(own, typed), zone=current_settings().timezone,
        most=sessions.MOST_SEATS, counts=store.counts([row.id])[row.id] if row else store.Counts()), status


def _streets(own: list[str]) -> list[tuple[Node, list[Node]]]:
    """Streets with those of their communities that the duty covers."""
    found = []
    for street in lookup.children(current_settings().district):
        inside = [one for one in lookup.children(street.code) if any(codes.contains(region, one.code) for region in own)]
        if inside:
            found.append((street, inside))
    return found


def _trainers(own: list[str], typed: Typed) -> list[Account]:
    """Who may hold a session somewhere in these regions."""
    def meets(account: Account) -> bool:
        theirs = regions_for(account, TRAINER)
        return any(codes.contains(one, other) or codes.contains(other, one) for one in theirs for other in own)
    return [one for one in listing.with_role(TRAINER) if meets(one) or str(one.id) == typed.trainer_id]


def cancel(session_id: uuid.UUID) -> Any:
    row = _changeable(session_id)
    if not isinstance(row, PracticalSession):
        return row
    problems: list[Problem] = []
    if request.method == "POST":
        try:
            told = sessions.cancel(_here(), row.id, request.form.get("version", 0, type=int) or 0, request.form.get("reason", ""))
        except Invalid as error:
            problems = error.problems
        except Conflict as error:
            problems = [Problem("", error.message)]
        else:
            flash(ngettext("Called off. %(num)s person is told by SMS.", "Called off. %(num)s people are told by SMS.", told))
            return redirect(url_for("training_sessions.show", session_id=row.id))
    return render_template("practicals/cancel.html", row=row, counts=store.counts([row.id])[row.id], problems=problems,
                           reason=request.form.get("reason", ""), most=sessions.LONGEST_REASON,
                           version=row.version, **_words([row])), 422 if problems else 200
