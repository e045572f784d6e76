"""The page of how the sending stands: alarms, what is under way, lines, lanes, processes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.desk import state, status_words
from portal.dispatch.issue import EXERCISE_LANES
from portal.dispatch.watch import alarms, facts, metrics, outlook, presence, rules, said, words
from portal.identity.guard import signed_in
from portal.warnings import bulletins
from portal.web.show import TIER_LABELS

SECONDS = 5  # between two looks
STRAYS = "desk.stray_receipts"


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/status/", "status", signed_in()(status))
    blueprint.add_url_rule("/status/now", "status_now", signed_in(touch=False)(status_now))


def status() -> str:
    return render_template("desk/status.html", **_status())


def status_now() -> str:
    """The part of the page that is looked at again and again."""
    return render_template("desk/_status.html", **_status())


def _status() -> dict[str, Any]:
    now, settings = utcnow(), current_settings()
    seen = facts.gather(db.session, now)
    here = outlook.here(seen.processes, now)
    return {
        "facts": seen,
        "outlooks": outlook.outlooks(seen),
        "lines": said.lines(here),
        "here": {p.name for p in here},
        "bulletin_of": {o.dispatch.bulletin_id: bulletins.get(o.dispatch.bulletin_id) for o in seen.open},
        "alarms": [(words.sentence(a), words.ADVICE.get(a.kind, ""), a) for a in alarms.standing(db.session)],
        "past_alarms": [(words.sentence(a), a) for a in alarms.past(db.session)],
        "keepers": [text for p in here if (text := status_words.keeper_ends(p))],
        "gone": len(seen.processes) - len(here),
        "senders": said.SENDERS,
        "silent": bool(seen.processes) and not here,
        "found": rules.findings(seen, settings.alarm_seconds),
        "broker": _broker(here),
        "broker_wanted": bool(settings.broker_url),
        "database": db.engine.dialect.name,
        "strays_endpoint": STRAYS if STRAYS in current_app.view_functions else "",
        "state": state,
        "status_words": status_words,
        "lane_name": lane_name,
        "gone_after": int(presence.GONE.total_seconds()),
        "most_counted": facts.MOST_COUNTED,
        "seconds": SECONDS,
        "moment": now,
        "up": said.UP,
    }


def _broker(here: list[said.Process]) -> str:
    states = {p.broker for p in here} - {said.NONE}
    return said.UP if said.UP in states else said.DOWN if states else said.NONE


def lane_name(lane: int) -> str:
    tier = str(TIER_LABELS[metrics.tier_of(lane)])
    return _("drill, %(tier)s", tier=tier) if lane >= EXERCISE_LANES else tier
