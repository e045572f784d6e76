"""What was sent to one subscriber, for whoever asks to see their data. Outcomes lie by batch, so that they are looked up batch by
batch, in the newest dispatches only: an index by person would cost every warning more than it is worth."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import select

from portal.core.db import db
from portal.dispatch import outcomes
from portal.dispatch.models import Batch, Delivery, Dispatch

#: Dispatches that are looked through, the newest; ids in one statement.
MOST, CHUNK = 100, 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """`status`: what became of handing it over, see :class:`OutcomePage`; `later`: the furthest that receipts told, or empty."""

    bulletin_id: uuid.UUID
    at: datetime
    status: str
    later: str


def texts_to(subscriber_id: int, most: int = MOST) -> list[Sent]:
    """Texts of the newest `most` dispatches that were handed over, or should have been, to this subscriber; newest first."""
    newest = select(Dispatch.id, Dispatch.bulletin_id).where(Dispatch.channel == "sms")
    dispatches = {row.id: row.bulletin_id for row in db.session.execute(
        newest.order_by(Dispatch.created_at.desc(), Dispatch.id.desc()).limit(most))}
    found, batches = list[Sent](), _batches(list(dispatches))
    while of := dict(islice(batches, CHUNK)):
        later = dict(db.session.execute(select(Delivery.batch_id, Delivery.status).where(
            Delivery.batch_id.in_(list(of)), Delivery.recipient_id == subscriber_id)).all())
        pages = outcomes.pages(db.session, of, outcomes.may_name(db.session, subscriber_id))
        found += [Sent(dispatches[of[page.batch_id]], page.at, page.status, later.get(page.batch_id, ""))
                  for page in pages if subscriber_id in page.recipients]
    return sorted(found, key=lambda sent: sent.at, reverse=True)


def _batches(dispatches: list[uuid.UUID]) -> Iterator[tuple[int, uuid.UUID]]:
    """Batch and dispatch of each batch."""
    for dispatch_id in dispatches:
        for batch_id in db.session.execute(select(Batch.id).where(Batch.dispatch_id == dispatch_id)).scalars():
            yield batch_id, dispatch_id
