"""What is in force now, and how far each bulletin has come."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.desk import maps
from portal.dispatch import progress, stop, tallies
from portal.dispatch.models import SMS, SPEAKERS, WEB
from portal.identity import rights
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.regions import lookup
from portal.warnings import bulletins, drafts, hazards, review
from portal.warnings.models import IN_FORCE, SUBMITTED, Warning

CHANNEL_LABELS = {SMS: _l("Text messages"), SPEAKERS: _l("Loudspeakers"), WEB: _l("Public page and feed")}
STATE_LABELS = {
    "planning": _l("planning"),
    "running": _l("sending"),
    "done": _l("done"),
    "stopped": _l("stopped"),
    "expired": _l("expired"),
}
END_LABELS = {
    tallies.ACCEPTED: _l("taken by the carrier"),
    tallies.FAILED: _l("failed"),
    tallies.OPTED_OUT: _l("opted out"),
    tallies.INVALID: _l("no such number"),
    tallies.EXPIRED: _l("not sent: expired"),
    tallies.STOPPED: _l("not sent: stopped"),
    tallies.UNCERTAIN: _l("uncertain: a process ended while sending"),
}
STAGE_LABELS = {
    "sent": _l("on the way"),
    "delivered": _l("delivered"),
    "undelivered": _l("not delivered"),
    "failed": _l("failed"),
    "heard": _l("command taken"),
    "playing": _l("speaking"),
    "finished": _l("spoken to the end"),
    "preempted": _l("interrupted by a more urgent one"),
    "stopped": _l("stopped"),
    "expired": _l("too late, not spoken"),
    "refused": _l("refused the command"),
}
HORN_LABELS = END_LABELS | STAGE_LABELS | {tallies.ACCEPTED: _l("command taken"), "pending": _l("no answer yet")}
KIND_LABELS = {"alert": _l("Warning"), "update": _l("Update"), "cancel": _l("All-clear")}
WARNING_STATES = {"in_force": _l("in force"), "cancelled": _l("all-clear given"), "expired": _l("expired")}
HISTORY_LIMIT = 200


def add_routes(blueprint: Blueprint) -> None:
    # Pages of other rooms (accounts, the sandbox) stand in the desk's layout too.
    blueprint.app_context_processor(lambda: _everywhere() if g.get("surface") == "desk" else {})
    blueprint.add_url_rule("/", "board", signed_in()(board))
    blueprint.add_url_rule("/live", "live_bar", signed_in(touch=False)(live_bar))
    blueprint.add_url_rule("/warnings/", "history", signed_in()(history))
    blueprint.add_url_rule("/warnings/<number>/", "warning", signed_in()(warning))
    blueprint.add_url_rule("/warnings/<number>/progress", "progress", signed_in(touch=False)(warning_progress))
    blueprint.add_url_rule("/warnings/<number>/horns", "horns", signed_in()(horns))
    blueprint.add_url_rule("/warnings/<number>/cap/<int:position>.xml", "bulletin_cap", signed_in()(bulletin_cap))
    blueprint.add_url_rule(
        "/dispatches/<uuid:dispatch_id>/stop", "stop", signed_in(rights.APPROVER)(stop_dispatch), methods=["POST"]
    )


def _everywhere() -> dict[str, Any]:
    """What the layout and most pages of the desk need."""
    account = current_account()
    return {
        "account": account,
        "live": bulletins.live() if account else [],
        "hazard_name": hazard_name,
        "area_names": area_names,
        "can_draft": bool(account and rights.has_role(account, rights.DRAFTER)),
        "can_approve": bool(account and rights.has_role(account, rights.APPROVER)),
        "is_administrator": bool(account and rights.has_role(account, rights.ADMINISTRATOR)),
        "channel_labels": CHANNEL_LABELS,
        "state_labels": STATE_LABELS,
        "end_labels": END_LABELS,
        "stage_labels": STAGE_LABELS,
        "horn_labels": HORN_LABELS,
        "kind_labels": KIND_LABELS,
        "warning_states": WARNING_STATES,
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


def _account() -> Account:
    return current_account() or abort(401)


def board() -> str:
    account = _account()
    waiting = drafts.listing(statuses=(SUBMITTED,))
    mine = [d for d in waiting if review.APPROVE in review.possible_moves(account, d, current_settings())]
    live = bulletins.live()
    return render_template(
        "desk/board.html",
        waiting=waiting,
        mine=mine,
        progress={w.id: _newest(w) for w in live},
        recent=[w for w in bulletins.recent(8) if w.state != IN_FORCE],
    )


def _newest(warning: Warning) -> list[progress.Progress]:
    chain = bulletins.of_warning(db.session, warning.id)
    return progress.of_bulletin(chain[-1].id) if chain else []


def live_bar() -> str:
    return render_template("desk/_live.html")


def history() -> str:
    drills = request.args.get("show") == "drills"
    found = [w for w in bulletins.recent(HISTORY_LIMIT) if w.exercise == drills]
    return render_template("desk/history.html", warnings=found, drills=drills, limit=HISTORY_LIMIT)


def _found(number: str) -> Warning:
    return bulletins.warning_by_number(number) or abort(404)


def warning(number: str) -> str:
    item = _found(number)
    account = _account()
    chain = bulletins.of_warning(db.session, item.id)
    return render_template(
        "desk/warning.html",
        warning=item,
        chain=chain[::-1],
        progress=progress.of_warning(item.id),
        open_drafts=[d for d in drafts.listing(statuses=("editing", "submitted")) if d.warning_id == item.id],
        may_draft=rights.may(account, rights.DRAFTER, item.region_codes, item.tier),
        may_stop=rights.may(account, rights.APPROVER, item.region_codes, item.tier),
        map=maps.area(chain[-1]) if chain else "",
        moving=_moving(item),
    )


def _moving(item: Warning) -> bool:
    """Whether anything of the warning still changes, so that the page should look again."""
    return any(p.dispatch.ended_at is None or p.silent for found in progress.of_warning(item.id).values() for p in found)


def warning_progress(number: str) -> str:
    item = _found(number)
    return render_template(
        "desk/_progress.html",
        warning=item,
        chain=bulletins.of_warning(db.session, item.id)[::-1],
        progress=progress.of_warning(item.id),
        moving=_moving(item),
        may_stop=rights.may(_account(), rights.APPROVER, item.region_codes, item.tier),
    )


def horns(number: str) -> str:
    item = _found(number)
    chain = bulletins.of_warning(db.session, item.id)
    wanted = request.args.get("bulletin", type=int) or (chain[-1].position if chain else 1)
    bulletin = next((b for b in chain if b.position == wanted), None) or abort(404)
    parts = [p for p in progress.of_bulletin(bulletin.id) if p.dispatch.channel == SPEAKERS]
    found = progress.horns(parts[0].dispatch.id) if parts else []
    return render_template(
        "desk/horns.html",
        warning=item,
        bulletin=bulletin,
        chain=chain,
        horns=found,
        map=maps.horns(bulletin, found),
        now=utcnow(),
    )


def bulletin_cap(number: str, position: int) -> Response:
    """The frozen bytes, drills included: at the desk they may be seen."""
    item = _found(number)
    chain = bulletins.of_warning(db.session, item.id)
    bulletin = next((b for b in chain if b.position == position), None) or abort(404)
    return Response(
        bulletin.cap,
        content_type="application/cap+xml; charset=utf-8",
        headers={"Content-Disposition": f'inline; filename="{bulletin.identifier}.xml"'},
    )


def stop_dispatch(dispatch_id: Any) -> Any:
    dispatch = stop.stop(_account(), dispatch_id)
    item = bulletins.warning(dispatch.warning_id)
    flash(_("Stopped. What was handed over before cannot be called back; to tell people that it is over, give the all-clear."))
    return redirect(url_for("desk.warning", number=item.number))
