"""The desk's pages of obstructions: what cuts the ways now, setting one, changing it, ending it and taking that back."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.identity.guard import signed_in
from portal.identity.models import Account
from portal.identity.rights import SHELTERS
from portal.regions import lookup
from portal.shelters.models import Obstruction
from portal.shelters.office import cuts, obstruction_form, origins, people
from portal.shelters.office.obstruction_form import HOURS, Typed
from portal.shelters.registry import suitability
from portal.shelters.roads import obstruction_values, obstructions
from portal.web.show import when

LISTED = 25
STATES = ("now", "coming", "past", "all")


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone, keeper = blueprint.add_url_rule, signed_in(), signed_in(SHELTERS)
    rule("/obstructions/", "obstructions", anyone(listing))
    rule("/obstructions/new", "obstruction_new", keeper(new), methods=["GET", "POST"])
    rule("/obstructions/<uuid:obstruction_id>/", "obstruction", anyone(single))
    rule("/obstructions/<uuid:obstruction_id>/edit", "obstruction_edit", keeper(edit), methods=["GET", "POST"])
    rule("/obstructions/<uuid:obstruction_id>/<any(end, resume, extend):act>", "obstruction_act", keeper(act), methods=["POST"])


# -- looking -------------------------------------------------------------------------------------------------
def listing() -> str:
    now, args, account = utcnow(), request.args, people.here()
    streets = people.streets()
    chosen = {"state": args.get("state", "now"), "kind": args.get("kind", ""), "region": args.get("region", ""),
              "text": args.get("text", "").strip()[:80]}
    if chosen["state"] not in STATES:
        chosen["state"] = "now"
    if chosen["kind"] not in obstructions.KINDS:
        chosen["kind"] = ""
    if chosen["region"] not in {s.code for s in streets}:
        chosen["region"] = ""
    page = max(1, min(args.get("page", 1, type=int), 10_000))
    found = obstructions.listing(
        now, state="" if chosen["state"] == "all" else chosen["state"], kind=chosen["kind"], text=chosen["text"],
        region_codes=[chosen["region"]] if chosen["region"] else None, offset=(page - 1) * LISTED, limit=LISTED)
    return render_template(
        "shelters_office/obstructions.html", found=found, chosen=chosen, page=page, pages=max(1, -(-found.total // LISTED)),
        streets=streets, counts={s: obstructions.listing(now, state=s, limit=1).total for s in ("now", "coming", "past")},
        may_keep=people.may_keep(account), box=_box(), **_words(now))


def single(obstruction_id: uuid.UUID) -> str:
    return _page(_found(obstruction_id))


def _page(row: Obstruction) -> str:
    now = utcnow()
    state = obstructions.state_of(row, now)
    seen = None
    if state in ("now", "coming"):
        seen = cuts.preview(obstruction_values.of(row), now, row.id, people=request.args.get("people") == "1")
    return render_template("shelters_office/obstruction.html", row=row, seen=seen, box=_box(),
                           made_of=origins.links(people.here(), row), may=obstructions.may_change(people.here(), row),
                           **_words(now))


def _found(obstruction_id: uuid.UUID) -> Obstruction:
    return obstructions.get(obstruction_id) or abort(404)


def _box() -> str:
    box = lookup.box(current_settings().district)
    return ",".join(f"{v:.5f}" for v in box) if box else ""


def _words(now: datetime) -> dict[str, Any]:
    """What the templates of obstructions need to say them."""
    return {
        "kinds": obstructions.KINDS, "sources": obstructions.SOURCE_LABELS, "states": obstructions.STATE_LABELS,
        "families": suitability.families(), "state_of": lambda row: obstructions.state_of(row, now), "moment": now,
        "effect_words": obstruction_values.effect_words, "extensions": obstructions.EXTENSIONS, "time_words": time_words,
        "may_change": lambda row: obstructions.may_change(people.here(), row), "community_names": cuts.community_names}


def time_words(row: Obstruction, now: datetime) -> str:
    """How it ends, plainly: “ends by itself in 2 h 10 min”."""
    state = obstructions.state_of(row, now)
    if state == "ended":
        return _("ended %(time)s by %(who)s", time=when(row.ended_at), who=row.ended_by)
    if state == "expired":
        return _("ended by itself %(time)s", time=when(row.expires_at))
    if state == "coming":
        return _("begins %(time)s", time=when(row.begins_at))
    if row.expires_at is None:
        return _("no end: until somebody ends it")
    minutes = int((row.expires_at - now).total_seconds() // 60)
    if minutes >= 48 * 60:
        return _("ends by itself in %(n)d days", n=minutes // 1440)
    if minutes >= 60:
        return _("ends by itself in %(h)d h %(m)d min", h=minutes // 60, m=minutes % 60)
    return _("ends by itself in %(m)d min", m=max(0, minutes))


# -- writing -------------------------------------------------------------------------------------------------
def new() -> Any:
    if request.method == "POST":
        return _sent(None)
    source = origins.read(request.args.get("from", ""))
    return _form((source and source[0].fill(people.here(), source[1])) or Typed(), None)


def edit(obstruction_id: uuid.UUID) -> Any:
    row = _found(obstruction_id)
    obstructions.require(people.here(), row.region_codes)
    if request.method == "GET":
        return _form(obstruction_form.from_row(row, current_settings().timezone), row)
    return _sent(row)


def _sent(row: Obstruction | None) -> Any:
    """Look at what it would cut, or save it; with what is wrong, the form comes back as it was typed."""
    account, now = people.here(), utcnow()
    typed = obstruction_form.from_request(request.form)
    version = request.form.get("version", 0, type=int) or 0
    try:
        values = obstruction_form.values(typed, current_settings().timezone, now, row)
        known = obstruction_values.of(row) if row else {}
        checked = obstruction_values.check(known | values, now)
        obstructions.require(account, checked.columns["region_codes"])
        if request.form.get("do") != "save":
            return _form(typed, row, version=version, looked=cuts.preview(checked.columns, now, row.id if row else None),
                         notes=checked.notes, columns=checked.columns)
        saved = obstructions.edit(account, row.id, version, values) if row else _create(account, values)
    except Invalid as error:
        return _form(typed, row, version=version, problems=error.problems, status=422)
    except Forbidden as error:
        return _form(typed, row, version=version, problems=[Problem("geometry", _outside(error))], status=403)
    except Conflict as error:
        return _form(typed, row, version=version, problems=[Problem("", error.message)], status=409, newer=row)
    flash(_("Saved. Ways are computed anew within seconds."))
    for note in checked.notes:
        flash(str(note))
    return redirect(url_for("shelter_office.obstruction", obstruction_id=saved.id))


def _create(account: Account, values: dict[str, Any]) -> Obstruction:
    """A new one; where the form came filled in, that is remembered with it."""
    source = origins.read(request.args.get("from", ""))  # the form is sent to the address that it was asked at
    if source is None:
        return obstructions.create(account, values)
    origin, number = source
    return obstructions.create(account, values, also=lambda session, row: origin.made(session, account, number, row))


def _outside(error: Forbidden) -> str:
    return _("It reaches beyond your duty: %(why)s", why=error.message)


def _form(typed: Typed, row: Obstruction | None, *, version: int = 0, problems: Any = (), looked: cuts.Cuts | None = None,
          notes: Any = (), columns: dict[str, Any] | None = None, newer: Obstruction | None = None, status: int = 200) -> Any:
    return render_template(
        "shelters_office/obstruction_form.html", typed=typed, row=row, version=version or (row.version if row else 0),
        problems=list(problems), looked=looked, notes=notes, columns=columns, newer=newer, hours=HOURS, box=_box(),
        **_words(utcnow())), status


def act(obstruction_id: uuid.UUID, act: str) -> Any:
    """End it, take it up again, or put its end off. `back=list` returns to the list."""
    account, version = people.here(), request.form.get("version", 0, type=int) or 0
    try:
        if act == "end":
            row = obstructions.end(account, obstruction_id, version)
            flash(_("“%(name)s” is ended. It can be taken up again on its page.", name=row.name_zh))
        elif act == "resume":
            row = obstructions.resume(account, obstruction_id, version)
            flash(_("“%(name)s” counts again.", name=row.name_zh))
        else:
            row = obstructions.extend(account, obstruction_id, version, request.form.get("hours", 0, type=int) or 0)
            flash(_("“%(name)s” now ends %(time)s.", name=row.name_zh, time=when(row.expires_at)))
    except Invalid as error:
        flash(str(error.problems[0].message))
    except Conflict as error:
        flash(str(error.message))
    if request.form.get("back") == "list":
        return redirect(url_for("shelter_office.obstructions"))
    return redirect(url_for("shelter_office.obstruction", obstruction_id=obstruction_id))
