"""The desk's dashboard of shelters: is there room for everybody, has everybody a way, and what is open now."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from portal import current_settings
from portal.core import audit
from portal.core.clock import local, utcnow
from portal.core.db import transaction
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.rights import SHELTERS
from portal.regions import choropleth
from portal.shelters import field
from portal.shelters.field import recompute, wish
from portal.shelters.field import store as versions
from portal.shelters.field.view import FieldView
from portal.shelters.living import reports
from portal.shelters.office import figures, people
from portal.shelters.office.figures import Row, transfer_sums
from portal.shelters.office.shelter_pages import say
from portal.shelters.registry import suitability
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads

PROFILES = ("walk", "step_free")
#: Open shelters that the page names; the list has all of them.
NAMED = 60
#: A field that is older than this while changes wait is told as late.
LATE = timedelta(minutes=2)


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone = blueprint.add_url_rule, signed_in()
    rule("/shelters/", "dashboard", anyone(page))
    rule("/shelters/live", "dashboard_live", signed_in(touch=False)(live_part))
    rule("/shelters/coverage.csv", "coverage_file", anyone(coverage_file))
    rule("/shelters/recompute", "recompute", signed_in(SHELTERS)(recompute_now), methods=["POST"])


def page() -> str:
    now, language = utcnow(), select_language()
    view, layer = field.current(), chosen_layer()
    rows = figures.rows(current_settings().district, view, layer)
    over_time = figures.occupancy(now)
    return render_template(
        "shelters_office/dashboard.html", rows=rows, layer=layer, family=layer.partition(".")[0],
        profile=layer.partition(".")[2], target=figures.TARGET_M2, uncovered=[r for r in rows if r.uncovered],
        unknown=[r for r in rows if r.share is None], sums=_sums(rows), map=_map(rows, language), swatch=choropleth.swatch,
        over_time=over_time[::-1], chart=_chart(over_time), may_keep=people.may_keep(people.here()), profiles=_profiles(),
        has_layer=view is not None and layer in view.layers, **_field_state(view, layer), **_live())


def live_part() -> str:
    """The part that is looked at again and again: what is open now."""
    return render_template("shelters_office/_live_shelters.html", **_live())


def chosen_layer() -> str:
    families = suitability.families()
    family, profile = request.args.get("family", ""), request.args.get("profile", "")
    if family not in families:
        family = "water" if "water" in families else next(iter(families))
    return f"{family}.{profile if profile in PROFILES else PROFILES[0]}"


def _profiles() -> dict[str, Any]:
    return {"walk": _("on foot"), "step_free": _("step-free")}


def _live() -> dict[str, Any]:
    now = utcnow()
    return {"live_now": figures.live(now), "total": figures.in_use(), "conflicts": reports.conflicts(), "named": NAMED,
            "obstructions_now": obstructions.listing(now, limit=1).total,
            "transfers": transfer_sums(people.here(), now), **say(now)}


def _sums(rows: list[Row]) -> dict[str, Any]:
    known = [r for r in rows if r.people and r.share is not None]
    weighed = sum(r.people or 0 for r in known)
    people_all = sum(r.people or 0 for r in rows)
    area = sum(r.capacity.area_m2 for r in rows)
    return {
        "people": people_all, "day": sum(r.capacity.day for r in rows), "night": sum(r.capacity.night for r in rows),
        "indoor": sum(r.capacity.indoor for r in rows), "area": area, "m2": area / people_all if people_all else None,
        "shelters": sum(r.capacity.shelters for r in rows), "unknown": sum(r.capacity.unknown for r in rows),
        "share": sum((r.people or 0) * (r.share or 0) for r in known) / weighed if weighed else None,
        "uncovered": sum(r.uncovered or 0 for r in known), "unplaced": sum(r.unplaced for r in known),
        "expected": round(sum((r.people or 0) * r.expected for r in known))}


def _map(rows: list[Row], language: str) -> Any:
    words = {"met": _("meets the target"), "below": _("below the target"), "none": _("no shelter"), "unknown": _("area unknown")}
    return choropleth.draw(
        {r.node.code: r.verdict for r in rows}, {r.node.code: "—" if r.m2 is None else f"{r.m2:.1f}" for r in rows},
        {r.node.code: _("%(name)s: %(m2)s m² for each inhabitant, %(word)s", name=r.node.name(language),
                        m2="—" if r.m2 is None else f"{r.m2:.2f}", word=words[r.verdict]) for r in rows},
        _("Map: m² of shelter for each inhabitant, by community. The table below says the same."))


def _chart(over_time: list[tuple[Any, int, int]]) -> str:
    zone = current_settings().timezone
    return json.dumps({"at": [round(at.timestamp()) for at, _people, _counted in over_time],
                       "people": [n for _at, n, _counted in over_time],
                       "words": [f"{local(at, zone):%m-%d %H:%M}" for at, _people, _counted in over_time]})


# -- the field -----------------------------------------------------------------------------------------------
def _field_state(view: FieldView | None, layer: str) -> dict[str, Any]:
    """How fresh the ways are: version, age, basis, the last failure, whether changes wait, how long for."""
    now, asked, newest = utcnow(), wish.state(), versions.newest()
    waiting = bool(asked and asked.wanted > asked.done)
    since = asked.first_at if asked and waiting else None
    return {
        "view": view, "newest": newest, "asked": asked, "waiting": waiting, "late": bool(since and now - since > LATE),
        "basis": view.basis(layer) if view and layer in view.layers else "", "graph": roads.newest()}


def recompute_now() -> Any:
    """Compute the field at once. Somebody else's computation is waited for by nobody: it does the same."""
    account = people.here()
    with transaction() as session:
        audit.append(session, account.actor, "field.recompute", "field:now", {})
    if recompute.now("desk"):
        flash(_("The ways were computed anew."))
    elif (asked := wish.state()) and asked.error:
        flash(_("The ways could not be computed; the old ones stay in use. Call whoever runs this server."))
    elif roads.newest() is None:
        flash(_("There are no roads yet, so there are no ways to compute."))
    else:
        flash(_("Nothing has changed: the ways are as they were."))
    current_app.logger.info("recompute asked for at the desk")
    return redirect(url_for("shelter_office.dashboard"))


# -- files out -----------------------------------------------------------------------------------------------
def coverage_file() -> Response:
    """The table by community as CSV, with a byte order mark so that spreadsheets read it as UTF-8."""
    layer, language = chosen_layer(), select_language()
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("Code"), _("Subdistrict"), _("Community"), _("People"), _("Shelters"), _("Places by day"),
                     _("Places by night"), _("Indoor places"), _("Effective area (m²)"), _("m² for each inhabitant"),
                     _("People who reach a shelter (%)"), _("People who reach none"), _("Expected people without a place"),
                     _("Minutes, middle"), _("Hazard and profile")])
    for r in figures.rows(current_settings().district, field.current(), layer):
        c = r.capacity
        writer.writerow([r.node.code, r.street.name(language) if r.street else "", r.node.name(language), _cell(r.people),
                         c.shelters, c.day, c.night, c.indoor, f"{c.area_m2:g}", _cell(r.m2, ".2f"),
                         _cell(None if r.share is None else r.share * 100, ".1f"), _cell(r.uncovered),
                         r.unplaced, _cell(r.minutes), layer])
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="coverage-{layer}-{utcnow():%Y%m%d}.csv"'})


def _cell(value: float | None, form: str = "g") -> str:
    return "" if value is None else format(value, form)
