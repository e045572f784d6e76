"""The desk's pages of shelters: the list with its filters, and one shelter with all that is known of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.guard import signed_in
from portal.identity.rights import SHELTERS, require_in
from portal.regions import lookup
from portal.shelters.living import reports
from portal.shelters.models import STATUSES, Shelter
from portal.shelters.office import people
from portal.shelters.registry import freshness, store, suitability, words
from portal.shelters.registry.exchange import MEDIA_TYPES, export

LISTED, HISTORY = 50, 30
#: The largest that a column of ids holds.
LARGEST_ID = 2**63 - 1
#: Hours for which a status set at the desk may be declared valid.
VALID = ("", "2", "6", "12", "24")
#: What may be missing of a shelter, and how that is seen.
MISSING: dict[str, tuple[Any, Callable[[Shelter], bool]]] = {
    "place": (_l("place"), lambda s: s.longitude is None),
    "region": (_l("community"), lambda s: s.region_code is None),
    "entrances": (_l("entrances"), lambda s: not s.entrances),
    "suitability": (_l("suitability for some hazard"), lambda s: any(suitability.verdict(s, h) is None
                                                                     for h in suitability.HAZARDS)),
    "capacity": (_l("places by day or night"), lambda s: s.capacity_day is None or s.capacity_night is None),
    "step_free": (_l("step-free way in"), lambda s: s.step_free is None),
    "status": (_l("status"), lambda s: s.status is None),
    "contact": (_l("contact"), lambda s: not s.contact_phone),
}
STALE, NEVER = "stale", "never"


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone, keeper = blueprint.add_url_rule, signed_in(), signed_in(SHELTERS)
    rule("/shelters/list/", "shelters", anyone(listing))
    rule("/shelters/<int:shelter_id>/", "shelter", anyone(single))
    rule("/shelters/<int:shelter_id>/status", "shelter_status", keeper(set_status), methods=["POST"])
    rule("/shelters/<int:shelter_id>/<any(retire, restore):act>", "shelter_act", keeper(act), methods=["POST"])
    rule("/shelters/export/<any(csv, geojson, jp):kind>", "shelter_export", anyone(download))


# -- the list ------------------------------------------------------------------------------------------------
def listing() -> str:
    now, args = utcnow(), request.args
    streets, families = people.streets(), suitability.families()
    allowed: dict[str, Any] = {
        "region": {node.code for s in streets for node in (s, *s.children)}, "space": words.SPACES,
        "status": {*STATUSES, STALE, NEVER}, "family": families, "missing": MISSING, "retired": {"1"}}
    chosen = {name: value if (value := args.get(name, "")) in known else "" for name, known in allowed.items()}
    chosen["text"] = " ".join(args.get("text", "").split())[:80]
    where = [chosen["region"]] if chosen["region"] else None
    rows = store.search(chosen["text"], where) if chosen["text"] else store.listing(where, retired=chosen["retired"] == "1")
    rows = [s for s in rows if _matches(s, chosen, now)]
    page = max(1, min(args.get("page", 1, type=int), 10_000))
    return render_template(
        "shelters_office/shelters.html", rows=rows[(page - 1) * LISTED:page * LISTED], total=len(rows), page=page,
        pages=max(1, -(-len(rows) // LISTED)), chosen=chosen, filtered=any(chosen.values()), streets=streets, missing=MISSING,
        may_keep=people.may_keep(people.here()), cut_off=bool(chosen["text"]) and len(rows) >= store.MAX_FOUND, **say(now))


def _matches(shelter: Shelter, chosen: dict[str, str], now: datetime) -> bool:
    if chosen["space"] and shelter.space not in (chosen["space"], "both"):
        return False
    stale = freshness.is_stale(shelter, now)
    if chosen["status"] and not {STALE: stale, NEVER: shelter.status is None}.get(
            chosen["status"], shelter.status == chosen["status"] and not stale):
        return False
    if chosen["family"] and suitability.suits(shelter, suitability.families()[chosen["family"]]) is not True:
        return False
    if chosen["retired"] and shelter.retired_at is None:
        return False
    return not chosen["missing"] or MISSING[chosen["missing"]][1](shelter)


def say(now: datetime) -> dict[str, Any]:
    """What templates of shelters need to say them."""
    return {
        "words": words, "families": suitability.families(), "hazards": suitability.HAZARDS, "verdict": suitability.verdict,
        "suits": suitability.suits, "is_stale": lambda s: freshness.is_stale(s, now), "mark": lambda s: mark(s, now),
        "free_places": lambda s: freshness.free_places(s, now), "moment": now, "street": street_of,
        "statuses": words.STATUSES}


def mark(shelter: Shelter, now: datetime) -> str:
    """The sign that goes with the word of a status: good, some, bad or none."""
    if shelter.status is None or freshness.is_stale(shelter, now):
        return "none"
    return {"open": "good", "nearly_full": "some", "opening": "some", "full": "bad", "unsafe": "bad"}.get(shelter.status, "none")


def street_of(code: str | None) -> str:
    """“Street · community”, as far as it is known."""
    node = lookup.get(code) if code else None
    parent = lookup.get(node.code[:9] + "000") if node else None
    language = select_language()
    return " · ".join(n.name(language) for n in (parent, node) if n) or code or _("unknown")


# -- one -----------------------------------------------------------------------------------------------------
def found(shelter_id: int) -> Shelter:
    return (store.get(shelter_id) if shelter_id <= LARGEST_ID else None) or abort(404)


def single(shelter_id: int) -> str:
    return page_of(found(shelter_id))


def page_of(shelter: Shelter, problems: Any = (), typed: Any = None) -> str:
    now, account = utcnow(), people.here()
    history = reports.history(shelter.id, HISTORY)
    return render_template(
        "shelters_office/shelter.html", shelter=shelter, history=history, may=people.may_keep_in(account, shelter.region_code),
        conflicts=reports.conflicts(shelter_ids=[shelter.id]), problems=list(problems), typed=typed or {}, valid=VALID,
        ref=str(uuid.uuid4()), seen=history[0].id if history else 0, warnings=store.warnings(store.values_of(shelter)),
        **say(now))


def set_status(shelter_id: int) -> Any:
    """A report made at the desk: it is one observation among others, and the newest wins."""
    account, shelter, form = people.here(), found(shelter_id), request.form
    require_in(account, SHELTERS, [shelter.region_code or current_settings().district])
    now = utcnow()
    try:
        count = form.get("occupancy", "").strip()
        if count and not (count.isascii() and count.isdigit() and len(count) <= 7):
            raise Invalid.one("occupancy", _("Write the number of people in digits, or leave it empty."))
        hours = form.get("valid", "")
        with transaction() as session:
            made = reports.report(
                session, shelter_id, ref=form.get("ref", ""), status=form.get("status") or None,
                occupancy=int(count) if count else None, note=form.get("note", "")[:1000], observed_at=now,
                valid_until=now + timedelta(hours=int(hours)) if hours in VALID and hours else None, source=reports.DESK,
                reporter=account.display_name, seen_id=min(max(0, form.get("seen", 0, type=int)), LARGEST_ID))
    except Invalid as error:
        return page_of(found(shelter_id), error.problems, form), 422
    except Conflict as error:
        return page_of(found(shelter_id), [Problem("", error.message)], form), 409
    flash(_("Written down. Somebody else reported something different meanwhile: look below.") if made.conflict
          else _("Written down: it is the shelter's state now."))
    return redirect(url_for("shelter_office.shelter", shelter_id=shelter_id))


def act(shelter_id: int, act: str) -> Any:
    """Take it out of use, or bring it back; each undoes the other."""
    rule = store.retire if act == "retire" else store.restore
    try:
        shelter = rule(people.here(), found(shelter_id).id, request.form.get("version", type=int))
    except Conflict as error:
        flash(str(error.message))
    else:
        flash(_("“%(name)s” is out of use. It can be brought back on this page.", name=shelter.name(select_language()))
              if act == "retire" else _("“%(name)s” is in use again.", name=shelter.name(select_language())))
    return redirect(url_for("shelter_office.shelter", shelter_id=shelter_id))


# -- files out -----------------------------------------------------------------------------------------------
def download(kind: str) -> Response:
    """All shelters of the district, or of `?region=`, as a file."""
    region = request.args.get("region", "")
    where = [region] if region in {s.code for s in people.streets()} else None
    media, ending = MEDIA_TYPES[kind]
    # Read whole before anything is sent: a fault in the middle must not look like a short file.
    content = b"".join(export(kind, where))
    name = f"shelters{'-jp' if kind == 'jp' else ''}-{utcnow():%Y%m%d}.{ending}"
    return Response(content, content_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})
