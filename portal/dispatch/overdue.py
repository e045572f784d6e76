"""Text messages that a carrier took and of which nothing was heard in time: counted batch by batch, when the time is over.

A batch that was counted is OVERDUE. What is heard of its messages later is subtracted again as it is folded, so that the count is
always that of the silent ones.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import case, func, or_, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.arrays import read
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.dispatch import outcomes, tallies
from portal.dispatch.models import BATCH_DONE, OVERDUE, SMS, Batch, Delivery, OutcomePage
from portal.dispatch.receipts import FOLD_LOCK, by_key

#: Batches counted in one transaction, and transactions of one call.
_BATCHES, _STEPS = 50, 400


def sweep(app: Any) -> int:
    """Count the silent ones of all batches whose time is over; how many batches."""
    counted = 0
    with app.app_context():
        for _ in range(_STEPS):
            some = step()
            counted += some
            if some < _BATCHES:
                break
    return counted


def step() -> int:
    """The same for a few batches, in one transaction; how many they were."""
    now = utcnow()
    before = now - timedelta(minutes=current_settings().receipt_timeout_minutes)
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql":  # a fold would subtract what is not counted yet, or not subtract
            session.execute(select(func.pg_advisory_xact_lock(FOLD_LOCK), *by_key()))
        batches = {
            b.id: b
            for b in session.execute(
                select(Batch.id, Batch.dispatch_id, Batch.region_code, Batch.language)
                .where(Batch.channel == SMS, Batch.state == BATCH_DONE, or_(Batch.last_at.is_(None), Batch.last_at < before))
                .order_by(Batch.lane, Batch.id)
                .limit(_BATCHES)
            )
        }
        if not batches:
            return 0
        counts: dict[uuid.UUID, Counter[tallies.Key]] = {}
        for batch_id, audiences, stage, n in _silent(session, list(batches)):
            batch = batches[batch_id]
            counter = counts.setdefault(batch.dispatch_id, Counter())
            counter[batch.region_code, batch.language, tallies.SILENT[stage], audiences] += n
        for dispatch_id in sorted(counts):
            tallies.add(session, dispatch_id, counts[dispatch_id])
        over = update(Batch).where(Batch.id.in_(list(batches))).values(state=OVERDUE)
        session.execute(over.execution_options(synchronize_session=False))
    return len(batches)


def _silent(session: Session, batch_ids: list[int]) -> Iterator[tuple[int, int, str | None, int]]:
    """(batch, audiences, the furthest stage, how many) of those who were accepted and of whom nothing final was heard."""
    final = case((Delivery.status == "sent", 0), else_=1)
    heard = read(session, select(Delivery.batch_id, Delivery.recipient_id, final).where(Delivery.batch_id.in_(batch_ids)))
    by_batch = {batch_id: heard[heard[:, 0] == batch_id, 1:] for batch_id in batch_ids}
    for page in outcomes.pages(session, batch_ids, OutcomePage.status == tallies.ACCEPTED):
        theirs = by_batch[page.batch_id]
        told, sent = np.isin(page.recipients, theirs[:, 0]), np.isin(page.recipients, theirs[theirs[:, 1] == 0, 0])
        for stage, those in ((None, ~told), ("sent", sent)):
            for audiences, n in zip(*np.unique(page.audiences[those], return_counts=True), strict=True):
                yield page.batch_id, int(audiences), stage, int(n)
