"""Leases: which worker sends which batch, and the writing of what became of it.

A lease is a time and a fence number on the batch. Whoever's fence is no longer the batch's has lost it and can write
nothing more. A lease that is neither renewed nor given back lapses, and the batch is leased again.

Rows are locked in one order: batches by their number, then their dispatches, then counts.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, literal, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import Standing, UtcDateTime, db, transaction
from portal.dispatch import at_once, lease_at_once, outcomes, tallies
from portal.dispatch.due import CHANCE, LONGEST_PAUSE, LONGEST_WAIT, may_go
from portal.dispatch.ending import add_unsure, close, complete, unrecorded
from portal.dispatch.holding import Hold, hold
from portal.dispatch.models import (
    PLANNING,
    READY,
    RUNNING,
    Batch,
    Dispatch,
)
from portal.dispatch.recipients import unpack

ACTIVE = (PLANNING, RUNNING)


class LeaseLost(Exception):
    """Another worker has the batch now; nothing was written."""


@dataclass(frozen=True)
class Lease:
    """A batch in the hands of one worker. `pending`: the recipients without an outcome; `carrier`: who is asked first."""

    batch_id: int
    fence: int
    dispatch_id: uuid.UUID
    bulletin_id: uuid.UUID
    channel: str
    lane: int
    region_code: str
    language: str
    attempts: int
    expires_at: datetime
    pending: np.ndarray
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of one hand-over, in the words of `tallies.ENDS`."""

    recipient_id: int
    status: str
    code: str = ""
    carrier_id: str = ""


@dataclass(frozen=True, slots=True)
class Parting:
    """How a batch is let go of. `left`: recipients without an outcome; `unsure`: those of them who may have been reached
    nevertheless; `back`: the process ends in an orderly way, and the next one may go on at once."""

    left: int = 0
    unsure: Collection[int] = ()
    retry_after: float | None = None
    error: str = ""
    back: bool = False


@dataclass(slots=True)
class Results:
    """What is written of one lease: (recipient, status, code, carrier's number, carrier, audiences) of each end, and, when the
    batch is let go of, how."""

    lease: Lease
    rows: list[outcomes.Row] = field(default_factory=list)
    parting: Parting | None = None


def claim(channel: str, owner: str) -> Lease | None:
    """Lease the most urgent due batch of a channel; None when nothing is due."""
    return next(iter(claim_some(channel, owner, 1)), None)


def claim_some(channel: str, owner: str, most: int, *, above_lane: int | None = None, but: Collection[int] = (),
               standing: Standing | None = None) -> list[Lease]:
    """Lease the most urgent due batches of a channel, `most` at most; only of lanes more urgent than `above_lane`, and none of
    `but`. `standing`: a connection to PostgreSQL on which one statement does it, where none of them was leased before."""
    now = utcnow()
    until = now + timedelta(seconds=current_settings().lease_seconds)
    if standing is not None:
        found = lease_at_once.lease(standing, channel, owner, most, now=now, until=until, above_lane=above_lane, but=but)
        if found is not None:
            return [_leased(row, channel, row.fence, unpack(row.recipients)) for row in found]
    due = (
        select(Batch.id)
        .join(Dispatch, Dispatch.id == Batch.dispatch_id)
        .where(
            Batch.channel == channel,
            Batch.state == READY,
            may_go(now),
            Dispatch.state.in_(ACTIVE),
            Dispatch.expires_at > now,
        )
        .order_by(Batch.lane, Batch.id)
    )
    if above_lane is not None:
        due = due.where(Batch.lane < above_lane)
    if but:
        due = due.where(Batch.id.not_in(but))
    # On SQLite a plain read first: an idle worker must not take the write lock.
    if db.engine.dialect.name == "sqlite" and db.session.execute(due.limit(1)).first() is None:
        db.session.rollback()
        return []
    columns = (Batch.id, Batch.fence, Batch.lease_owner, Batch.dispatch_id, Batch.lane, Batch.region_code, Batch.language,
               Batch.attempts, Batch.carrier, Batch.recipients, Dispatch.bulletin_id, Dispatch.expires_at)
    with transaction() as session:
        rows = session.execute(
            due.with_only_columns(*columns).limit(most).with_for_update(skip_locked=True, of=Batch)).all()
        if not rows:
            return []
        session.execute(update(Batch).where(Batch.id.in_([row.id for row in rows]))
                        .values(fence=Batch.fence + 1, lease_owner=owner, due_at=until)
                        .execution_options(synchronize_session=False))
        return [_leased(row, channel, row.fence + 1, _left(session, row.id, dead=row.lease_owner is not None) if row.fence
                        else unpack(row.recipients)) for row in rows]


def _leased(row: Any, channel: str, fence: int, pending: np.ndarray) -> Lease:
    return Lease(row.id, fence, row.dispatch_id, row.bulletin_id, channel, row.lane, row.region_code, row.language, row.attempts,
                 row.expires_at, pending, row.carrier)


def _left(session: Session, batch_id: int, *, dead: bool) -> np.ndarray:
    """The recipients of a batch that was leased before who have no outcome. `dead`: whoever had it did not let go of it."""
    batch = session.get_one(Batch, batch_id, populate_existing=True)
    recipients = unrecorded(session, batch)
    if dead:
        add_unsure(batch, recipients)  # it may have handed over any of them
    return recipients


def renew(lease: Lease) -> bool:
    """Hold the lease for longer; whether to go on: False when it is lost or the dispatch has ended."""
    return lease.batch_id in renew_all([lease])


def renew_all(leases: Iterable[Lease]) -> set[int]:
    """Hold leases for longer; the batches with which to go on, which are those whose lease is not lost and whose dispatch has
    not ended."""
    with transaction() as session:
        wanted = sorted(leases, key=lambda one: one.batch_id)
        mine = _hold(session, [Results(lease) for lease in wanted], utcnow())
        held = [lease for lease in wanted if lease.batch_id in mine]
        going = set(session.execute(select(Dispatch.id).where(
            Dispatch.id.in_({lease.dispatch_id for lease in held}), Dispatch.state.in_(ACTIVE))).scalars())
    return {lease.batch_id for lease in held if lease.dispatch_id in going}


def going_on(leases: Collection[Lease], standing: Standing | None = None) -> set[int]:
    """As :func:`renew_all`, without holding anything for longer: a reading, over `standing` where there is one."""
    fences = {lease.batch_id: lease.fence for lease in leases}
    if standing is not None:
        return lease_at_once.going_on(standing, fences)
    rows = db.session.execute(
        select(Batch.id, Batch.fence).join(Dispatch, Dispatch.id == Batch.dispatch_id)
        .where(Batch.id.in_(fences), Batch.state == READY, Dispatch.state.in_(ACTIVE))).all()
    db.session.rollback()
    return {batch_id for batch_id, fence in rows if fences[batch_id] == fence}


def record(lease: Lease, ended: Sequence[Ended]) -> None:
    """Append outcomes and add to the counts, in one transaction. Raises LeaseLost."""
    if ended:
        _record_one(Results(lease, _rows(ended)))


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
    _record_one(Results(lease, _rows(ended), Parting(left, unsure, retry_after, error)))


def give_back(lease: Lease, ended: Sequence[Ended] = (), unsure: Collection[int] = ()) -> None:
    """Let go of a batch at an orderly end of the process, so that the next one need not wait for the lease to lapse.
    Raises LeaseLost."""
    _record_one(Results(lease, _rows(ended), Parting(1, unsure, back=True)))


def _rows(ended: Sequence[Ended]) -> list[outcomes.Row]:
    return [(e.recipient_id, e.status, e.code, e.carrier_id, "", 0) for e in ended]


def _record_one(results: Results) -> None:
    if record_many([results]):
        raise LeaseLost


def record_many(results: Collection[Results], *, numbered: Collection[str] = (), standing: Standing | None = None,
                again: bool = False) -> set[int]:
    """Append the outcomes of several leases, add to the counts and let go of the batches that are at their end, in one
    transaction; the batches whose lease is lost, of which nothing was written. `numbered`: carriers whose own numbers of messages
    are kept, see :class:`portal.dispatch.models.Carried`. `standing`: a connection to PostgreSQL on which one statement does it
    all, where there is nothing unusual. `again`: it was tried before, and a part of it may be in the database already."""
    now = utcnow()
    if standing is not None and not again and _is_plain(results, numbered):
        return _record_at_once(results, now, standing)
    with transaction() as session:
        ordered = sorted(results, key=lambda one: one.lease.batch_id)
        mine = _hold(session, ordered, now)
        if again:  # the batches are locked: a first try that was still under way has come to its end
            ordered = [_without_recorded(session, one) for one in ordered]
        held = [one for one in ordered if one.lease.batch_id in mine]
        # Whose end was written the first time is not held any more, and nobody has taken it from us.
        lost = {one.lease.batch_id for one in ordered if not (again and one.parting is not None and not one.rows)} - mine
        if not held:
            return lost
        ends = [(one.lease, outcomes.alike(one.rows)) for one in held]
        outcomes.append(session, [(lease.batch_id, alike) for lease, alike in ends], now)
        if numbered:
            theirs = ((row[4], row[3], one.lease.batch_id, row[0]) for one in held for row in one.rows if row[4] in numbered)
            outcomes.remember_numbers(session, theirs, now)
        counts = _counts(ends)
        errors: dict[uuid.UUID, str] = {}
        for one in held:
            if one.parting is not None and not _at_its_end(one):
                _part(session, one.lease, one.parting, counts[one.lease.dispatch_id], errors, now)
        session.flush()
        touched, parted = _touches_of(held, now), {one.lease.dispatch_id for one in held if one.parting is not None}
        for dispatch_id in sorted(touched.keys() | errors.keys() | parted):  # as all lock several
            if values := touched.get(dispatch_id, {}) | ({"last_error": errors[dispatch_id]} if dispatch_id in errors else {}):
                _put(session, dispatch_id, values)
            if dispatch_id in parted:
                complete(session, dispatch_id, now)
        for dispatch_id in sorted(counts):
            tallies.add(session, dispatch_id, counts[dispatch_id])
    _touches.update(dict.fromkeys(touched, now))
    return lost


def _is_plain(results: Collection[Results], numbered: Collection[str]) -> bool:
    """Whether there is nothing to write but ends, counts and that dispatches move."""
    return (all(one.parting is None or _at_its_end(one) for one in results)
            and not (numbered and any(row[4] in numbered for one in results for row in one.rows)))


def _record_at_once(results: Collection[Results], now: datetime, standing: Standing) -> set[int]:
    ends, touched = [], _touches_of(results, now)
    for one in results:
        alike, lease = outcomes.alike(one.rows), one.lease
        ends.append(at_once.Ends(lease.batch_id, lease.fence, lease.dispatch_id, alike, _at_its_end(one), _counted(lease, alike),
                                 lease.dispatch_id in touched))
    with standing.cursor() as cursor:
        mine, ended = at_once.write(cursor, ends, now, now + timedelta(seconds=current_settings().lease_seconds))
    if ended:
        with transaction() as session:
            for dispatch_id in sorted(ended):
                complete(session, dispatch_id, now)
    _touches.update({one.dispatch_id: now for one in ends if one.moves and one.alike and one.batch_id in mine})
    return {one.lease.batch_id for one in results} - mine


def _without_recorded(session: Session, one: Results) -> Results:
    """The same without the ends that are in the database already; of two ends of one recipient the first counts."""
    known = set(outcomes.recorded(session, one.lease.batch_id).tolist())
    fresh: dict[int, outcomes.Row] = {}
    for row in one.rows:
        if row[0] not in known:
            fresh.setdefault(row[0], row)
    return Results(one.lease, list(fresh.values()), one.parting)


def _at_its_end(one: Results) -> bool:
    """Whether nothing is left of the batch; it is closed with the very statement that holds it."""
    return one.parting is not None and not one.parting.left


def _hold(session: Session, results: Iterable[Results], now: datetime) -> set[int]:
    """The batches whose lease still is theirs, which is held for longer; what is at its end is closed."""
    holds = [Hold(one.lease.batch_id, one.lease.fence, any(row[1] == tallies.ACCEPTED for row in one.rows), _at_its_end(one))
             for one in results]
    return hold(session, holds, now, now + timedelta(seconds=current_settings().lease_seconds))


def _counts(ends: Iterable[tuple[Lease, Iterable[outcomes.Alike]]]) -> dict[uuid.UUID, Counter[tallies.Key]]:
    counts: dict[uuid.UUID, Counter[tallies.Key]] = defaultdict(Counter)
    for lease, alike in ends:
        counts[lease.dispatch_id].update(_counted(lease, alike))
    return counts


def _counted(lease: Lease, ends: Iterable[outcomes.Alike]) -> Counter[tallies.Key]:
    counts = Counter[tallies.Key]()
    for kind in ends:
        keys = [kind.status]
        if kind.code and kind.status != tallies.ACCEPTED:
            keys.append(f"{tallies.REASON}{kind.status}:{kind.code}")
        for audiences, n in Counter(kind.audiences).items():
            for key in keys:
                counts[lease.region_code, lease.language, key, audiences] += n
    return counts


def _part(session: Session, lease: Lease, parting: Parting, counts: Counter[tallies.Key], errors: dict[uuid.UUID, str],
          now: datetime) -> None:
    """Let go of a batch of which some are left; what the operator is to see of it goes into `errors`."""
    batch = session.get_one(Batch, lease.batch_id, populate_existing=True)
    batch.lease_owner, batch.due_at = None, now
    add_unsure(batch, parting.unsure)
    state, expires_at = session.execute(select(Dispatch.state, Dispatch.expires_at).where(Dispatch.id == lease.dispatch_id)).one()
    if state not in ACTIVE or expires_at <= now:
        if not parting.back:
            counts.update(close(session, batch, state, now))
        return
    if parting.back:
        return
    pause = min(LONGEST_PAUSE, current_settings().retry_seconds * 2 ** min(lease.attempts, 10))
    pause *= random.uniform(1 - CHANCE, 1 + CHANCE)  # noqa: S311  batches that failed together do not come back together
    # Who asks for a longer one is minded by the channel, which leaves it alone; the batch is looked at again.
    wait = min(max(pause, parting.retry_after or 0), LONGEST_WAIT)
    batch.attempts, batch.due_at = lease.attempts + 1, now + timedelta(seconds=wait)
    if parting.error:
        errors[lease.dispatch_id] = parting.error[:300]


def note_error(dispatch_id: uuid.UUID, error: str) -> None:
    """Let the operator see why messages of a dispatch are tried again."""
    with transaction() as session:
        _put(session, dispatch_id, {"last_error": error[:300]})


def _put(session: Session, dispatch_id: uuid.UUID, values: dict[str, object]) -> None:
    session.execute(update(Dispatch).where(Dispatch.id == dispatch_id).values(**values)
                    .execution_options(synchronize_session=False))


#: When this process last wrote down that a dispatch moved, by its id: a row that all workers share is written seldom.
_touches: dict[uuid.UUID, datetime] = {}
TOUCH = timedelta(seconds=0.5)


def _touches_of(results: Iterable[Results], now: datetime) -> dict[uuid.UUID, dict[str, object]]:
    """What is to be noted in dispatches: that something became of them, and since when and until when it was accepted."""
    moved = {one.lease.dispatch_id for one in results if one.rows}
    accepted = {one.lease.dispatch_id for one in results if any(row[1] == tallies.ACCEPTED for row in one.rows)}
    if len(_touches) > 1000:
        _touches.clear()
    last = {i: _touches.get(i) for i in moved}
    return {i: {"moved_at": now} | (
        {"first_at": func.coalesce(Dispatch.first_at, literal(now, UtcDateTime())), "last_at": now} if i in accepted else {})
        for i, before in last.items() if before is None or not timedelta() <= now - before < TOUCH}


def reclaim_all() -> int:
    """At the start of the only worker: whoever held a lease is dead, so that nobody waits for it to lapse."""
    with transaction() as session:
        return session.execute(  # type: ignore[attr-defined]
            update(Batch)
            .where(Batch.state == READY, Batch.lease_owner.is_not(None), Batch.due_at > utcnow())
            .values(due_at=utcnow())
            .execution_options(synchronize_session=False)
        ).rowcount
