"""What every horn did with a bulletin, and the registry of all horns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, abort, render_template, request
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.channels.speakers import registry
from portal.channels.speakers.models import Speaker
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.i18n import select_language
from portal.desk import labels, maps, state
from portal.desk.warning_pages import NO_MORE, found
from portal.dispatch import progress
from portal.dispatch.models import SPEAKERS
from portal.dispatch.progress import Horn
from portal.identity.guard import signed_in
from portal.regions import lookup
from portal.warnings import bulletins
from portal.warnings.models import Bulletin

#: Horns of a group on one page; the first page of all groups shows fewer of each.
PAGE, GLANCE = 200, 60
#: Groups in the order in which an officer reads them, each with the states that belong to it.
GROUPS = {
    "bad": (_l("Failed, refused or interrupted"), ("failed", "refused", "expired", "preempted", "stopped", "uncertain", "invalid",
                                                "opted_out")),
    "none": (_l("No answer yet"), ("pending",)),
    "some": (_l("Command taken, not yet spoken"), ("accepted", "heard")),
    "good": (_l("Speaking or spoken"), ("playing", "finished")),
}
PROBLEMS = ("bad", "none")
#: Groups of the registry, each with the states (as shown) that belong to it.
CONTACT = {"offline": ("offline", "silent", "unknown"), "fault": ("fault",), "playing": ("playing",),
           "online": ("online", "playing", "fault")}
LISTED, SIGNS = 50, 500


@dataclass
class Group:
    """Horns that did alike. `horns` are those of this page, `total` counts all."""

    key: str
    label: Any
    total: int = 0
    horns: list[Horn] = field(default_factory=list)


def add_routes(blueprint: Blueprint) -> None:
    rule, anyone = blueprint.add_url_rule, signed_in()
    rule("/warnings/<number>/horns", "horns", anyone(horns))
    rule("/warnings/<number>/horns/now", "horns_now", signed_in(touch=False)(horns_now))
    rule("/horns/", "horn_registry", anyone(horn_registry))


# -- of one bulletin -----------------------------------------------------------------------------------------
def horns(number: str) -> str:
    return render_template("desk/horns.html", **_horns(number))


def horns_now(number: str) -> Response:
    here = _horns(number)
    return Response(render_template("desk/_horns.html", **here), status=200 if here["interval"] else NO_MORE)


def _horns(number: str) -> dict[str, Any]:
    item, now = found(number), utcnow()
    chain = bulletins.of_warning(db.session, item.id)
    bulletin = _chosen(chain)
    parts = [p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == SPEAKERS]
    everything = progress.horns(parts[0].dispatch.id) if parts else []
    show, page = request.args.get("show", ""), max(1, request.args.get("page", 1, type=int))
    groups = _groups(everything)
    shown = [g for g in groups if g.total and (not show or g.key == show or (show == "problems" and g.key in PROBLEMS))]
    size = PAGE if show in GROUPS else GLANCE
    pages = max([1, *(-(-g.total // size) for g in shown)]) if show in GROUPS else 1
    page = min(page, pages)
    for group in shown:
        group.horns = group.horns[(page - 1) * size : page * size]
    return {
        "warning": item,
        "bulletin": bulletin,
        "chain": chain,
        "groups": groups,
        "shown": shown,
        "show": show,
        "page": page,
        "pages": pages,
        "total": len(everything),
        "problems": sum(g.total for g in groups if g.key in PROBLEMS),
        "map": maps.horns(bulletin, everything),
        "state_shown": registry.state_shown,
        "street": street_of,
        "moment": now,
        "interval": state.interval(parts[0], now) and max(5, state.interval(parts[0], now)) if parts else 0,
    }


def _chosen(chain: Sequence[Bulletin]) -> Bulletin:
    wanted = request.args.get("bulletin", type=int) or (chain[-1].position if chain else 1)
    return next((b for b in chain if b.position == wanted), None) or abort(404)


def _groups(everything: Sequence[Horn]) -> list[Group]:
    groups = {key: Group(key, label) for key, (label, _states) in GROUPS.items()}
    key_of = {status: key for key, (_label, states) in GROUPS.items() for status in states}
    for horn in everything:
        group = groups[key_of.get(horn.status, "bad")]
        group.total += 1
        group.horns.append(horn)
    return list(groups.values())


def street_of(code: str) -> str:
    """“Street · community”, as far as it is known."""
    node = lookup.get(code)
    parent = lookup.get(code[:9] + "000") if node and node.level == "community" else None
    language = select_language()
    return " · ".join(n.name(language) for n in (parent, node) if n) or code


# -- all -----------------------------------------------------------------------------------------------------
def horn_registry() -> str:
    now, district = utcnow(), current_settings().district
    streets = lookup.children(district)
    chosen = {
        "region": request.args.get("region", ""),
        "state": request.args.get("state", ""),
        "text": request.args.get("text", "").strip()[:80],
    }
    if chosen["region"] not in {s.code for s in streets}:
        chosen["region"] = ""
    if chosen["state"] not in CONTACT:
        chosen["state"] = ""
    where = [chosen["region"] or district]
    after = min(max(0, request.args.get("after", 0, type=int)), 2**63 - 1)
    listed = _listed(where, chosen, after, now, LISTED + 1)
    signs = _listed(where, chosen, 0, now, SIGNS + 1)
    return render_template(
        "desk/horn_registry.html",
        streets=streets,
        chosen=chosen,
        after=after,
        horns=listed[:LISTED],
        more=len(listed) > LISTED,
        health=registry.health(where, now),
        by_street=[(s, registry.health([s.code], now)) for s in streets],
        map=maps.registry(where[0], signs[:SIGNS], now),
        signs_left_out=len(signs) > SIGNS,
        state_shown=registry.state_shown,
        street=street_of,
        states=labels.DEVICES,
        moment=now,
    )


def _listed(where: list[str], chosen: dict[str, str], after: int, now: datetime, limit: int) -> list[Speaker]:
    """At most `limit` horns after the id `after` that are as chosen. Silence is a matter of time, so states are told
    apart here, a page of the registry at a time."""
    states, kept = CONTACT.get(chosen["state"]), []
    while True:
        page = registry.list_speakers(where, text=chosen["text"], after_id=after, limit=500)
        kept += [s for s in page if states is None or registry.state_shown(s, now) in states]
        if len(kept) >= limit or len(page) < 500:
            return kept[:limit]
        after = page[-1].id
