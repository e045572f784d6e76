"""How the whole dispatch stands, read from the database in a few bounded queries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from portal.dispatch import progress
from portal.dispatch.due import may_go
from portal.dispatch.models import CHANNELS, READY, Batch, Receipt, StrayReceipt
from portal.dispatch.progress import Progress
from portal.dispatch.watch import presence
from portal.dispatch.watch.said import Process

#: Counts go no further than this: beyond it a number says nothing more, and counting would cost.
MOST_COUNTED = 100_000
#: How many of the oldest receipts are looked at, to see whether they should have been folded.
OLDEST = 500
#: So long a receipt by the carrier's number may wait for the message that it names, and somewhat longer.
NUMBERED = timedelta(minutes=4)


@dataclass(frozen=True)
class Lane:
    """The open batches of one channel and lane, in batches and recipients. `due`: free and may be sent now; `held`: leased;
    `later`: wait for a pause or for quiet hours to be over. `since`: since when the longest-waiting of the due ones is due."""

    channel: str
    lane: int
    due: int
    held: int
    later: int
    recipients: int
    since: datetime | None


@dataclass(frozen=True)
class Ready:
    """Of a dispatch, the batches that no quiet hours hold back. `since`: when the first of them was let go by its hours, None
    where one never waited; `due`: when the one that waits longest was due, or its lease or pause is over."""

    since: datetime | None
    due: datetime


@dataclass(frozen=True)
class Facts:
    """`overdue_receipts`: the arrival of the oldest receipt that nothing keeps from being folded in."""

    at: datetime
    open: Sequence[Progress] = ()
    lanes: Sequence[Lane] = ()
    processes: Sequence[Process] = ()
    receipts: int = 0
    overdue_receipts: datetime | None = None
    strays: int = 0
    ready: Mapping[uuid.UUID, Ready] = field(default_factory=dict)  # by dispatch


def gather(session: Session, now: datetime) -> Facts:
    """Read all of it. Costs what is open, not what was ever sent."""
    return Facts(
        at=now,
        open=progress.of_open(),
        lanes=_lanes(session, now),
        processes=presence.listing(session),
        receipts=_count(session, Receipt.id),
        overdue_receipts=_overdue(session, now),
        strays=_count(session, StrayReceipt.id),
        ready=_ready(session, now),
    )


def _lanes(session: Session, now: datetime) -> list[Lane]:
    held = Batch.lease_owner.is_not(None)
    due = ~held & may_go(now)
    rows = session.execute(
        select(
            Batch.channel,
            Batch.lane,
            func.sum(case((due, 1), else_=0)),
            func.sum(case((held, 1), else_=0)),
            func.count(),
            func.sum(Batch.size),
            func.min(case((due, Batch.due_at))),
        )
        .where(Batch.channel.in_(CHANNELS), Batch.state == READY)
        .group_by(Batch.channel, Batch.lane)
        .order_by(Batch.channel, Batch.lane)
    )
    return [Lane(channel, lane, int(free), int(leased), int(n - free - leased), int(size), since)
            for channel, lane, free, leased, n, size, since in rows]


def _ready(session: Session, now: datetime) -> dict[uuid.UUID, Ready]:
    rows = session.execute(
        select(
            Batch.dispatch_id,
            func.min(Batch.quiet_until),
            func.max(case((Batch.quiet_until.is_(None), 1), else_=0)),
            func.min(Batch.due_at),
        )
        .where(Batch.channel.in_(CHANNELS), Batch.state == READY, or_(Batch.quiet_until.is_(None), Batch.quiet_until <= now))
        .group_by(Batch.dispatch_id)
    )
    return {dispatch_id: Ready(None if never_waited else since, due) for dispatch_id, since, never_waited, due in rows}


def _overdue(session: Session, now: datetime) -> datetime | None:
    """Of the oldest receipts, the first whose batch is not being sent any more: its own outcome is written, or never will be. One
    that names its message by the carrier's number may be quicker than the record of that."""
    oldest = select(Receipt.id, Receipt.batch_id, Receipt.at).order_by(Receipt.id).limit(OLDEST).subquery()
    return session.execute(
        select(oldest.c.at)
        .outerjoin(Batch, Batch.id == oldest.c.batch_id)
        .where(or_(Batch.state != READY, Batch.id.is_(None) & or_(oldest.c.batch_id != 0, oldest.c.at < now - NUMBERED)))
        .order_by(oldest.c.id)
        .limit(1)
    ).scalar()


def _count(session: Session, key: object) -> int:
    some = select(key).limit(MOST_COUNTED).subquery()  # type: ignore[call-overload]
    return int(session.execute(select(func.count()).select_from(some)).scalar_one())
