"""The desk's pages of paper: ask for it, watch it being made, take it; and the card of one household."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core import audit
from portal.core.clock import local, utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import lookup
from portal.regions.codes import parent_of
from portal.shelters.models import PaperJob
from portal.shelters.paper import card_form, documents, jobs, rights
from portal.shelters.paper.source import Source, family_or_main
from portal.shelters.registry import suitability

#: htmx stops asking when it hears this.
NO_MORE = 286
STATES: dict[str, Any] = {
    jobs.WAITING: _l("waiting"), jobs.RUNNING: _l("being made"), jobs.DONE: _l("ready"), jobs.FAILED: _l("failed"),
    jobs.CANCELLED: _l("cancelled"),
}
MARKS = {jobs.WAITING: "none", jobs.RUNNING: "some", jobs.DONE: "good", jobs.FAILED: "bad", jobs.CANCELLED: "past"}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_paper", __name__, url_prefix="/desk/paper", template_folder="templates",
                          static_folder="static")
    rule, guard = blueprint.add_url_rule, signed_in(*rights.ROLES)
    rule("/", "overview", guard(overview), methods=["GET", "POST"])
    rule("/<uuid:job_id>/", "job", guard(job_page))
    rule("/<uuid:job_id>/now", "job_now", signed_in(*rights.ROLES, touch=False)(job_now))
    rule("/<uuid:job_id>/<any(cancel, retry):verb>", "act", guard(act), methods=["POST"])
    rule("/<uuid:job_id>/paper.pdf", "file", guard(file))
    rule("/card", "card", guard(card), methods=["GET", "POST"])
    return blueprint


def _account() -> Account:
    return current_account() or abort(401)


# -- asking for paper ----------------------------------------------------------------------------------------
def overview() -> Any:
    account, problems = _account(), list[Problem]()
    form: dict[str, Any] = {"kinds": list(documents.KINDS), "regions": [request.args.get("region", "")],
                            "language": select_language(), "family": family_or_main(None), "where": ""}
    if request.method == "POST":
        form = {"kinds": request.form.getlist("kinds"), "regions": request.form.getlist("region_codes")[:2000],
                "language": request.form.get("language", ""), "family": request.form.get("family", ""),
                "where": request.form.get("where", "")}
        codes = rights.communities(account) if form["where"] == "all" else form["regions"]
        try:
            if form["where"] == "all" and form["regions"]:
                raise Invalid.one("region_codes", _("You chose all communities and ticked some of them: say which you mean."))
            job = jobs.ask(account, form["kinds"], codes, form["language"], form["family"])
            return redirect(url_for("shelter_paper.job", job_id=job.id))
        except Invalid as refusal:
            problems = refusal.problems
    may = rights.communities(account)
    known = [node for node in (lookup.get(code) for code in may) if node is not None]
    streets: dict[str, list[Any]] = {}
    for node in known:
        streets.setdefault(parent_of(node.code) or "", []).append(node)
    return render_template(
        "shelters_paper/overview.html", form=form, problems=problems, kinds=documents.KINDS, families=suitability.families(),
        streets=[(lookup.get(code), nodes) for code, nodes in streets.items()], total=len(known), listed=jobs.listing(account),
        states=STATES, marks=MARKS, kept=jobs.KEPT.days, languages={"zh": _("Chinese"), "en": _("English")},
        where=_where), 422 if problems else 200


def _where(job: PaperJob) -> str:
    """The communities of a job in a few words."""
    names = lookup.names(job.region_codes[:3])
    language = select_language()
    shown = str(_(", ")).join(names[code][language] for code in job.region_codes[:3] if code in names)
    more = len(job.region_codes) - 3
    return shown if more <= 0 else str(_("%(names)s and %(n)d more communities", names=shown, n=more))


# -- one job -------------------------------------------------------------------------------------------------
def _job(job_id: uuid.UUID) -> PaperJob:
    job = jobs.get(job_id)
    if job is None or not rights.may_print(_account(), job.region_codes):
        abort(404)
    return job


def job_page(job_id: uuid.UUID) -> str:
    return render_template("shelters_paper/job.html", **_progress(_job(job_id)))


def job_now(job_id: uuid.UUID) -> Response:
    """The part of the page that changes; the last answer tells htmx to ask no more, and shows what became of the job."""
    job = _job(job_id)
    over = job.state not in jobs.OPEN
    return Response(render_template("shelters_paper/_progress.html", **_progress(job)), status=NO_MORE if over else 200)


def _progress(job: PaperJob) -> dict[str, Any]:
    names, language = lookup.names(job.region_codes), select_language()
    failed = [(names.get(f.code, {}).get(language, f.code), documents.KINDS[f.kind]) for f in jobs.failures(job)]
    lacking = [(names.get(code, {}).get(language, code), signs) for code, signs in jobs.lacking(job).items()]
    return {"job": job, "states": STATES, "marks": MARKS, "kinds": documents.KINDS, "where": _where(job), "failed": failed,
            "lacking": lacking, "left": jobs.seconds_left(job, utcnow()), "running": job.state in jobs.OPEN,
            "family": suitability.families().get(job.family), "kept": jobs.KEPT.days,
            "until": job.finished_at + jobs.KEPT if job.finished_at else None}


def act(job_id: uuid.UUID, verb: str) -> Any:
    try:
        job = jobs.cancel(_account(), job_id) if verb == "cancel" else jobs.retry(_account(), job_id)
    except Conflict as refusal:
        flash(str(refusal.message))
        return redirect(url_for("shelter_paper.job", job_id=job_id) if jobs.get(job_id) else url_for("shelter_paper.overview"))
    return redirect(url_for("shelter_paper.job", job_id=job.id))


def file(job_id: uuid.UUID) -> Response:
    job = _job(job_id)
    pdf = jobs.data(job_id) or abort(404)
    day = f"{local(job.made_at, current_settings().timezone):%Y%m%d-%H%M}"
    return _pdf(pdf, f"paper-{job.language}-{day}.pdf", attached=True)


def _pdf(pdf: bytes, name: str, *, attached: bool) -> Response:
    answer = Response(pdf, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'{"attachment" if attached else "inline"}; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


# -- the card of one household -------------------------------------------------------------------------------
def card() -> Any:
    """A form, and the finished card. What is typed is in the answer and nowhere else: not stored, not logged, and the trail
    says only for which community a card was made."""
    account = _account()
    may = rights.communities(account)
    code = (request.form if request.method == "POST" else request.args).get("region", "") or (may[0] if len(may) == 1 else "")
    if code and code not in may:
        rights.require_print(account, [code])
        abort(404)
    typed, problems = card_form.typed(request.form), list[Problem]()
    if request.method == "POST" and code:
        try:
            household = card_form.household(code, typed)
            language = request.form.get("language", "")
            made = documents.card(household, language if language in LANGUAGES else LANGUAGES[0])
            with transaction() as session:
                audit.append(session, account.actor, "paper.card", f"region:{code}", {"language": language})
            return _pdf(made.pdf, f"card-{code}.pdf", attached=True)
        except Invalid as refusal:
            problems = refusal.problems
    family = typed["family"] if typed["family"] in suitability.families() else family_or_main(None)
    source = Source([code], family) if code else None
    facts = source.facts(code) if source else None
    return render_template(
        "shelters_paper/card.html", node=lookup.get(code) if code else None, nodes=[lookup.get(c) for c in may], typed=typed,
        problems=problems, families=suitability.families(), family=family, facts=facts, rows=range(card_form.MOST_MEMBERS),
        language_of_card=request.form.get("language", select_language())), 422 if problems else 200
