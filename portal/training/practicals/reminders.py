"""Reminders of sessions that are near: queued once for each of the setting's hours, only to those who have a seat.

Who got the seat, or a new time, later than that knows it anyway. Where several reminders are due at once, as after a stop of the
portal, one is queued.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import or_, select, update

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.training.practical_models import BOOKED, PLANNED, Booking, PracticalSession
from portal.training.practicals import booking, messages


def queue_due(app: Flask) -> int:
    """Queue the reminders that are due; how many. One query looks for them, over the bookings of sessions that are near; it is
    written only where there are some. Harmless in two processes."""
    with app.app_context():
        now = utcnow()
        due = _due(now)
        db.session.commit()
        return sum(_remind(session_id, now) for session_id in due)


def _moment(starts_at: datetime, now: datetime) -> datetime | None:
    """When the last of a session's reminders was due; None before the first."""
    moments = (starts_at - timedelta(hours=hours) for hours in current_settings().practical_reminder_hours)
    return max((moment for moment in moments if moment <= now), default=None)


def _due(now: datetime) -> list[uuid.UUID]:
    """Sessions with somebody whom a reminder is due to, soonest first."""
    hours = max(current_settings().practical_reminder_hours, default=0)
    rows = db.session.execute(
        select(PracticalSession.id, PracticalSession.starts_at, Booking.changed_at, Booking.reminded_at)
        .join(Booking, Booking.session_id == PracticalSession.id)
        .where(PracticalSession.state == PLANNED, PracticalSession.starts_at > now,
               PracticalSession.starts_at <= now + timedelta(hours=hours), Booking.state == BOOKED)
        .order_by(PracticalSession.starts_at))
    found: dict[uuid.UUID, None] = {}
    for session_id, starts_at, changed_at, reminded_at in rows:
        moment = _moment(starts_at, now)
        if moment is not None and changed_at < moment and (reminded_at is None or reminded_at < moment):
            found[session_id] = None
    return list(found)


def _remind(session_id: uuid.UUID, now: datetime) -> int:
    with transaction() as session:
        audit.serialise(session)
        practical = booking.locked(session, session_id)
        moment = _moment(practical.starts_at, now)
        if moment is None or practical.state != PLANNED or practical.starts_at <= now:
            return 0
        learners = session.execute(update(Booking).where(
            Booking.session_id == session_id, Booking.state == BOOKED, Booking.changed_at < moment,
            or_(Booking.reminded_at.is_(None), Booking.reminded_at < moment),
        ).values(reminded_at=now).returning(Booking.learner_id).execution_options(synchronize_session=False)).scalars().all()
        return messages.tell(session, practical, messages.SOON, dict.fromkeys(learners, BOOKED), f"{moment.timestamp():.0f}",
                             not_after=practical.starts_at)
