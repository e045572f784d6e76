"""The audit trail, to read and to check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice

from flask import Blueprint, render_template, request
from sqlalchemy import Select, or_, select

from portal import current_settings
from portal.core import audit
from portal.core.audit import AuditEntry
from portal.core.clock import from_local
from portal.core.db import db
from portal.desk import deeds
from portal.identity import rights
from portal.identity.guard import current_account, signed_in

PAGE = 50
PROBLEMS_SHOWN = 20
ACTORS_OFFERED = 300
FILTERS = ("act", "actor", "subject", "since", "until")


def add_routes(blueprint: Blueprint) -> None:
    guard = signed_in(rights.ADMINISTRATOR, rights.APPROVER)
    blueprint.add_url_rule("/trail/", "trail", guard(trail))
    blueprint.add_url_rule("/trail/verify", "trail_verify", guard(verify), methods=["POST"])


def _narrowed(query: Select, filters: dict[str, str]) -> Select:
    group = deeds.GROUPS.get(filters["act"])
    if group:
        query = query.where(or_(*(AuditEntry.action.startswith(start, autoescape=True) for start in group[1])))
    elif filters["act"]:
        query = query.where(AuditEntry.action == filters["act"])
    if filters["actor"]:
        query = query.where(AuditEntry.actor == filters["actor"])
    if filters["subject"]:
        query = query.where(AuditEntry.subject == filters["subject"])
    zone = current_settings().timezone
    if day := _day(filters["since"]):
        query = query.where(AuditEntry.at >= from_local(datetime.combine(day, time()), zone))
    if day := _day(filters["until"]):
        query = query.where(AuditEntry.at < from_local(datetime.combine(day + timedelta(days=1), time()), zone))
    return query


def _day(text: str) -> date | None:
    """A day as a date field sends it; None for anything else, and for days beyond all calendars."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if date(2000, 1, 1) <= found <= date(9000, 1, 1) else None


def _page(filters: dict[str, str], before: int | None) -> tuple[list[AuditEntry], bool]:
    query = _narrowed(select(AuditEntry), filters).order_by(AuditEntry.seq.desc()).limit(PAGE + 1)
    if before:
        query = query.where(AuditEntry.seq < before)
    entries = list(db.session.execute(query).scalars())
    return entries[:PAGE], len(entries) > PAGE


def _account_names(entries: Sequence[AuditEntry]) -> dict[str, str]:
    """User names by account id, as the trail itself tells them: the entry that made the account, or one that it made."""
    wanted = {e.subject for e in entries if e.subject.startswith("account:")}
    names = {e.actor_id: e.actor for e in entries if e.actor_id}
    made = select(AuditEntry).where(AuditEntry.action == "identity.create", AuditEntry.subject.in_(wanted))
    for entry in db.session.execute(made).scalars() if wanted else ():
        names.setdefault(entry.subject.partition(":")[2], str(entry.details.get("username", "")))
    return names


def _render(**extra: object) -> str:
    account = current_account()
    filters = {name: request.args.get(name, "").strip()[:120] for name in FILTERS}
    before = request.args.get("before", type=int)
    entries, more = _page(filters, before if before and 0 < before < 2**63 else None)
    names = _account_names(entries)
    accounts_open = bool(account and rights.has_role(account, rights.ADMINISTRATOR))
    actors = db.session.execute(select(AuditEntry.actor).distinct().order_by(AuditEntry.actor).limit(ACTORS_OFFERED)).scalars()
    return render_template(
        "desk/trail.html",
        deeds=[deeds.read(e, accounts_open=accounts_open, account_names=names) for e in entries],
        more=more,
        before=before,
        filters=filters,
        given={k: v for k, v in filters.items() if v},
        actors=list(actors),
        groups=deeds.GROUPS,
        acts=deeds.ACTS,
        **extra,
    )


def trail() -> str:
    return _render()


def verify() -> str:
    """Walk the whole trail; what is wrong with it stands above the entries."""
    problems = list(islice(audit.verify(db.session), PROBLEMS_SHOWN))
    head = db.session.get(audit.AuditHead, 1)
    return _render(checked=head.seq if head else 0, problems=problems, problems_shown=PROBLEMS_SHOWN)
