"""The audit trail: who did what, when, to what; append-only and chained.

Each entry carries an HMAC over its own content and the entry before it, so that a changed, removed or
inserted entry is found by :func:`verify`, also when its maker could write to the database but had no key.
The head row holds the count and the last link, so that a removed tail is found too.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import String, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.clock import utcnow
from portal.core.db import Base, BigId, Json, UtcDateTime

GENESIS = "0" * 64


class AuditEntry(Base):
    """One act. `actor` is an account's name, or `system`; `subject` is `kind:id`."""

    __tablename__ = "audit_entry"
    seq: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor_id: Mapped[str | None] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(120), index=True)
    details: Mapped[dict[str, Any]] = mapped_column(Json)
    link: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The single row that appenders lock: number and link of the last entry."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigId)
    link: Mapped[str] = mapped_column(String(64))


@dataclass(frozen=True)
class Actor:
    """Who acts. `id` is None for the system itself."""

    id: str | None
    name: str


SYSTEM = Actor(None, "system")


def _key() -> bytes:
    secret = current_app.config["SECRET_KEY"]
    return hashlib.sha256(b"anlan audit trail\0" + (secret if isinstance(secret, bytes) else secret.encode())).digest()


def _link(
    key: bytes,
    previous: str,
    seq: int,
    at: datetime,
    actor_id: str | None,
    actor: str,
    action: str,
    subject: str,
    details: dict[str, Any],
) -> str:
    body = json.dumps(
        [previous, seq, at.isoformat(), actor_id, actor, action, subject, details],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def serialise(session: Session) -> AuditHead:
    """Take the trail's place in the queue: no other transaction appends until this one ends."""
    return _lock_head(session) or _first_head(session)


def _lock_head(session: Session) -> AuditHead | None:
    return session.execute(
        select(AuditHead).where(AuditHead.id == 1).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()


def _first_head(session: Session) -> AuditHead:
    """Make the head row, or find it when another transaction made it in the same moment."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(AuditHead).values(id=1, seq=0, link=GENESIS).on_conflict_do_nothing())
    head = _lock_head(session)
    if head is None:
        raise RuntimeError("the head of the audit trail can be neither made nor found")
    return head


def append(session: Session, actor: Actor, action: str, subject: str, details: dict[str, Any] | None = None) -> AuditEntry:
    """Append one entry inside the caller's write transaction; it stands or falls with what it tells of.

    `details` holds JSON values only, and never a phone number or a secret.
    """
    head = serialise(session)
    details = _storable(details or {})
    at, seq = utcnow(), head.seq + 1
    link = _link(_key(), head.link, seq, at, actor.id, actor.name, action, subject, details)
    entry = AuditEntry(
        seq=seq, at=at, actor_id=actor.id, actor=actor.name, action=action, subject=subject, details=details, link=link
    )
    session.add(entry)
    head.seq, head.link = seq, link
    session.flush()
    return entry


def _storable(details: dict[str, Any]) -> dict[str, Any]:
    """`details` in a form that comes back from either database as it went in: PostgreSQL keeps numbers as decimals
    (1e22 becomes a whole number, -0.0 loses its sign) and takes neither NaN, nor NUL, nor half a character."""

    def number(text: str) -> float | int:
        value = float(text)
        return int(value) if value.is_integer() and abs(value) >= 1e15 else value + 0.0

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        if isinstance(value, list):
            return [clean(item) for item in value]
        return {clean(k): clean(v) for k, v in value.items()} if isinstance(value, dict) else value

    return clean(json.loads(json.dumps(details, default=str), parse_float=number, parse_constant=str))


def verify(session: Session) -> Iterator[str]:
    """Walk the whole trail in bounded memory and yield one sentence for each thing that is wrong. Ends the session's
    reading first: entries and head must be of one moment, or a trail that grows meanwhile would look broken."""
    session.rollback()
    if session.get_bind().dialect.name == "postgresql":  # SQLite reads one moment by itself
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    key, previous, expected = _key(), GENESIS, 1
    for entry in session.execute(select(AuditEntry).order_by(AuditEntry.seq).execution_options(yield_per=1000)).scalars():
        if entry.seq != expected:
            yield f"entry {expected} is missing (the next one found is {entry.seq})"
        link = _link(key, previous, entry.seq, entry.at, entry.actor_id, entry.actor, entry.action, entry.subject, entry.details)
        if link != entry.link:
            yield (f"entry {entry.seq} ({entry.action}, {entry.subject}) does not match its link:"
                   " it, or the one before it, was changed")
        previous, expected = entry.link, entry.seq + 1
    head = session.get(AuditHead, 1, populate_existing=True)
    last = (head.seq, head.link) if head else (0, GENESIS)
    if last != (expected - 1, previous):
        yield f"the trail ends at entry {expected - 1}, but its head says {last[0]}: entries at the end were removed or added"
