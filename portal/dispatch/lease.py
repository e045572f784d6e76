"""Leases: which worker sends which batch, and the writing of what became of it.

A lease is a time and a fence number on the batch. Whoever's fence is no longer the batch's has lost it and can write
nothing more. A lease that is neither renewed nor given back lapses, and the batch is leased again.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import and_, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import UtcDateTime, db, transaction
from portal.dispatch import tallies
from portal.dispatch.models import BATCH_DONE, DONE, PLANNING, PUSH, READY, RUNNING, SPEAKERS, STOPPED, Batch, Dispatch, Outcome
from portal.dispatch.recipients import pack, unpack

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
            # A new batch waits for nothing but its recipients' quiet hours, also when the clock was set back.
            or_(and_(Batch.fence == 0, Batch.quiet_until.is_(None)), Batch.due_at <= now),
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
        batch = session.get_one(Batch, batch_id, populate_existing=True)
        dead = batch.lease_owner is not None  # who lets go of a batch says so
        batch.fence += 1
        batch.lease_owner = owner
        batch.due_at = now + timedelta(seconds=current_settings().lease_seconds)
        dispatch = session.get_one(Dispatch, batch.dispatch_id)
        recipients = unpack(batch.recipients)
        if batch.fence > 1:
            recipients = _unrecorded(session, batch)
        if dead:
            _add_unsure(batch, _in_flight(batch, recipients))
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


def finish(
    lease: Lease,
    ended: Sequence[Ended],
    *,
    left: int,
    retry_after: float | None,
    error: str,
    unsure: Collection[int] = (),
) -> None:
    """Write the last outcomes and give the batch back: done, to be tried again after a pause, or, when its dispatch was
    ended meanwhile, closed with the rest counted. `unsure`: of those left, who may have been reached nevertheless.
    Raises LeaseLost."""
    now = utcnow()
    with transaction() as session:
        if not _hold(session, lease):
            raise LeaseLost
        _append(session, lease, ended)
        dispatch = session.execute(select(Dispatch).where(Dispatch.id == lease.dispatch_id).with_for_update()).scalar_one()
        batch = session.get_one(Batch, lease.batch_id, populate_existing=True)
        batch.lease_owner, batch.due_at = None, now
        _add_unsure(batch, unsure)
        if left and dispatch.state in (PLANNING, RUNNING) and dispatch.expires_at > now:
            pause = min(LONGEST_PAUSE, current_settings().retry_seconds * 2 ** min(lease.attempts, 10))
            batch.attempts, batch.due_at = lease.attempts + 1, now + timedelta(seconds=max(pause, retry_after or 0))
            if error:
                dispatch.last_error = error[:300]
        elif left:
            tallies.add(session, lease.dispatch_id, close(session, batch, dispatch.state, now))
        else:
            batch.state = BATCH_DONE
        session.flush()
        complete(session, lease.dispatch_id, now)


def give_back(lease: Lease, ended: Sequence[Ended] = (), unsure: Collection[int] = ()) -> None:
    """Let go of a batch at an orderly end of the process, so that the next one need not wait for the lease to lapse.
    Raises LeaseLost."""
    with transaction() as session:
        if not _hold(session, lease):
            raise LeaseLost
        _append(session, lease, ended)
        batch = session.get_one(Batch, lease.batch_id, populate_existing=True)
        batch.lease_owner, batch.due_at = None, utcnow()
        _add_unsure(batch, unsure)


def close(session: Session, batch: Batch, state: str, now: datetime) -> Counter[tallies.Key]:
    """Close a locked batch of a dispatch that ended in `state`; the counts of who had no outcome. Who may have been
    reached gets one that says so, and hears what comes later; the others were never sent."""
    left = _unrecorded(session, batch)
    if batch.lease_owner is not None:  # its worker is dead
        _add_unsure(batch, _in_flight(batch, left))
    uncertain = left[np.isin(left, unpack(batch.unsure))]
    session.add_all(
        Outcome(batch_id=batch.id, recipient_id=int(i), status=tallies.UNCERTAIN, code="", carrier_id="", at=now)
        for i in uncertain
    )
    batch.state = BATCH_DONE
    key = tallies.STOPPED if state == STOPPED else tallies.EXPIRED
    place = (batch.region_code, batch.language)
    return Counter({(*place, key, 0): len(left) - len(uncertain), (*place, tallies.UNCERTAIN, 0): len(uncertain)})


def _unrecorded(session: Session, batch: Batch) -> np.ndarray:
    """The recipients without an outcome, in the order of sending."""
    recorded = np.fromiter(
        session.execute(select(Outcome.recipient_id).where(Outcome.batch_id == batch.id)).scalars(), dtype="<i8"
    )
    recipients = unpack(batch.recipients)
    return recipients[~np.isin(recipients, recorded)]


def _in_flight(batch: Batch, unrecorded: np.ndarray) -> np.ndarray:
    """Who of them a worker that died may have handed over: the first ones, as many as it may have had in the air or
    unwritten; to horns and push services it speaks in no order."""
    settings = current_settings()
    return unrecorded if batch.channel in (PUSH, SPEAKERS) else unrecorded[: settings.flush_size + settings.max_in_flight]


def _add_unsure(batch: Batch, ids: Collection[int] | np.ndarray) -> None:
    if len(ids):
        batch.unsure = pack(sorted({*unpack(batch.unsure).tolist(), *map(int, ids)}))


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
    counts: Counter[tallies.Key] = Counter()
    for e in ended:
        counts[lease.region_code, lease.language, e.status, 0] += 1
        if e.code and e.status != tallies.ACCEPTED:
            counts[lease.region_code, lease.language, f"{tallies.REASON}{e.status}:{e.code}", 0] += 1
    tallies.add(session, lease.dispatch_id, counts)
    if any(e.status == tallies.ACCEPTED for e in ended):
        session.execute(
            update(Dispatch)
            .where(Dispatch.id == lease.dispatch_id)
            .values(first_at=func.coalesce(Dispatch.first_at, literal(now, UtcDateTime())), last_at=now)
            .execution_options(synchronize_session=False)
        )
