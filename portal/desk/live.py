"""What is in force now: the bar that every page of the desk has, and the board."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, abort, g, render_template
from flask_babel import gettext as _

from portal import current_settings
from portal.channels.speakers import registry
from portal.core.clock import utcnow
from portal.core.db import db
from portal.desk import labels, state
from portal.dispatch import progress
from portal.dispatch.watch import banner
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import lookup
from portal.shelters.living import offers
from portal.site import standing
from portal.warnings import bulletins, drafts, hazards, review
from portal.warnings.models import IN_FORCE, SUBMITTED, Draft, Warning
from portal.web.show import TIER_LABELS

RECENT = 8


def add_routes(blueprint: Blueprint) -> None:
    # Pages of other rooms (accounts, the sandbox) stand in the desk's layout too.
    blueprint.app_context_processor(lambda: _everywhere() if g.get("surface") == "desk" else {})
    blueprint.add_url_rule("/", "board", signed_in()(board))
    blueprint.add_url_rule("/now", "board_now", signed_in(touch=False)(board_now))
    blueprint.add_url_rule("/live", "live_bar", signed_in(touch=False)(live_bar))


def _everywhere() -> dict[str, Any]:
    """What the layout and most pages of the desk need."""
    account = current_account()
    return {
        "account": account,
        "live": live_now() if account else [],
        "for_me": waiting_for(account) if account else [],
        "standstill": banner.sentences(db.session, utcnow(), current_settings().alarm_seconds) if account else [],
        "hazard_name": hazard_name,
        "area_names": area_names,
        "time_left": state.time_left,
        "tier_words": tier_words,
        "can_draft": bool(account and rights.has_role(account, rights.DRAFTER)),
        "can_approve": bool(account and rights.has_role(account, rights.APPROVER)),
        "is_administrator": bool(account and rights.has_role(account, rights.ADMINISTRATOR)),
        "channel_labels": labels.CHANNELS,
        "state_labels": labels.STATES,
        "end_labels": labels.ENDS,
        "device_end_labels": labels.DEVICE_ENDS,
        "stage_labels": labels.STAGES,
        "horn_labels": labels.HORNS,
        "message_labels": labels.MESSAGE_KINDS,
        "kind_labels": labels.KINDS,
        "warning_states": labels.WARNING_STATES,
        "device_labels": labels.DEVICES,
        "error_words": labels.error,
    }


def hazard_name(code: str, language: str) -> str:
    hazard = hazards.catalogue().get(code)
    return hazard.name(language) if hazard else code


def area_names(codes: list[str], language: str, limit: int = 3) -> str:
    """The first few names, and how many there are when there are more."""
    names = lookup.names(codes)
    shown = [names.get(code, {}).get(language, code) for code in codes[:limit]]
    text = ("、" if language == "zh" else ", ").join(shown)
    return text if len(codes) <= limit else _("%(names)s and %(n)d more", names=text, n=len(codes) - limit)


def tier_words(tiers: Iterable[str]) -> str:
    return str(_(", ")).join(str(TIER_LABELS[tier]) for tier in tiers)


def waiting_for(account: Account) -> list[Draft]:
    """Drafts that this account may approve, those that wait longest first."""
    if not rights.has_role(account, rights.APPROVER):
        return []
    settings, found = current_settings(), drafts.listing(statuses=(SUBMITTED,))
    mine = [d for d in found if review.APPROVE in review.possible_moves(account, d, settings)]
    return sorted(mine, key=lambda d: d.submitted_at or d.changed_at)


def live_now() -> list[Warning]:
    """What is in force: real warnings before drills, the most severe first."""
    return sorted(bulletins.live(), key=lambda w: w.exercise)


def board() -> str:
    return render_template("desk/board.html", **_board())


def board_now() -> str:
    """The part of the board that is looked at again and again."""
    return render_template("desk/_board.html", **_board())


def _board() -> dict[str, Any]:
    account, now = current_account() or abort(401), utcnow()
    mine = {d.id for d in waiting_for(account)}
    newest = {w.id: _newest(w) for w in bulletins.live()}
    recent = [w for w in bulletins.recent(RECENT * 2) if w.state != IN_FORCE][:RECENT]
    return {
        "shelters": {w.id: offer for w in [*bulletins.live(), *recent] if (offer := offers.of(w))},
        "others": [d for d in drafts.listing(statuses=(SUBMITTED,)) if d.id not in mine],
        "progress": newest,
        "troubles": {key: [(p, said) for p in found for said in state.troubles(p, now)] for key, found in newest.items()},
        "state": state,
        "recent": recent,
        "pages_trouble": standing.words(standing.look(current_settings(), now), current_settings()),
        "health": registry.health([current_settings().district], now),
        "interval": state.QUICK if any(state.interval(p, now) == state.QUICK for found in newest.values() for p in found)
        else state.SLOW,
        "moment": now,
    }


def _newest(warning: Warning) -> list[progress.Progress]:
    chain = bulletins.of_warning(db.session, warning.id)
    return progress.of_bulletin(chain[-1].id) if chain else []


def live_bar() -> str:
    return render_template("desk/_live.html")
