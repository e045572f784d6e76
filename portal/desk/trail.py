"""The audit trail, to read and to check."""

from __future__ import annotations

from itertools import islice

from flask import Blueprint, render_template, request
from sqlalchemy import select

from portal.core import audit
from portal.core.db import db
from portal.identity import rights
from portal.identity.guard import signed_in

PAGE = 50
PROBLEMS_SHOWN = 20


def add_routes(blueprint: Blueprint) -> None:
    guard = signed_in(rights.ADMINISTRATOR, rights.APPROVER)
    blueprint.add_url_rule("/trail/", "trail", guard(trail))
    blueprint.add_url_rule("/trail/verify", "trail_verify", guard(verify), methods=["POST"])


def _page(before: int | None, action: str, actor: str, subject: str) -> tuple[list[audit.AuditEntry], bool]:
    query = select(audit.AuditEntry).order_by(audit.AuditEntry.seq.desc()).limit(PAGE + 1)
    if before:
        query = query.where(audit.AuditEntry.seq < before)
    for column, value in (
        (audit.AuditEntry.action, action),
        (audit.AuditEntry.actor, actor),
        (audit.AuditEntry.subject, subject),
    ):
        if value:
            query = query.where(column.startswith(value, autoescape=True))
    entries = list(db.session.execute(query).scalars())
    return entries[:PAGE], len(entries) > PAGE


def _render(**extra: object) -> str:
    filters = {name: request.args.get(name, "").strip()[:120] for name in ("action", "actor", "subject")}
    entries, more = _page(request.args.get("before", type=int), **filters)
    return render_template("desk/trail.html", entries=entries, more=more, filters=filters, **extra)


def trail() -> str:
    return _render()


def verify() -> str:
    problems = list(islice(audit.verify(db.session), PROBLEMS_SHOWN))
    head = db.session.get(audit.AuditHead, 1)
    return _render(checked=head.seq if head else 0, problems=problems)
