"""What the watch reads of the database: queues by lane, what waits for quiet hours, receipts that nothing holds back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch.models import BATCH_DONE, READY, Batch, Receipt
from portal.dispatch.watch import facts
from tests import district
from tests.dispatch.conftest import dispatch_of


@pytest.fixture
def batches(workshop, issued):
    """A planned dispatch of ten batches or more; its id."""
    district.subscribers(60)
    bulletin = issued()
    workshop.plan_all()
    return dispatch_of(bulletin).id


def test_queues_tell_what_is_due_what_is_held_and_what_waits(batches):
    now = utcnow()
    ids = db.session.execute(select(Batch.id).where(Batch.channel == "sms").order_by(Batch.id)).scalars().all()
    db.session.rollback()
    with transaction() as session:
        soon, morning = now + timedelta(seconds=30), now + timedelta(hours=8)
        changes: list[dict[str, object]] = [
            {"lease_owner": "w", "fence": 1, "due_at": soon},
            {"fence": 2, "due_at": soon},
            {"quiet_until": morning, "due_at": morning},
            {"state": BATCH_DONE},
            {"due_at": now - timedelta(seconds=50)},
        ]
        for batch_id, values in zip(ids, changes, strict=False):
            session.execute(update(Batch).where(Batch.id == batch_id).values(**values))
    seen = facts.gather(db.session, now + timedelta(seconds=1))
    lane = next(lane for lane in seen.lanes if lane.channel == "sms")
    assert (lane.due, lane.held, lane.later) == (len(ids) - 4, 1, 2)
    assert lane.since == now - timedelta(seconds=50)
    assert seen.ready[batches].since is None


def test_a_dispatch_of_which_all_have_quiet_hours_has_nothing_to_send(batches):
    now = utcnow()
    with transaction() as session:
        session.execute(update(Batch).values(quiet_until=now + timedelta(hours=8)))
    assert batches not in facts.gather(db.session, now).ready
    later = now + timedelta(hours=8, minutes=1)
    assert facts.gather(db.session, later).ready[batches].since == now + timedelta(hours=8)


@pytest.mark.parametrize(("state", "numbered", "minutes", "overdue"), [
    (READY, False, 30, False),  # its own batch is still being sent
    (BATCH_DONE, False, 1, True),
    (None, False, 1, True),  # of no batch of ours
    (None, True, 3, False),  # by a number that is not known yet
    (None, True, 5, True),
])
def test_a_receipt_is_overdue_once_nothing_holds_it_back(batches, state, numbered, minutes, overdue):
    now = utcnow()
    batch_id = db.session.execute(select(Batch.id).limit(1)).scalar_one()
    db.session.rollback()
    came = now - timedelta(minutes=minutes)
    with transaction() as session:
        if state:
            session.execute(update(Batch).where(Batch.id == batch_id).values(state=state))
        of = 0 if numbered else batch_id if state else 10**12
        session.add(Receipt(batch_id=of, recipient_id=1, status="delivered", code="", at=came))
    assert facts.gather(db.session, now).overdue_receipts == (came if overdue else None)
