"""Booking a seat, waiting for one, giving it back.

Every change locks the session's row, and before that the trail's place, in which all writers of the portal wait: so of many who
want the last seat one gets it, on either database. Whoever waits longest gets the next free seat.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.errors import Conflict
from portal.training import standing
from portal.training.certificates import renewal
from portal.training.learners import door, own
from portal.training.models import Learner
from portal.training.practical_models import BOOKED, CANCELLED, LEFT, PLANNED, WAITING, Booking, PracticalSession
from portal.training.practicals import messages
from portal.training.practicals.store import SEATED

#: Why somebody cannot book.
CALLED_OFF, BEGUN, THEORY, PASSED, CLASH, MOST = "called_off", "begun", "theory", "passed", "clash", "most"
WHY = {
    CALLED_OFF: _l("This session was called off."),
    BEGUN: _l("This session has begun; it cannot be booked any more."),
    THEORY: _l("The theory of this course comes first. When it is passed, you can book."),
    PASSED: _l("You have passed everything that is assessed at this session."),
    CLASH: _l("You have another session at that time."),
    MOST: _l("You have as many sessions of this course ahead of you as one may have. Give one back to take another."),
}
#: People who wait for one session.
LONGEST_QUEUE = 200
_NO_SESSION = _l("There is no such session any more.")
_FULL = _l("The list of those who wait is full. Please choose another session.")


@dataclass(frozen=True, slots=True)
class Mine:
    """One of a learner's own sessions that is not over."""

    booking: Booking
    practical: PracticalSession


@dataclass(frozen=True, slots=True)
class Hindrance:
    """`other`: the own session that clashes."""

    why: str
    other: PracticalSession | None = None

    @property
    def words(self) -> Any:
        return WHY[self.why]


def mine(learner_id: int, now: datetime) -> list[Mine]:
    """A learner's seats and places in queues, of sessions that are not over, soonest first; called off ones among them, until
    their time."""
    rows = db.session.execute(
        select(Booking, PracticalSession).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
            Booking.learner_id == learner_id, Booking.state.in_((*SEATED, WAITING)), PracticalSession.ends_at > now)
        .order_by(PracticalSession.starts_at)).all()
    return [Mine(booking, practical) for booking, practical in rows]


def of(learner_id: int, session_id: uuid.UUID) -> Booking | None:
    """A learner's booking of a session, whatever became of it."""
    return db.session.execute(select(Booking).where(
        Booking.session_id == session_id, Booking.learner_id == learner_id)).scalar_one_or_none()


def place(booking: Booking) -> int:
    """Somebody's place in the queue, from 1."""
    before = select(func.count()).select_from(Booking).where(
        Booking.session_id == booking.session_id, Booking.state == WAITING,
        (Booking.asked_at < booking.asked_at) | ((Booking.asked_at == booking.asked_at) & (Booking.id < booking.id)))
    return db.session.execute(before).scalar_one() + 1


def hindrance(practical: PracticalSession, own_sessions: Sequence[Mine], gates: standing.Gates,
              now: datetime) -> Hindrance | None:
    """What stands between a learner and a booking, the first thing that does. `own_sessions` as :func:`mine` gives them."""
    if practical.state == CANCELLED:
        return Hindrance(CALLED_OFF)
    if practical.starts_at <= now:
        return Hindrance(BEGUN)
    if not gates.theory:
        return Hindrance(THEORY)
    if not set(practical.skills) & set(gates.skills_open):
        return Hindrance(PASSED)
    coming = [one.practical for one in own_sessions if one.practical.state == PLANNED and one.practical.id != practical.id]
    for other in coming:
        if other.starts_at < practical.ends_at and practical.starts_at < other.ends_at:
            return Hindrance(CLASH, other)
    if sum(one.slug == practical.slug and one.starts_at > now for one in coming) >= current_settings().practical_bookings:
        return Hindrance(MOST)
    return None


# -- writing -------------------------------------------------------------------------------------------------
def book(learner: Learner, session_id: uuid.UUID, *, name: str | None = None) -> str:
    """Take a seat, or a place in the queue where there is none: BOOKED or WAITING, as it stands also for who books twice. A
    `name` is kept first. Raises Invalid at `name` where none was ever given, Conflict with words where it cannot be booked."""
    with transaction() as session:
        audit.serialise(session)
        practical, now = locked(session, session_id), utcnow()
        if name is not None:
            own.set_name(session, learner, name)
        elif own.name(learner) is None:
            own.clean("")  # says at the field what is missing
        booking = of(learner.id, session_id)
        if booking is not None and booking.state in (*SEATED, WAITING):
            return booking.state
        if found := hindrance(practical, mine(learner.id, now), renewal.gates(learner.id, practical.slug), now):
            raise Conflict(found.words)
        seated, waiting = _numbers(session, session_id)
        state = BOOKED if seated < practical.seats and not waiting else WAITING
        if state == WAITING and waiting >= LONGEST_QUEUE:
            raise Conflict(_FULL)
        if booking is None:
            session.execute(insert_into(session, Booking).values(
                session_id=session_id, learner_id=learner.id, state=state, asked_at=now, changed_at=now, attended_by=""))
        else:
            booking.state, booking.asked_at, booking.changed_at, booking.reminded_at = state, now, now, None
        audit.append(session, door.actor(learner), "practical.book" if state == BOOKED else "practical.wait", subject(practical),
                     {"learner": learner.id})
        return state


def leave(learner: Learner, session_id: uuid.UUID) -> bool:
    """Give a seat, or a place in the queue, back; whether there was one. Raises Conflict once the session has begun."""
    with transaction() as session:
        audit.serialise(session)
        practical, now, booking = locked(session, session_id), utcnow(), of(learner.id, session_id)
        if booking is None or booking.state not in (BOOKED, WAITING):
            return False
        if practical.starts_at <= now and practical.state == PLANNED:
            raise Conflict(_l("This session has begun; the seat cannot be given back any more."))
        give_back(session, practical, booking, now)
        audit.append(session, door.actor(learner), "practical.leave", subject(practical), {"learner": learner.id})
        return True


def give_back(session: Session, practical: PracticalSession, booking: Booking, now: datetime) -> None:
    """A booking ends, in the caller's transaction, which holds the session's row; the queue moves up."""
    booking.state, booking.changed_at = LEFT, now
    messages.withdraw(session, practical, booking.learner_id)
    session.flush()
    move_up(session, practical, now)


def move_up(session: Session, practical: PracticalSession, now: datetime) -> list[int]:
    """Give free seats to those who wait longest and tell them, in the caller's transaction, which holds the session's row; their
    learners' ids. Nobody moves up once the session has begun."""
    if practical.state != PLANNED or practical.starts_at <= now:
        return []
    seated, waiting = _numbers(session, practical.id)
    free = practical.seats - seated
    if free <= 0 or not waiting:
        return []
    rows = session.execute(select(Booking).where(Booking.session_id == practical.id, Booking.state == WAITING).order_by(
        Booking.asked_at, Booking.id).limit(free)).scalars().all()
    for row in rows:
        row.state, row.changed_at = BOOKED, now
        audit.append(session, audit.SYSTEM, "practical.move_up", subject(practical), {"learner": row.learner_id})
    session.flush()
    messages.tell(session, practical, messages.MOVED_UP, {row.learner_id: BOOKED for row in rows}, f"{now.timestamp():.0f}",
                  not_after=practical.starts_at)
    return [row.learner_id for row in rows]


def locked(session: Session, session_id: uuid.UUID) -> PracticalSession:
    """The session's row, locked and fresh. Raises Conflict where it is gone."""
    row = session.execute(select(PracticalSession).where(PracticalSession.id == session_id).with_for_update().execution_options(
        populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise Conflict(_NO_SESSION)
    return row


def states(session: Session, session_id: uuid.UUID, wanted: Collection[str]) -> dict[int, str]:
    """Learner → how the booking stands, of those that stand in one of the wanted states."""
    return dict(session.execute(select(Booking.learner_id, Booking.state).where(
        Booking.session_id == session_id, Booking.state.in_(wanted))).all())


def subject(practical: PracticalSession) -> str:
    return f"session:{practical.id}"


def _numbers(session: Session, session_id: uuid.UUID) -> tuple[int, int]:
    """Seats taken, people waiting."""
    found = dict(session.execute(select(Booking.state, func.count()).where(Booking.session_id == session_id).group_by(
        Booking.state)).all())
    return sum(found.get(state, 0) for state in SEATED), found.get(WAITING, 0)


# -- the way out ---------------------------------------------------------------------------------------------
def before_erasure(session: Session, learner: Learner) -> None:
    """Somebody who is erased gives the seats back that are still ahead."""
    now = utcnow()
    ids = session.execute(select(Booking.session_id).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.learner_id == learner.id, Booking.state.in_((*SEATED, WAITING)), PracticalSession.starts_at > now)
        .order_by(Booking.session_id)).scalars().all()
    for session_id in ids:
        practical, booking = locked(session, session_id), of(learner.id, session_id)
        if booking is not None:
            give_back(session, practical, booking, now)


own.BEFORE_ERASURE.append(before_erasure)
