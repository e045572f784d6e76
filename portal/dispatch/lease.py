"""Leases: which worker sends which batch, and the writing of what became of it.

A lease is a time and a fence number on the batch. Whoever's fence is no longer the batch's has lost it and can write
nothing more. A lease that is neither renewed nor given back lapses, and the batch is leased again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import UtcDateTime, db, transaction
from portal.dispatch import tallies
from portal.dispatch.models import BATCH_DONE, DONE, PLANNING, READY, RUNNING, STOPPED, Batch, Dispatch, Outcome
from portal.dispatch.recipients import unpack

#: Longest pause between two tries of a batch, in seconds.
LONGEST_PAUSE = 60


class LeaseLost(Exception):
    """Another worker has the batch now; nothing was written."""


@dataclass(frozen=True)
class Lease:
    """A batch in the hands of one worker. `pending`: the recipients without an outcome."""

    batch_id: int
    fence: int
    dispatch_id: uuid.UUID
    bulletin_id: uuid.UUID
    channel: str
    region_code: str
    language: str
    attempts: int
    expires_at: datetime
    pending: np.ndarray


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one hand-over, in the words of `tallies.ENDS`."""

    recipient_id: int
    status: str
    code: str = ""
    carrier_id: str = ""


def claim(channel: str, owner: str) -> Lease | None:
    """Lease the most urgent due batch of a channel; None when nothing is due."""
    now = utcnow()
    due = (
        select(Batch.id)
        .join(Dispatch, Dispatch.id == Batch.dispatch_id)
        .where(
            Batch.channel == channel,
            Batch.state == READY,
            Batch.due_at <= now,
            Dispatch.state.in_((PLANNING, RUNNING)),
            Dispatch.expires_at > now,
        )
        .order_by(Batch.lane, Batch.id)
        .limit(1)
    )
    if db.session.execute(due).first() is None:  # a plain read first: an idle worker must not take the write lock
        db.session.rollback()
        return None
    with transaction() as session:
        batch_id = session.execute(due.with_for_update(skip_locked=True, of=Batch)).scalar_one_or_none()
        if batch_id is None:
            return None
        batch = session.get(Batch, batch_id, populate_existing=True)
        batch.fence += 1
        batch.lease_owner = owner
        batch.due_at = now + timedelta(seconds=current_settings().lease_seconds)
        dispatch = session.get(Dispatch, batch.dispatch_id)
        recipients = unpack(batch.recipients)
        if batch.fence > 1:
            recorded = np.fromiter(
                session.execute(select(Outcome.recipient_id).where(Outcome.batch_id == batch_id)).scalars(), dtype="<i8"
            )
            recipients = recipients[~np.isin(recipients, recorded)]
        return Lease(
            batch.id,
            batch.fence,
            dispatch.id,
            dispatch.bulletin_id,
            channel,
            batch.region_code,
            batch.language,
            batch.attempts,
            dispatch.expires_at,
            recipients,
        )


def renew(lease: Lease) -> bool:
    """Hold the lease for longer; whether to go on: False when it is lost or the dispatch has ended."""
    with transaction() as session:
        if not _hold(session, lease):
            return False
        state = session.execute(select(Dispatch.state).where(Dispatch.id == lease.dispatch_id)).scalar_one()
    return state in (PLANNING, RUNNING)


def record(lease: Lease, ended: Sequence[Ended]) -> None:
    """Append outcomes and add to the counts, in one transaction. Raises LeaseLost."""
    if not ended:
        return
    with transaction() as session:
        if not _hold(session, lease):
            raise LeaseLost
        _append(session, lease, ended)


def finish(lease: Lease, ended: Sequence[Ended], *, left: int, retry_after: float | None, error: str) -> None:
    """Write the last outcomes and give the batch back: done, to be tried again after a pause, or, when its dispatch was
    ended meanwhile, closed with the rest counted as unsent. Raises LeaseLost."""
    now = utcnow()
    with transaction() as session:
        if not _hold(session, lease):
            raise LeaseLost
        _append(session, lease, ended)
        dispatch = session.execute(select(Dispatch).where(Dispatch.id == lease.dispatch_id).with_for_update()).scalar_one()
        values: dict = {"lease_owner": None, "due_at": now}
        if left and dispatch.state in (PLANNING, RUNNING) and dispatch.expires_at > now:
            pause = min(LONGEST_PAUSE, current_settings().retry_seconds * 2 ** min(lease.attempts, 10))
            values |= {"attempts": lease.attempts + 1, "due_at": now + timedelta(seconds=max(pause, retry_after or 0))}
            if error:
                dispatch.last_error = error[:300]
        else:
            values["state"] = BATCH_DONE
            if left:
                key = tallies.STOPPED if dispatch.state == STOPPED else tallies.EXPIRED
                tallies.add(session, lease.dispatch_id, Counter({(lease.region_code, lease.language, key): left}))
        session.execute(update(Batch).where(Batch.id == lease.batch_id).values(values))
        session.flush()
        complete(session, lease.dispatch_id, now)


def give_back(lease: Lease) -> None:
    """Let go of a batch at an orderly end of the process, so that the next one need not wait for the lease to lapse."""
    with transaction() as session:
        session.execute(  # type: ignore[attr-defined]
            update(Batch)
            .where(Batch.id == lease.batch_id, Batch.fence == lease.fence, Batch.state == READY)
            .values(lease_owner=None, due_at=utcnow())
        )


def complete(session: Session, dispatch_id: uuid.UUID, now: datetime) -> None:
    """Mark a running dispatch as done when all is planned and no batch is left."""
    session.execute(
        update(Dispatch)
        .where(
            Dispatch.id == dispatch_id,
            Dispatch.state == RUNNING,
            Dispatch.planned_at.is_not(None),
            ~select(Batch.id).where(Batch.dispatch_id == dispatch_id, Batch.state == READY).exists(),
        )
        .values(state=DONE, ended_at=now)
        .execution_options(synchronize_session=False)
    )


def reclaim_all() -> int:
    """At the start of the only worker: whoever held a lease is dead, so that nobody waits for it to lapse."""
    with transaction() as session:
        return session.execute(  # type: ignore[attr-defined]
            update(Batch)
            .where(Batch.state == READY, Batch.lease_owner.is_not(None), Batch.due_at > utcnow())
            .values(due_at=utcnow())
            .execution_options(synchronize_session=False)
        ).rowcount


def _hold(session: Session, lease: Lease) -> bool:
    until = utcnow() + timedelta(seconds=current_settings().lease_seconds)
    return (
        session.execute(  # type: ignore[attr-defined]
            update(Batch)
            .where(Batch.id == lease.batch_id, Batch.fence == lease.fence, Batch.state == READY)
            .values(due_at=until)
            .execution_options(synchronize_session=False)
        ).rowcount
        == 1
    )


def _append(session: Session, lease: Lease, ended: Sequence[Ended]) -> None:
    if not ended:
        return
    now = utcnow()
    session.execute(
        insert(Outcome),
        [
            {
                "batch_id": lease.batch_id,
                "recipient_id": e.recipient_id,
                "status": e.status,
                "code": e.code[:40],
                "carrier_id": e.carrier_id[:64],
                "at": now,
            }
            for e in ended
        ],
    )
    counts: Counter[tuple[str, str, str]] = Counter()
    for e in ended:
        counts[lease.region_code, lease.language, e.status] += 1
        if e.code and e.status != tallies.ACCEPTED:
            counts[lease.region_code, lease.language, f"{tallies.REASON}{e.status}:{e.code}"] += 1
    tallies.add(session, lease.dispatch_id, counts)
    if any(e.status == tallies.ACCEPTED for e in ended):
        session.execute(
            update(Dispatch)
            .where(Dispatch.id == lease.dispatch_id)
            .values(first_at=func.coalesce(Dispatch.first_at, literal(now, UtcDateTime())), last_at=now)
            .execution_options(synchronize_session=False)
        )
