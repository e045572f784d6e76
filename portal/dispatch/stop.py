"""Stopping: nothing more of a dispatch is planned or sent, and what was left unsent is counted.

A batch that a worker holds is ended by that worker, which knows what it has in flight. A batch whose worker died is
ended here: as many of its unrecorded recipients as may have been in flight are `uncertain`, the rest were never sent.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.dispatch import ending, events, tallies
from portal.dispatch.models import BATCH_DONE, EXPIRED, PLANNING, READY, RUNNING, STOPPED, Batch, Dispatch, Tally
from portal.identity import rights
from portal.identity.models import Account
from portal.warnings import bulletins
from portal.warnings.models import Bulletin

ACTIVE = (PLANNING, RUNNING)


def stop(account: Account, dispatch_id: uuid.UUID) -> Dispatch:
    """Stop what is unsent of one dispatch. One approver is enough: this warns nobody. Raises Forbidden, Conflict."""
    with transaction() as session:
        audit.serialise(session)  # before the dispatch, as an issue does that halts it: else each waits for the other
        dispatch = session.execute(select(Dispatch).where(Dispatch.id == dispatch_id).with_for_update()).scalar_one_or_none()
        if dispatch is None:
            raise Conflict(_("This dispatch does not exist."))
        bulletin = bulletins.get(dispatch.bulletin_id)
        rights.require(account, rights.APPROVER, bulletin.region_codes, bulletin.tier)
        if dispatch.state not in ACTIVE:
            raise Conflict(_("This dispatch has already ended; nothing is left to stop."))
        dispatch.state, dispatch.stopped_by = STOPPED, account.display_name
        audit.append(
            session,
            account.actor,
            "dispatch.stop",
            f"dispatch:{dispatch.id}",
            {"channel": dispatch.channel, "bulletin": str(dispatch.bulletin_id)},
        )
    events.work.send(events.Work("stop", dispatch.lane))
    return dispatch


def halt_earlier(session: Session, bulletin: Bulletin) -> bool:
    """An update or all-clear ends what is still unsent of the bulletins that it replaces; whether there was any."""
    earlier = (
        select(Dispatch)
        .where(Dispatch.warning_id == bulletin.warning_id, Dispatch.bulletin_id != bulletin.id, Dispatch.state.in_(ACTIVE))
        .order_by(Dispatch.id)  # who locks several locks them in this order
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    halted = session.execute(earlier).scalars().all()
    for dispatch in halted:
        dispatch.state, dispatch.stopped_by = STOPPED, bulletin.identifier
    return bool(halted)


def sweep(now: datetime | None = None) -> int:
    """End the dispatches whose time is over and settle the stopped ones; how many are still unsettled."""
    now = now or utcnow()
    due = select(Dispatch).where(Dispatch.state.in_(ACTIVE), Dispatch.expires_at <= now).order_by(Dispatch.id)
    if db.session.execute(due.limit(1)).first():
        with transaction() as session:
            for dispatch in session.execute(due.with_for_update(skip_locked=True)).scalars():
                dispatch.state = EXPIRED
    ending.complete_all(now)
    unsettled = list(
        db.session.execute(
            select(Dispatch.id).where(Dispatch.state.in_((STOPPED, EXPIRED)), Dispatch.ended_at.is_(None)).limit(200)
        ).scalars()
    )
    return sum(not settle(dispatch_id, now) for dispatch_id in unsettled)


def settle(dispatch_id: uuid.UUID, now: datetime) -> bool:
    """Close every batch of an ended dispatch that no worker holds; whether all are closed now."""
    with transaction() as session:
        dispatch = session.execute(select(Dispatch).where(Dispatch.id == dispatch_id).with_for_update()).scalar_one()
        key = tallies.STOPPED if dispatch.state == STOPPED else tallies.EXPIRED
        counts: Counter[tallies.Key] = Counter()
        # A worker that is writing holds its batch and waits for the dispatch that we hold: pass its batch by. It may have leased
        # it after our statement began to look, so that this is said of those that nobody seems to have leased, too.
        fresh = select(Batch.id).where(Batch.dispatch_id == dispatch_id, Batch.state == READY, Batch.fence == 0)
        for region, language, size in session.execute(
            update(Batch)
            .where(Batch.id.in_(fresh.with_for_update(skip_locked=True)))
            .values(state=BATCH_DONE)
            .returning(Batch.region_code, Batch.language, Batch.size)
        ):
            counts[region, language, key, 0] += size
        open_ones = select(Batch).where(Batch.dispatch_id == dispatch_id, Batch.state == READY)
        for batch in session.execute(open_ones.with_for_update(skip_locked=True)).scalars().all():
            if batch.lease_owner is None or batch.due_at <= now:
                counts.update(ending.close(session, batch, dispatch.state, now))
        tallies.add(session, dispatch_id, counts)
        session.flush()
        held = session.execute(open_ones.with_only_columns(Batch.id).limit(1)).first() is not None
        if not held:
            dispatch.ended_at = now
            tallies.add(session, dispatch_id, _of_whom(session, dispatch_id, key))
    return not held


def _of_whom(session: Session, dispatch_id: uuid.UUID, key: str) -> Counter[tallies.Key]:
    """Whose audiences were not looked at when they were left unsent is known once all have come to an end: who is missing."""
    missing = func.sum(case((Tally.key == tallies.PLANNED, Tally.n), (Tally.key.in_(tallies.ENDS), -Tally.n), else_=0))
    moved: Counter[tallies.Key] = Counter()
    for region, language, audiences, n in session.execute(
        select(Tally.region_code, Tally.language, Tally.audiences, missing)
        .where(Tally.dispatch_id == dispatch_id, Tally.audiences != 0)
        .group_by(Tally.region_code, Tally.language, Tally.audiences)
    ):
        moved[region, language, key, audiences] += int(n)
        moved[region, language, key, 0] -= int(n)
    return moved

