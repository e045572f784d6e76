"""The page of one learner at the desk: opening it is a look, which stands in the trail; his name is corrected here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRAINER
from portal.training.assessing import words
from portal.training.certificates import serial
from portal.training.groups import looks, one
from portal.training.groups.here import account_here
from portal.training.learners import own
from portal.training.models import Learner

_LARGEST = 2**63 - 1


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/learners/<int:learner_id>/", "learner", guard(learner))
    rule("/learners/<int:learner_id>/name", "name", guard(name), methods=["POST"])
    rule("/learners/<int:learner_id>/more/<slug>", "more", guard(more), methods=["POST"])


def learner(learner_id: int) -> Any:
    return _page(_found(learner_id))


def name(learner_id: int) -> Any:
    found, account, typed = _found(learner_id), account_here(), request.form.get("name", "")[:400]
    try:
        with transaction() as session:
            own.set_name(session, found, typed, actor=account.actor)
    except Invalid as refusal:
        return _page(found, refusal.problems, typed, 422)
    flash(_("The name is corrected."))
    return redirect(url_for(".learner", learner_id=learner_id))


def more(learner_id: int, slug: str) -> Any:
    found = _found(learner_id)
    try:
        one.give_one_more(account_here(), found.id, slug[:64], request.form.get("reason", "")[:2000])
    except Invalid as refusal:
        return _page(found, refusal.problems, status=422)
    except Conflict as refusal:
        return _page(found, [Problem("", refusal.message)], status=409)
    flash(_("One more attempt is given. The waiting time of the course stays."))
    return redirect(url_for(".learner", learner_id=learner_id))


def _found(learner_id: int) -> Learner:
    return (one.find(account_here(), learner_id) if learner_id <= _LARGEST else None) or abort(404)


def _page(found: Learner, problems: Sequence[Problem] = (), typed: str | None = None, status: int = 200) -> Any:
    account = account_here()
    looks.at_one(account, found.id)
    known = own.name(found)
    return render_template(
        "groups/learner.html", learner=found, name=known, typed=known if typed is None else typed, problems=problems,
        cohorts=one.cohorts_of(account, found.id), courses=one.taken(found.id), bookings=one.bookings(found.id), now=utcnow(),
        grouped=serial.shown, booked=words.BOOKINGS, booked_marks=words.BOOKING_MARKS), status
