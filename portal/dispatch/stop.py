"""Stopping: nothing more of a dispatch is planned or sent, and what was left unsent is counted.

A batch that a worker holds is ended by that worker, which knows what it has in flight. A batch whose worker died is
ended here: as many of its unrecorded recipients as may have been in flight are `uncertain`, the rest were never sent.
"""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime

import numpy as np
from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.dispatch import events, tallies
from portal.dispatch.models import BATCH_DONE, EXPIRED, PLANNING, READY, RUNNING, STOPPED, Batch, Dispatch, Outcome
from portal.dispatch.recipients import unpack
from portal.identity import rights
from portal.identity.models import Account
from portal.warnings import bulletins
from portal.warnings.models import Bulletin

UNCERTAIN = "uncertain"
ACTIVE = (PLANNING, RUNNING)


def stop(account: Account, dispatch_id: uuid.UUID) -> Dispatch:
    """Stop what is unsent of one dispatch. One approver is enough: this warns nobody. Raises Forbidden, Conflict."""
    with transaction() as session:
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
    events.work.send("stop")
    return dispatch


def halt_earlier(session: Session, bulletin: Bulletin) -> None:
    """An update or all-clear ends what is still unsent of the bulletins that it replaces."""
    session.execute(
        update(Dispatch)
        .where(
            Dispatch.warning_id == bulletin.warning_id,
            Dispatch.bulletin_id != bulletin.id,
            Dispatch.state.in_(ACTIVE),
        )
        .values(state=STOPPED, stopped_by=bulletin.identifier)
        .execution_options(synchronize_session=False)
    )


def sweep(now: datetime | None = None) -> int:
    """End the dispatches whose time is over and settle the stopped ones; how many are still unsettled."""
    now = now or utcnow()
    due = select(Dispatch.id).where(Dispatch.state.in_(ACTIVE), Dispatch.expires_at <= now)
    if db.session.execute(due.limit(1)).first():
        with transaction() as session:
            session.execute(
                update(Dispatch)
                .where(Dispatch.state.in_(ACTIVE), Dispatch.expires_at <= now)
                .values(state=EXPIRED)
                .execution_options(synchronize_session=False)
            )
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
        counts: Counter[tuple[str, str, str]] = Counter()
        for region, language, size in session.execute(
            update(Batch)
            .where(Batch.dispatch_id == dispatch_id, Batch.state == READY, Batch.fence == 0)
            .values(state=BATCH_DONE)
            .returning(Batch.region_code, Batch.language, Batch.size)
        ):
            counts[region, language, key] += size
        held = 0
        for batch in (
            session.execute(select(Batch).where(Batch.dispatch_id == dispatch_id, Batch.state == READY).with_for_update())
            .scalars()
            .all()
        ):
            if batch.lease_owner and batch.due_at > now:
                held += 1
                continue
            left, uncertain = _left_over(session, batch, now)
            counts[batch.region_code, batch.language, key] += left
            if uncertain:
                counts[batch.region_code, batch.language, UNCERTAIN] += uncertain
            batch.state = BATCH_DONE
        tallies.add(session, dispatch_id, counts)
        if not held:
            dispatch.ended_at = now
    return not held


def _left_over(session: Session, batch: Batch, now: datetime) -> tuple[int, int]:
    """(never sent, uncertain) of a batch that its worker left; the uncertain ones get an outcome that says so."""
    recorded = np.fromiter(
        session.execute(select(Outcome.recipient_id).where(Outcome.batch_id == batch.id)).scalars(), dtype="<i8"
    )
    pending = unpack(batch.recipients)
    pending = pending[~np.isin(pending, recorded)]
    if batch.lease_owner is None:
        return len(pending), 0
    settings = current_settings()
    uncertain = pending[: settings.flush_size + settings.max_in_flight]
    session.add_all(
        Outcome(batch_id=batch.id, recipient_id=int(i), status=UNCERTAIN, code="worker", carrier_id="", at=now) for i in uncertain
    )
    return len(pending) - len(uncertain), len(uncertain)
