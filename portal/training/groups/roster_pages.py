"""A cohort's list of people, in and out: a file is checked first and taken in only when that is confirmed.

Between the two steps it travels with the page, packed and sealed for this account, this cohort and half an hour: no server keeps
it, and whichever one gets the second step can do it.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from itsdangerous import BadData, URLSafeTimedSerializer

from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.training.group_models import Cohort
from portal.training.groups import cohorts, here, looks, roster, roster_file, roster_out, tables
from portal.training.groups.here import account_here, download
from portal.training.groups.roster import Report
from portal.training.groups.roster_file import HEADS

#: How long an import can be taken back.
_UNDO_SECONDS = 3600


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/<uuid:cohort_id>/import", "import_roster", guard(here.takes_files(import_roster)), methods=["GET", "POST"])
    rule("/<uuid:cohort_id>/undo", "undo", guard(undo), methods=["POST"])
    rule("/<uuid:cohort_id>/roster.csv", "export_roster", guard(export_roster), methods=["POST"])
    rule("/sample.csv", "sample", guard(sample))


def import_roster(cohort_id: uuid.UUID) -> Any:
    account, cohort = account_here(), _cohort(cohort_id)
    if request.method == "GET":
        return _page(cohort)
    confirmed = request.form.get("do") == "confirm"
    try:
        body = here.opened(account, str(cohort.id), request.form.get("file", "")) if confirmed else here.uploaded()
        read = roster_file.read(body)
        if not confirmed:
            report = roster.check(cohort, read)
            return _page(cohort, report, "" if report.faults.count else here.sealed(account, str(cohort.id), body),
                         status=422 if report.faults.count else 200)
        report = roster.take_in(account, cohort.id, read)
    except Invalid as refusal:
        return _page(cohort, problems=refusal.problems, status=422)
    except Conflict as refusal:
        return _page(cohort, problems=[Problem("list", refusal.message)], status=409)
    except tables.Unreadable as error:
        where = _("Line %(n)s:", n=error.line) + " " if error.line else ""
        return _page(cohort, problems=[Problem("list", f"{where}{error.message}")], status=422)
    return _page(cohort, report, undo=_undo_token(account, cohort, report), status=200 if report.at else 422)


def undo(cohort_id: uuid.UUID) -> Any:
    account, cohort = account_here(), _cohort(cohort_id)
    try:
        of, at = _signer(account).loads(request.form.get("undo", ""), max_age=_UNDO_SECONDS)
        if of != str(cohort.id):
            raise ValueError("another cohort's")
        members, gone = roster.take_back(account, cohort.id, datetime.fromisoformat(at))
    except (BadData, ValueError, TypeError):
        flash(_("This import was too long ago to be taken back at once. Take its members out one by one."))
        return redirect(url_for(".show", cohort_id=cohort_id))
    told = ngettext("The import was taken back: %(num)s member was taken out.",
                    "The import was taken back: %(num)s members were taken out.", members)
    if gone:
        told += " " + ngettext("%(num)s of them was known from this list alone and is deleted.",
                               "%(num)s of them were known from this list alone and are deleted.", gone)
    flash(told)
    return redirect(url_for(".show", cohort_id=cohort_id))


def export_roster(cohort_id: uuid.UUID) -> Any:
    account, cohort = account_here(), _cohort(cohort_id)
    looks.noted(account, "roster.export", f"cohort:{cohort.id}", people=cohorts.members_of(cohort.id))
    return download(tables.written(HEADS[select_language()], roster_out.rows(cohort.id)), "roster.csv")


def sample() -> Any:
    return download(roster_file.sample(select_language()), "roster-sample.csv")


def _cohort(cohort_id: uuid.UUID) -> Cohort:
    return cohorts.get(account_here(), cohort_id) or abort(404)


def _page(cohort: Cohort, report: Report | None = None, sealed: str = "", undo: str = "", problems: Any = (),
          status: int = 200) -> Any:
    names = {"name": _("Name"), "phone": _("Phone"), "number": _("Pupil or staff number"), "community": _("Community")}
    return render_template(
        "groups/roster_import.html", cohort=cohort, report=report, sealed=sealed, undo=undo, problems=problems,
        faults=here.fault_rows(report.faults.in_order(), names) if report else [], heads=HEADS[select_language()],
        largest=here.MOST_BYTES // 2**20, minutes=int(here.LASTS.total_seconds() // 60)), status


def _undo_token(account: Account, cohort: Cohort, report: Report) -> str:
    return _signer(account).dumps([str(cohort.id), report.at.isoformat()]) if report.at and report.added else ""


def _signer(account: Account) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt=f"roster undo {account.id}")
