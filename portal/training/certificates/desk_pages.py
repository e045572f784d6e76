"""The desk's pages of certificates: found by serial, listed, granted by hand, taken back or written anew in two steps."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy import select

from portal import current_settings
from portal.core.audit import AuditEntry
from portal.core.db import db
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in, require_in
from portal.regions import lookup
from portal.training.certificates import issue, listing, store
from portal.training.certificates import serial as serials
from portal.training.certificates.listing import ALL, ENDING, REVOKED, UNKNOWN
from portal.training.certificates.store import Shown
from portal.training.groups import cohorts, here, looks
from portal.training.groups.here import account_here
from portal.training.learners import own
from portal.training.models import Learner

#: What the trail calls it → in words.
HAPPENED = {"certificate.issue": _l("granted"), "certificate.renew": _l("granted as a renewal"),
            "certificate.revoke": _l("revoked"), "certificate.reinstate": _l("given back"),
            "certificate.reissue": _l("written anew under the corrected name")}
#: Acts that are asked about once more.
ACTS = {"revoke": issue.revoke, "reinstate": issue.reinstate}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_certificates", __name__, url_prefix="/desk/training/certificates",
                          template_folder="templates")
    rule, guard = blueprint.add_url_rule, signed_in(TRAINER)
    rule("/", "index", guard(index))
    rule("/grant", "grant", guard(grant), methods=["POST"])
    rule("/<serial>/", "show", guard(show))
    rule("/<serial>/<any(revoke, reinstate):act>", "act", guard(act), methods=["POST"])
    rule("/<serial>/anew", "anew", guard(anew), methods=["POST"])
    blueprint.context_processor(lambda: {"day": here.day, "region_name": here.region_name, "grouped": serials.shown,
                                         "endpoints": current_app.view_functions, "acts": HAPPENED})
    return blueprint


# -- the list ------------------------------------------------------------------------------------------------
def index() -> Any:
    account, asked = account_here(), request.args
    if typed := asked.get("serial", "").strip():
        serial = serials.typed(typed)
        if serials.is_whole(serial) and _seen_by(account, serial) is not None:
            return redirect(url_for("training_certificates.show", serial=serial))
        return _list(account, missing=typed[:40]), 404
    return _list(account)


def _list(account: Account, *, missing: str = "") -> str:
    asked, courses = request.args, [course for course in here.courses() if course.exam is not None]
    first = asked.get("course") or next(iter(current_settings().responder_courses), "")
    course = next((one for one in courses if one.id == first), courses[0] if courses else None)
    region, which = _region(account, asked.get("region", "")), asked.get("which", ALL)
    which = which if which in (ALL, ENDING, REVOKED) else ALL
    after = asked.get("after", "")
    found = listing.page(course.id, region, which, after=after) if course and region and not missing else listing.Page([], "")
    looks.at_list(account, f"region:{region}", len(found.rows), course=course.id if course else "")
    return render_template(
        "certificates/list.html", missing=missing, courses=courses, course=course, region=region, which=which, page=found,
        first=not after, regions=here.regions_here(account), unknown=UNKNOWN if here.whole_district(account) else "",
        names={one.row.id: issue.name_on(one.row) for one in found.rows}, notes=_notes(found.rows),
        cohorts=[one for one in cohorts.at_work(account) if course is not None and one.slug == course.id],
        soon=listing.SOON.days)


def _region(account: Account, code: str) -> str:
    """The region that was asked for, as far as the account may see it; else the first that it may see."""
    if code == UNKNOWN and here.whole_district(account):
        return code
    if lookup.get(code) is not None and may_in(account, TRAINER, [code]):
        return code
    return next((one.code for one in here.regions_here(account)), "")


def _notes(rows: Sequence[Shown]) -> dict[Any, str]:
    """Of the certificates on which 〓 stands for a character: which."""
    rare = current_settings().certificate_font
    return {one.row.id: note for one in rows if (note := store.lacking(issue.name_on(one.row), rare))}


def grant() -> Any:
    """Grant what is due in a cohort, or in the region that is looked at."""
    account, form = account_here(), request.form
    slug, region = form.get("course", "")[:64], _region(account, form.get("region", ""))
    try:
        cohort = cohorts.get(account, uuid.UUID(form.get("cohort", "")))
    except ValueError:
        cohort = None
    if cohort is None and region in ("", UNKNOWN):
        abort(404)
    done = issue.issue_due(account, slug, cohort_id=cohort.id if cohort else None, region_code="" if cohort else region)
    told = [ngettext("%(num)s certificate was granted.", "%(num)s certificates were granted.", done.granted)]
    if done.nameless:
        told.append(ngettext("%(num)s person has given no name yet.", "%(num)s people have given no name yet.", done.nameless))
    if done.others:
        told.append(ngettext("%(num)s person is not due after all, for instance after a revocation.",
                             "%(num)s people are not due after all, for instance after a revocation.", done.others))
    if done.more:
        told.append(_("More are waiting: press again."))
    flash(" ".join(told))
    return redirect(url_for("training_certificates.index", course=slug, region=region))


# -- one of them ---------------------------------------------------------------------------------------------
def _seen_by(account: Account, serial: str) -> Shown | None:
    """The certificate, as far as the account may see its holder: in its regions; with no community, for the whole district."""
    shown = store.by_serial(serial)
    if shown is None:
        return None
    region = shown.row.region_code or current_settings().district
    return shown if may_in(account, TRAINER, [region]) else None


def _one(account: Account, serial: str) -> Shown:
    return _seen_by(account, serial) or abort(404)


def show(serial: str) -> Any:
    account = account_here()
    shown = _one(account, serial)
    if shown.row.learner_id is not None:
        looks.at_one(account, shown.row.learner_id)
    return _page(account, shown)


def _page(account: Account, shown: Shown, problems: Sequence[Problem] = (), *, sure: str = "", status: int = 200) -> Any:
    name = issue.name_on(shown.row)
    history = db.session.execute(select(AuditEntry).where(AuditEntry.subject == f"certificate:{shown.row.serial}")
                                 .order_by(AuditEntry.seq.desc()).limit(20)).scalars().all()
    learner = db.session.get(Learner, shown.row.learner_id) if shown.row.learner_id is not None else None
    known = own.name(learner) if learner is not None else None
    return render_template(
        "certificates/one.html", one=shown, known=known if known != name else None, name=name,
        note=store.lacking(name, current_settings().certificate_font),
        history=history, problems=problems, sure=sure, typed=request.form, may=here.whole_district(account),
        left=shown.row.learner_id is None, longest=issue.LONGEST_REASON), status


def act(serial: str, act: str) -> Any:
    """Take back, or give back: the first time the page asks whether that is meant."""
    account = account_here()
    shown, reason = _one(account, serial), request.form.get("reason", "")
    try:
        if request.form.get("sure") != "1":
            require_in(account, TRAINER, [current_settings().district])
            issue.check_reason(reason)
            return _page(account, shown, sure=act)
        ACTS[act](account, serial, reason)
    except Invalid as refusal:
        return _page(account, shown, refusal.problems, status=422)
    except Conflict as refusal:
        return _page(account, _one(account, serial), [Problem("", refusal.message)], status=409)
    flash(_("The certificate is revoked. Whoever verifies it is told so from now on.") if act == "revoke"
          else _("The certificate holds again."))
    return redirect(url_for("training_certificates.show", serial=serial))


def anew(serial: str) -> Any:
    """Write anew under another name: nothing brings the old one back, so that this is asked about as well."""
    account = account_here()
    shown, name = _one(account, serial), request.form.get("name", "")
    try:
        if request.form.get("sure") != "1":
            require_in(account, TRAINER, [current_settings().district])
            if own.clean(name) == issue.name_on(shown.row):
                raise Conflict(issue.SAME_NAME)
            return _page(account, shown, sure="anew")
        made = issue.reissue(account, serial, name)
    except Invalid as refusal:
        return _page(account, shown, refusal.problems, status=422)
    except Conflict as refusal:
        return _page(account, _one(account, serial), [Problem("", refusal.message)], status=409)
    flash(_("The certificate was written anew. The old one says which one replaces it."))
    return redirect(url_for("training_certificates.show", serial=made.serial))
