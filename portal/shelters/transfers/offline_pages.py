"""A community's list on a phone without a network: taken with a click, encrypted there, sent back when there is contact.

What a phone keeps is encrypted in the phone under a code that its holder chooses and that never leaves it; see `offline.js`.
The page itself holds nobody's data, so that it may be kept by the service worker as it is.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request, send_from_directory
from flask_babel import gettext as _
from flask_wtf.csrf import generate_csrf
from werkzeug.exceptions import BadRequest

from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.identity import sessions
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import TRANSFERS
from portal.shelters.models import TransferPerson, TransferRound
from portal.shelters.transfers import looks, moves, rights, steps, store, words
from portal.shelters.transfers.here import account_here, community, family_name, goals_of
from portal.shelters.transfers.vault import Secrets
from portal.shelters.transfers.way import Goal

#: So long a phone keeps a list.
HOURS = 24


def add_routes(blueprint: Blueprint) -> None:
    rule, guard = blueprint.add_url_rule, signed_in(TRANSFERS)
    rule("/offline", "offline", guard(offline))
    rule("/sw.js", "worker", worker)
    rule("/session", "session", session)
    rule("/<code>/take", "take", guard(take), methods=["POST"])
    rule("/sync", "sync", sync, methods=["POST"])


def offline() -> str:
    """The page that a phone keeps. Nothing in it tells who asked for it, or of whom a list is."""
    return render_template("transfers/offline.html", table=moves.MOVES, note_for=_note_table(), needs=words.NEEDS,
                           means=words.MEANS, states=words.STATES, acts=words.ACTS, ends=moves.ENDS, most=steps.MOST,
                           spoken=lambda labels: {key: str(label) for key, label in labels.items()})


def _note_table() -> list[str]:
    """Steps that need a note, as `before>after`."""
    return [f"{a}>{b}" for a, after in moves.MOVES.items() for b in after if moves.needs_note(a, b)]


def worker() -> Response:
    """The service worker: beside the pages, so that it serves them and nothing else."""
    directory = f"{current_app.root_path}/shelters/transfers/static"
    answer = send_from_directory(directory, "worker.js", mimetype="text/javascript")
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def session() -> tuple[Response, int]:
    """Who is signed in here, and a token for sending. 401 when nobody is who has the duty."""
    account = current_account()
    if account is None or account.must_change_password or not rights.holds(account):
        return jsonify({}), 401
    return jsonify({"account": str(account.id), "csrf": generate_csrf()}), 200


def take(code: str) -> Response:
    """Everybody of a community with what is sealed, for a phone."""
    account = account_here()
    node = community(account, code)
    listed = looks.to_take(account, code, store.people_query([code]), HOURS)
    round_, now = store.round_over(code), utcnow()
    people = [p for p, _secrets in listed]
    goals, members = goals_of(people, round_, with_steps=True), store.members(people, round_)
    conflicts = steps.conflicts(people, round_.id) if round_ else {}
    return jsonify({
        "account": str(account.id), "region": code, "name": node.name(select_language()), "taken": _ms(now),
        "expires": _ms(now + timedelta(hours=HOURS)), "round": _round(round_),
        "left_out": max(0, store.count(store.people_query([code])) - len(listed)),
        "people": [_person(p, s, goals[p.id], p.id in members, p.id in conflicts) for p, s in listed]})


def sync() -> tuple[Response, int]:
    """Take reports in and answer what became of each, and how everybody of the list stands now. JSON:
    `{region, events: [{ref, person, round, state, seen, note, at}]}`, `at` in milliseconds since 1970 by the phone's clock
    corrected by `sent`, the phone's time of sending."""
    account = current_account()
    if account is None or account.must_change_password or not rights.holds(account):
        return jsonify({}), 401
    sessions.touch()
    try:
        asked = request.get_json()
        region = str(asked["region"])
        observations = [_observation(e, float(asked["sent"])) for e in asked["events"][:steps.MOST]]
    except (BadRequest, KeyError, TypeError, ValueError, OverflowError):
        return jsonify({"message": _("The request could not be understood.")}), 400
    results = steps.record(account, observations) if observations else []
    return jsonify({
        "results": [{"ref": r.ref, "outcome": r.outcome, "state": r.state, "conflict": r.conflict, "message": str(r.message)}
                    for r in results],
        **(_standing(account, region) if rights.sees(account, region) else {"people": []})}), 200


def _observation(event: dict[str, Any], sent: float) -> steps.Observation:
    """A phone's clock may be wrong by hours: what counts is how long before sending it happened."""
    ago = timedelta(milliseconds=min(max(0.0, sent - float(event["at"])), 7 * 24 * 3600e3))
    ref, person, round_ = (uuid.UUID(str(event[name])) for name in ("ref", "person", "round"))
    return steps.Observation(str(ref), person, round_, str(event["state"])[:12], str(event["seen"])[:12], utcnow() - ago,
                             str(event.get("note", ""))[:1000])


def _standing(account: Account, region: str) -> dict[str, Any]:
    listed = looks.at_list(account, region, store.people_query([region]), offline=True)
    round_ = store.round_over(region)
    members, conflicts = store.members(listed, round_), steps.conflicts(listed, round_.id) if round_ else {}
    return {"round": _round(round_), "people": [
        {"id": str(p.id), "state": p.state if p.id in members else "", "conflict": p.id in conflicts} for p in listed]}


def _round(round_: TransferRound | None) -> dict[str, Any] | None:
    return None if round_ is None else {
        "id": str(round_.id), "exercise": round_.exercise, "family": family_name(round_.family),
        "deadline": _ms(round_.deadline) if round_.deadline else None}


def _person(person: TransferPerson, secrets: Secrets, goal: Goal, member: bool, conflict: bool) -> dict[str, Any]:
    language = select_language()
    return {
        "id": str(person.id), "code": person.code, "initials": person.initials, "people": person.people, "needs": person.needs,
        "means": person.means, "helper": person.helper, "note": person.note, "name": secrets.name, "phone": secrets.phone,
        "address": secrets.address, "helper_phone": secrets.helper_phone, "state": person.state if member else "",
        "conflict": conflict, "goal": goal.shelter.name(language) if goal.shelter else "", "minutes": goal.minutes,
        "way": list(goal.steps), "why": str(goal.why)}


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
