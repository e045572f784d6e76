"""Starting a round, in two steps (what it would do, then do it), ending it, and what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import from_local, local, utcnow
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.rights import TRANSFERS
from portal.regions import lookup
from portal.shelters.models import TRANSFER_STATES
from portal.shelters.registry.suitability import families
from portal.shelters.transfers import rights, rounds, store
from portal.shelters.transfers.here import account_here
from portal.shelters.transfers.rounds import Plan
from portal.warnings import bulletins

#: Quick choices of the deadline, in hours from now.
HOURS = ("1", "2", "3", "6", "12")
AT, NONE = "at", "none"
_WHEN = _l("Give day and time, like 2026-08-21 18:00.")


@dataclass
class Typed:
    """The form as it stands; times in the district's zone."""

    regions: list[str] = field(default_factory=list)
    family: str = ""
    exercise: str = ""
    mode: str = "3"
    deadline: str = ""
    warning: str = ""


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRANSFERS)
    rule("/rounds/new", "round_new", guard(new), methods=["GET", "POST"])
    rule("/rounds/<uuid:round_id>/", "round", guard(show))
    rule("/rounds/<uuid:round_id>/end", "round_end", guard(end), methods=["POST"])


def new() -> Any:
    account = account_here()
    if request.method == "GET":
        regions = [c for c in request.args.getlist("region")[:50] if rights.sees(account, c)]
        return _form(Typed(regions=regions or rights.regions(account)[:1]))
    typed = _read()
    try:
        plan = _plan(typed)
        if request.form.get("do") == "start":
            rounds.start(account, plan)
            flash(_("The drill has begun: everybody on its lists waits.") if plan.exercise
                  else _("The round has begun: everybody on its lists waits."))
            return redirect(url_for(".overview"))
        return _form(typed, foreseen=rounds.foresee(account, plan))
    except Invalid as refusal:
        return _form(typed, problems=refusal.problems)
    except Conflict as refusal:
        return _form(typed, conflict=refusal.message)


def show(round_id: uuid.UUID) -> str:
    """What became of each community; counts only."""
    account, round_ = account_here(), rounds.get(round_id)
    seen = rights.seen_of(account, round_.region_codes) if round_ else []
    if round_ is None or not seen:
        abort(404)
    counts = rounds.tally(round_, seen)
    total = {state: sum(c.get(state, 0) for c in counts.values()) for state in TRANSFER_STATES}
    return render_template("transfers/round.html", round=round_, counts=dict(sorted(counts.items())), total=total,
                           moment=utcnow(), may_end=all(rights.sees(account, c) for c in round_.region_codes))


def end(round_id: uuid.UUID) -> Any:
    if rounds.end(account_here(), round_id) is None:
        abort(404)
    flash(_("The round has ended."))
    return redirect(url_for(".round", round_id=round_id))


def _read() -> Typed:
    form = request.form
    return Typed(form.getlist("regions")[:500], form.get("family", "")[:20], form.get("exercise", "")[:1],
                 form.get("mode", "")[:4], form.get("deadline", "")[:40], " ".join(form.get("warning", "").split())[:20])


def _plan(typed: Typed) -> Plan:
    """Raises Invalid with what could not even be read."""
    problems = []
    if typed.exercise not in ("0", "1"):
        problems.append(Problem("exercise", _("Say whether it is real or a drill.")))
    deadline = None
    try:
        deadline = _deadline(typed)
    except Invalid as error:
        problems += error.problems
    if problems:
        raise Invalid(problems)
    return Plan(tuple(typed.regions), typed.family, typed.exercise == "1", deadline, typed.warning)


def _deadline(typed: Typed) -> datetime | None:
    if typed.mode in HOURS:
        return utcnow() + timedelta(hours=int(typed.mode))
    if typed.mode == NONE:
        return None
    try:
        return from_local(datetime.fromisoformat(typed.deadline.strip()).replace(tzinfo=None), current_settings().timezone)
    except (ValueError, OverflowError) as error:
        raise Invalid.one("deadline", _WHEN) from error


def _form(typed: Typed, *, foreseen: Any = None, problems: Sequence[Problem] = (), conflict: Any = "") -> tuple[str, int]:
    account = account_here()
    if foreseen is not None:  # what is confirmed is the moment that was shown, not the same number of hours later
        typed.mode = AT if foreseen.plan.deadline else NONE
        typed.deadline = (f"{local(foreseen.plan.deadline, current_settings().timezone):%Y-%m-%dT%H:%M}"
                          if foreseen.plan.deadline else "")
    status = 409 if conflict else 422 if problems else 200
    return render_template(
        "transfers/round_form.html", typed=typed, roots=[lookup.tree(c) for c in rights.regions(account)], families=families(),
        hours=HOURS, foreseen=foreseen, problems=problems, conflict=conflict, warnings=bulletins.live(),
        open_rounds=store.open_rounds(rights.regions(account))), status
