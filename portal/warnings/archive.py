"""What the public may read of warnings: real ones only. A drill is never among what these functions give."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select

from portal.config import TIERS
from portal.core.db import db
from portal.warnings.models import CANCELLED, EXPIRED, IN_FORCE, Bulletin, Warning

#: Bulletins are large (words, outlines, CAP): this many are in memory at a time.
PAGE = 50


@dataclass(frozen=True)
class Head:
    """What names a bulletin without its words: enough to see whether anything changed."""

    id: uuid.UUID
    warning_id: uuid.UUID
    position: int
    kind: str
    identifier: str
    sent_at: datetime
    cap_sha256: str


def state_at(warning: Warning, now: datetime) -> str:
    """The state as residents are to read it: a warning whose time is over is past, also before the scheduler
    says so."""
    return EXPIRED if warning.state == IN_FORCE and warning.expires <= now else warning.state


def in_force(now: datetime) -> list[Warning]:
    """Real warnings in force at `now`, the most severe first, and the newest of them first."""
    query = select(Warning).where(
        Warning.exercise.is_(False), Warning.state == IN_FORCE, Warning.expires > now
    )
    found = db.session.execute(query.order_by(Warning.issued_at.desc(), Warning.number.desc())).scalars()
    return sorted(found, key=lambda warning: -TIERS.index(warning.tier))


def recent_past(limit: int, before: datetime, now: datetime | None = None) -> list[Warning]:
    """Up to `limit` real warnings issued before `before` that are past at `now` (by default: at `before`),
    newest first."""
    query = select(Warning).where(_past(now or before), Warning.issued_at < before)
    return list(
        db.session.execute(
            query.order_by(Warning.issued_at.desc(), Warning.number.desc()).limit(limit)
        ).scalars()
    )


def public_warnings() -> list[Warning]:
    """Every real warning, newest first."""
    query = select(Warning).where(Warning.exercise.is_(False))
    return list(db.session.execute(query.order_by(Warning.issued_at.desc(), Warning.number.desc())).scalars())


def heads() -> list[Head]:
    """Heads of every real bulletin, newest first."""
    columns = (
        Bulletin.id,
        Bulletin.warning_id,
        Bulletin.position,
        Bulletin.kind,
        Bulletin.identifier,
        Bulletin.sent_at,
        Bulletin.cap_sha256,
    )
    query = select(*columns).where(Bulletin.exercise.is_(False))
    rows = db.session.execute(query.order_by(Bulletin.sent_at.desc(), Bulletin.identifier.desc()))
    return [Head(*row) for row in rows]


def bulletins_of(warning_id: uuid.UUID) -> list[Bulletin]:
    """The chain of one real warning, first to last."""
    query = select(Bulletin).where(Bulletin.warning_id == warning_id, Bulletin.exercise.is_(False))
    return list(db.session.execute(query.order_by(Bulletin.position)).scalars())


def public_bulletins(ids: Collection[uuid.UUID] | None = None) -> Iterator[Bulletin]:
    """Real bulletins, newest first; only those of `ids` when given. Reads :data:`PAGE` at a time."""
    wanted = None if ids is None else set(ids)
    chosen = [head.id for head in heads() if wanted is None or head.id in wanted]
    for start in range(0, len(chosen), PAGE):
        part = chosen[start : start + PAGE]
        found = {b.id: b for b in db.session.execute(select(Bulletin).where(Bulletin.id.in_(part))).scalars()}
        for key in part:
            bulletin = found.pop(key)
            yield bulletin
            db.session.expunge(bulletin)


def _past(now: datetime) -> ColumnElement[bool]:
    ended = or_(
        Warning.state.in_((CANCELLED, EXPIRED)), and_(Warning.state == IN_FORCE, Warning.expires <= now)
    )
    return and_(Warning.exercise.is_(False), ended)
