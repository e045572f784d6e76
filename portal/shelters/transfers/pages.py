"""The desk's pages of transfers: how far each community is, and its list. Only for people with the duty TRANSFERS there.

No name, initials, code or number stands in an address: people are found by id, and a search is posted.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal.core.clock import utcnow
from portal.core.errors import Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRANSFERS
from portal.regions import lookup
from portal.shelters.models import TRANSFER_STATES, TransferRound
from portal.shelters.transfers import (
    figures,
    import_pages,
    looks,
    moves,
    offline_pages,
    paper_pages,
    person_pages,
    rights,
    round_pages,
    rounds,
    steps,
    store,
    words,
)
from portal.shelters.transfers.here import account_here, community, family_name, goals_of, region_name
from portal.shelters.transfers.person_pages import show_person

#: People on one page of a list.
PAGE = 60


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("shelter_transfers", __name__, url_prefix="/desk/transfers", template_folder="templates",
                          static_folder="static")
    rule, guard = blueprint.add_url_rule, signed_in(TRANSFERS)
    rule("/", "overview", guard(overview))
    rule("/<code>/", "people", guard(people), methods=["GET", "POST"])
    rule("/<code>/removed", "removed", guard(removed))
    rule("/person/<uuid:person_id>/state", "step", guard(step), methods=["POST"])
    for pages in (person_pages, round_pages, import_pages, paper_pages, offline_pages):
        pages.add_routes(blueprint)
    blueprint.context_processor(lambda: {
        "needs": words.NEEDS, "means": words.MEANS, "states": words.STATES, "acts": words.ACTS, "moves": moves,
        "family_name": family_name, "region_name": region_name})
    return blueprint


# -- how far each community is -------------------------------------------------------------------------------
def overview() -> str:
    account, now = account_here(), utcnow()
    own = rights.regions(account)
    found = store.progress(own)
    with_list = {p.region_code for p in found}
    return render_template(
        "transfers/overview.html", sheets=figures.sheets(found, now), moment=now, rounds=store.open_rounds(own),
        ended=rounds.ended(own), may_end=lambda r: all(rights.sees(account, c) for c in r.region_codes),
        no_list=[lookup.get(c) for c in lookup.communities_under(own) if c not in with_list],
        quiet=[p for p in found if p.round is None], bar=figures.bar)


# -- the list of one community -------------------------------------------------------------------------------
def people(code: str) -> Any:
    return show_list(code, text=" ".join(request.form.get("text", "").split())[:40])


def show_list(code: str, *, text: str = "", problems: Sequence[Problem] = (), typed: dict[uuid.UUID, str] | None = None,
              status: int = 200) -> tuple[str, int]:
    account, now = account_here(), utcnow()
    node = community(account, code)
    round_ = store.round_over(code)
    show, page = _show(round_, bool(text)), min(max(1, request.args.get("page", 1, type=int)), 10_000)
    query = store.list_query(code, round_, show, text)
    total = store.count(query)
    listed = looks.at_list(account, code, query.offset((page - 1) * PAGE), PAGE, searched=bool(text))
    progress = next(iter(store.progress([code])), None)
    base = {p.id: str(uuid.uuid4()) for p in listed}
    return render_template(
        "transfers/people.html", node=node, round=round_, listed=listed, total=total, show=show, page=page,
        pages=max(1, -(-total // PAGE)), text=text, progress=progress, moment=now, problems=problems, typed=typed or {},
        members=store.members(listed, round_), conflicts=steps.conflicts(listed, round_.id) if round_ else {},
        goals=goals_of(listed, round_), refs=base, bar=figures.bar(progress) if progress else []), status


def _show(round_: TransferRound | None, searching: bool) -> str:
    wanted = request.values.get("show", "")
    if round_ is None:
        return store.ALL
    if wanted in (store.NOT_DONE, store.ALL, *TRANSFER_STATES):
        return wanted
    return store.ALL if searching else store.NOT_DONE


def removed(code: str) -> str:
    account = account_here()
    node = community(account, code)
    listed = looks.at_list(account, code, store.removed_query(code), removed=True)
    return render_template("transfers/removed.html", node=node, listed=listed, most=store.MOST_LISTED)


# -- a step --------------------------------------------------------------------------------------------------
def step(person_id: uuid.UUID) -> Any:
    """A button of a list or of a person's page was pressed."""
    observation = _pressed(person_id)
    result, = steps.record(account_here(), [observation])
    code, back = request.form.get("region", ""), request.form.get("back", "")
    if result.outcome == steps.REFUSED:
        if not result.state:
            abort(404)
        problem = [Problem(f"note-{person_id}", result.message)]
        note = {person_id: observation.note}
        return show_list(code, problems=problem, typed=note, status=422) if back == "list" else show_person(
            person_id, problems=problem, typed=note, status=422)
    flash(_said(result))
    if back == "list":
        return redirect(url_for(".people", code=code, show=_show_given(), _anchor=f"p-{person_id}"))
    return redirect(url_for(".person", person_id=person_id))


def _pressed(person_id: uuid.UUID) -> steps.Observation:
    state = request.form.get("state", "")[:12]
    try:
        base, round_id = uuid.UUID(request.form.get("ref", "")), uuid.UUID(request.form.get("round", ""))
    except ValueError:
        abort(400)
    # Each button of a form is a report of its own; the same one pressed twice is the same report.
    seen, note = request.form.get("seen", "")[:12], request.form.get("note", "")[:1000]
    return steps.Observation(str(uuid.uuid5(base, state)), person_id, round_id, state, seen, utcnow(), note)


def _show_given() -> str | None:
    show = request.form.get("show", "")
    return show if show in (store.ALL, *TRANSFER_STATES) else None


def _said(result: steps.Result) -> str:
    if result.outcome == steps.OVER:
        return str(result.message)
    told = _("Noted: %(state)s.", state=words.STATES[result.state])
    return told + " " + _("Somebody else had said something different: look at it.") if result.conflict else told
