"""The desk's pages of cohorts: list, one with its members, making, changing, ending; the list of people in and out."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRAINER
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups import cohorts, gradebook, here, looks, result_pages, roster_pages
from portal.training.groups.cohorts import Typed
from portal.training.groups.gradebook import View
from portal.training.groups.here import account_here
from portal.training.learners import own
from portal.training.models import Learner


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_cohorts", __name__, url_prefix="/desk/training/cohorts", template_folder="templates",
                          static_folder="static")
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/", "index", guard(index))
    rule("/new", "new", guard(new), methods=["GET", "POST"])
    rule("/<uuid:cohort_id>/", "show", guard(show))
    rule("/<uuid:cohort_id>/edit", "edit", guard(edit), methods=["GET", "POST"])
    rule("/<uuid:cohort_id>/end", "end", guard(end), methods=["POST"])
    rule("/<uuid:cohort_id>/take-out/<int:learner_id>", "take_out", guard(take_out), methods=["GET", "POST"])
    roster_pages.add_routes(blueprint)
    result_pages.add_routes(blueprint)
    blueprint.context_processor(lambda: here.words_here() | {"course_title": _title})
    return blueprint


def cohort_here(cohort_id: uuid.UUID) -> Cohort:
    """The cohort of the address; 404 for what is none, and for what lies beyond the duty."""
    return cohorts.get(account_here(), cohort_id) or abort(404)


def index() -> str:
    ended, after = request.args.get("ended") == "1", _id(request.args.get("after", ""))
    listed, following = cohorts.listing(account_here(), ended=ended, after=after)
    return render_template("groups/cohorts.html", listed=listed, following=following, ended=ended, first=after is None)


def show(cohort_id: uuid.UUID) -> Any:
    return show_cohort(cohort_here(cohort_id))


def show_cohort(cohort: Cohort, problems: Sequence[Problem] = (), status: int = 200) -> Any:
    course = here.course_of(cohort.slug)
    after = request.args.get("after", "")
    page = gradebook.page(View(course, cohort.id), utcnow(), after=after) if course else gradebook.Page([], "")
    looks.at_list(account_here(), f"cohort:{cohort.id}", len(page.lines))
    return render_template("groups/cohort.html", cohort=cohort, course=course, page=page, first=not after, problems=problems,
                           members=cohorts.members_of(cohort.id)), status


def new() -> Any:
    if request.method == "GET":
        return _form(Typed())
    return _save()


def edit(cohort_id: uuid.UUID) -> Any:
    cohort = cohort_here(cohort_id)
    if request.method == "GET":
        return _form(Typed(cohort.name, cohort.kind, cohort.region_code, cohort.slug), cohort=cohort)
    return _save(cohort)


def end(cohort_id: uuid.UUID) -> Any:
    cohort, again = cohort_here(cohort_id), request.form.get("again") == "1"
    try:
        cohorts.end(account_here(), cohort.id, request.form.get("version", 0, type=int), again=again)
    except Conflict as refusal:
        return show_cohort(cohort_here(cohort_id), [Problem("", refusal.message)], 409)
    flash(_("The cohort is at work again.") if again else _("The cohort has ended. What its members reached stays."))
    return redirect(url_for(".show", cohort_id=cohort_id))


def take_out(cohort_id: uuid.UUID, learner_id: int) -> Any:
    """Asks first: whoever is known from a list alone is deleted with it, and nothing brings him back but the list."""
    cohort, account = cohort_here(cohort_id), account_here()
    member = db.session.get(CohortMember, (cohort.id, learner_id)) if learner_id < 2**63 else None
    learner = db.session.get(Learner, learner_id) if member else None
    if member is None or learner is None:
        return redirect(url_for(".show", cohort_id=cohort_id))
    if request.method == "GET":
        looks.at_one(account, learner_id)
        return render_template("groups/take_out.html", cohort=cohort, member=member, learner=learner, name=own.name(learner),
                               gone=cohorts.leaves_with(member))
    if cohorts.take_out(account, cohort.id, learner_id):
        flash(_("One member was taken out."))
    return redirect(url_for(".show", cohort_id=cohort_id))


def _save(cohort: Cohort | None = None) -> Any:
    form = request.form
    typed = Typed(form.get("name", "")[:400], form.get("kind", "")[:12], form.get("region_code", "")[:12],
                  form.get("slug", "")[:64])
    version = form.get("version", 0, type=int)
    try:
        saved = cohorts.save(account_here(), typed, cohort.id if cohort else None, version)
    except Invalid as refusal:
        return _form(typed, cohort=cohort, problems=refusal.problems, version=version, status=422)
    except Forbidden as refusal:
        return _form(typed, cohort=cohort, problems=[Problem("region_code", refusal.message)], version=version, status=403)
    except Conflict as refusal:
        return _form(typed, cohort=cohort, problems=[Problem("", refusal.message)], version=version, status=409)
    flash(_("Saved.") if cohort else _("The cohort is made. Now import its list of people."))
    return redirect(url_for(".show" if cohort else ".import_roster", cohort_id=saved.id))


def _form(typed: Typed, *, cohort: Cohort | None = None, problems: Sequence[Problem] = (), version: int = 0,
          status: int = 200) -> Any:
    return render_template("groups/cohort_form.html", typed=asdict(typed), cohort=cohort, problems=problems,
                           version=version or (cohort.version if cohort else 0), regions=here.regions_here(account_here()),
                           courses=here.courses()), status


def _title(slug: str, language: str) -> str:
    course = here.course_of(slug)
    return course.title[language] if course else slug


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
