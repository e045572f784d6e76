"""The end of batches and dispatches: what is known of those who have no outcome, and when all is done."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection
from datetime import datetime

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.core.db import db, transaction
from portal.dispatch import outcomes, tallies
from portal.dispatch.holding import any_open
from portal.dispatch.models import BATCH_DONE, DONE, READY, RUNNING, SMS, STOPPED, Batch, Dispatch
from portal.dispatch.recipients import pack, unpack
from portal.subscribers.contacts import audiences_of


def close(session: Session, batch: Batch, state: str, now: datetime) -> Counter[tallies.Key]:
    """Close a locked batch of a dispatch that ended in `state`; the counts of who had no outcome. Who may have been
    reached gets one that says so, and hears what comes later; the others were never sent."""
    left = unrecorded(session, batch)
    if batch.lease_owner is not None:  # its worker is dead
        add_unsure(batch, left)
    uncertain = left[np.isin(left, unpack(batch.unsure))]
    masks = audiences_of(uncertain.tolist()) if len(uncertain) and batch.channel == SMS else {}
    ends = [(int(i), tallies.UNCERTAIN, "", "", "", masks.get(int(i), 0)) for i in uncertain]
    outcomes.append(session, [(batch.id, outcomes.alike(ends))], now)
    batch.state = BATCH_DONE
    key = tallies.STOPPED if state == STOPPED else tallies.EXPIRED
    place = (batch.region_code, batch.language)
    counts: Counter[tallies.Key] = Counter({(*place, key, 0): len(left) - len(uncertain)})
    counts.update((*place, tallies.UNCERTAIN, masks.get(int(i), 0)) for i in uncertain)
    return counts


def unrecorded(session: Session, batch: Batch) -> np.ndarray:
    """The recipients without an outcome, in the order of sending."""
    recipients = unpack(batch.recipients)
    return recipients[~np.isin(recipients, outcomes.recorded(session, batch.id))]


def add_unsure(batch: Batch, ids: Collection[int] | np.ndarray) -> None:
    """Note who may have been reached although nobody said so."""
    if len(ids):
        batch.unsure = pack(sorted({*unpack(batch.unsure).tolist(), *map(int, ids)}))


def complete(session: Session, dispatch_id: uuid.UUID, now: datetime) -> None:
    """Mark a running dispatch as done when all is planned and no batch is left."""
    if any_open(session, dispatch_id):  # no lock on the dispatch for each batch of many
        return
    open_batches = select(Batch.id).where(Batch.dispatch_id == dispatch_id, Batch.state == READY)
    last = select(func.max(Batch.last_at)).where(Batch.dispatch_id == dispatch_id).scalar_subquery()
    session.execute(
        update(Dispatch)
        .where(
            Dispatch.id == dispatch_id,
            Dispatch.state == RUNNING,
            Dispatch.planned_at.is_not(None),
            ~open_batches.exists(),
        )
        .values(state=DONE, ended_at=now, last_at=func.coalesce(last, Dispatch.last_at))
        .execution_options(synchronize_session=False)
    )


def complete_all(now: datetime) -> None:
    """Mark what nobody marked: of two workers that end the last two batches at one moment, each sees the other's open."""
    running = select(Dispatch.id).where(
        Dispatch.state == RUNNING, Dispatch.planned_at.is_not(None),
        ~select(Batch.id).where(Batch.dispatch_id == Dispatch.id, Batch.state == READY).exists())
    if ids := db.session.execute(running.order_by(Dispatch.id).limit(200)).scalars().all():
        with transaction() as session:
            for dispatch_id in ids:
                complete(session, dispatch_id, now)
