"""Who was there: checked in by the code on the trainer's screen, or by the trainer's hand.

By the code only somebody who has a seat, from an hour before the session until its end. By hand a trainer may also correct it
for a week, and take in who has no seat while seats are free and the exam in theory is passed. Who had a seat and is neither is
absent once the session has ended: :func:`sweep` writes that down.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timedelta

from flask import Flask, current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.core.phones import PhoneBook
from portal.identity.models import Account
from portal.identity.rights import TRAINER, require_in
from portal.training import standing
from portal.training.assessing import rotating
from portal.training.learners import door
from portal.training.models import Learner
from portal.training.practical_models import (
    ABSENT,
    ATTENDED,
    BOOKED,
    LEFT,
    PLANNED,
    WAITING,
    Assessment,
    Booking,
    PracticalSession,
)

log = logging.getLogger(__name__)

OPENS_BEFORE = timedelta(hours=1)
#: For so long after its end a trainer may correct who was there.
CORRECTED_FOR = timedelta(days=7)
#: For so long a code counts that was shown to somebody who had to sign in first.
REMEMBERED = timedelta(minutes=10)
CODE, HAND = "code", "hand"
#: Who holds a seat.
SEATED = (BOOKED, ATTENDED)
#: Whoever is taken in out of these walked in, at the moment at which he asked: taken back, he has no seat.
_WITHOUT_SEAT = (WAITING, LEFT)
_MOST_OPEN, _LONGEST, _SWEPT_AT_ONCE, _SWEPT_BACK = 500, timedelta(days=2), 5000, timedelta(days=60)


def is_open(session: PracticalSession, now: datetime) -> bool:
    """Whether its code checks people in."""
    return session.state == PLANNED and session.starts_at - OPENS_BEFORE <= now <= session.ends_at


def is_correctable(session: PracticalSession, now: datetime) -> bool:
    """Whether a trainer may say who is there."""
    return session.state == PLANNED and session.starts_at - OPENS_BEFORE <= now <= session.ends_at + CORRECTED_FOR


def free_seats(session: PracticalSession) -> int:
    taken = select(func.count()).select_from(Booking).where(Booking.session_id == session.id, Booking.state.in_(SEATED))
    return max(0, session.seats - db.session.execute(taken).scalar_one())


# -- by the code ---------------------------------------------------------------------------------------------
def check_in(learner: Learner, typed: str, seen_at: datetime | None = None) -> PracticalSession:
    """Somebody shows the code of a session: now, or at `seen_at`, when he was sent to sign in first. Twice changes nothing.
    Raises Invalid at `code`."""
    now = utcnow()
    if seen_at is None or not now - REMEMBERED <= seen_at <= now:
        seen_at = now
    with transaction() as session:
        audit.serialise(session)
        found = [one for one in _open_now(session, now) if rotating.is_valid(one, typed, seen_at)]
        if not found:
            raise Invalid.one("code", _l("This code is not valid now: it changes every half minute. Use the one that is on the"
                                         " screen at this moment."))
        bookings = {one.id: _booking(session, one.id, learner.id) for one in found}
        chosen = next((one for one in found if (mine := bookings[one.id]) and mine.state in SEATED), found[0])
        booking = bookings[chosen.id]
        if booking is None or booking.state not in SEATED:
            raise Invalid.one("code", _l("You have no seat at this session. Ask the trainer: if a seat is free, the trainer can"
                                         " take you in."))
        if booking.state == BOOKED:
            _set(booking, ATTENDED, now, CODE)
            audit.append(session, door.actor(learner), "attendance.code", _subject(chosen), {"learner": learner.id})
    return chosen


def _open_now(session: Session, now: datetime) -> list[PracticalSession]:
    near = PracticalSession.starts_at.between(now - _LONGEST, now + OPENS_BEFORE)
    rows = session.execute(select(PracticalSession).where(near, PracticalSession.ends_at >= now).limit(_MOST_OPEN)).scalars()
    return [one for one in rows if is_open(one, now)]


# -- by hand -------------------------------------------------------------------------------------------------
def mark(account: Account, session_id: uuid.UUID, learner_id: int, state: str) -> None:
    """A trainer says of somebody on the list that he is there (ATTENDED), is not (ABSENT), or takes back what was said (BOOKED;
    whoever was taken in without a seat has none then). Raises LookupError, Forbidden, Conflict; to say the same again changes
    nothing."""
    with transaction() as session:
        held = _held(session, account, session_id)
        booking = _booking(session, session_id, learner_id)
        if booking is None or state not in (ATTENDED, ABSENT, BOOKED):
            raise LookupError(str(learner_id))
        if booking.state == state:
            return
        if state != ATTENDED and booking.state not in (*SEATED, ABSENT):
            raise LookupError(str(learner_id))
        if state == ABSENT and utcnow() < held.starts_at:
            raise Conflict(_l("The session has not begun; whoever is not there yet may still come."))
        if booking.state == ATTENDED and _was_assessed(session, session_id, learner_id):
            raise Conflict(_l("Skills of this learner were already assessed here, so they were there."))
        if booking.state not in SEATED and state in SEATED:
            _check_seat(held)
            if booking.state != ABSENT:  # who was marked as absent had a seat, and the gate was open then
                _check_theory(held, learner_id)
        walked_in = booking.attended_by == HAND and booking.attended_at == booking.asked_at
        now = utcnow()
        if state == ATTENDED and booking.state in _WITHOUT_SEAT:
            booking.asked_at = now
        _set(booking, LEFT if state == BOOKED and walked_in else state, now, HAND)
        audit.append(session, account.actor, "attendance.hand", _subject(held), {"learner": learner_id, "state": state})


def was_seen(session: Session, account: Account, held: PracticalSession, booking: Booking, at: datetime) -> None:
    """An assessor saw somebody with a seat, in the caller's transaction: whoever is assessed is there, also where there was no
    network to check anybody in, and the end of the session came before the assessment."""
    if booking.state != ATTENDED:
        _set(booking, ATTENDED, at, HAND)
        told = {"learner": booking.learner_id, "state": ATTENDED}
        audit.append(session, account.actor, "attendance.hand", _subject(held), told)


def take_in(account: Account, session_id: uuid.UUID, number: str) -> int:
    """A trainer takes in who came without a seat, by the phone (E.164) that he learns with; his id. Raises LookupError,
    Forbidden, Conflict, and Invalid at `phone`."""
    book: PhoneBook = current_app.extensions["phones"]
    with transaction() as session:
        held = _held(session, account, session_id)
        mine = select(Learner).where(Learner.phone_index == book.index(number))
        learner = session.execute(mine).scalar_one_or_none()
        if learner is None:
            raise Invalid.one("phone", _l("Nobody learns here with this phone. To come to a session one has to pass the exam in"
                                          " theory first."))
        now, booking = utcnow(), _booking(session, session_id, learner.id)
        if booking is not None and booking.state == ATTENDED:
            return learner.id
        if booking is None or booking.state not in SEATED:
            _check_theory(held, learner.id)
            _check_seat(held)
        if booking is None:
            booking = Booking(session_id=session_id, learner_id=learner.id, state=BOOKED, asked_at=now, changed_at=now)
            session.add(booking)
        elif booking.state in _WITHOUT_SEAT:
            booking.asked_at = now
        _set(booking, ATTENDED, now, HAND)
        audit.append(session, account.actor, "attendance.walk_in", _subject(held), {"learner": learner.id})
        return learner.id


def _held(session: Session, account: Account, session_id: uuid.UUID) -> PracticalSession:
    audit.serialise(session)
    held = session.get(PracticalSession, session_id, populate_existing=True, with_for_update=True)
    if held is None:
        raise LookupError(str(session_id))
    require_in(account, TRAINER, [held.region_code])
    if not is_correctable(held, utcnow()):
        raise Conflict(_l("Who is there can be said from an hour before a session until a week after its end."))
    return held


def _check_theory(held: PracticalSession, learner_id: int) -> None:
    if not standing.gates(learner_id, held.slug).theory:
        raise Conflict(_l("The exam in theory is not passed yet; without it nobody is taken in."))


def _check_seat(held: PracticalSession) -> None:
    if not free_seats(held):
        raise Conflict(_l("All seats are taken. Mark those who did not come as absent, then their seats are free."))


def _was_assessed(session: Session, session_id: uuid.UUID, learner_id: int) -> bool:
    there = select(Assessment.id).where(Assessment.session_id == session_id, Assessment.learner_id == learner_id)
    return session.execute(there.limit(1)).scalar_one_or_none() is not None


# -- afterwards ----------------------------------------------------------------------------------------------
def sweep(app: Flask) -> int:
    """Who had a seat at a session that has ended and was not there is absent; how many."""
    with app.app_context():
        now = utcnow()
        ended = select(Booking.id).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
            Booking.state == BOOKED, PracticalSession.state == PLANNED, PracticalSession.ends_at < now,
            PracticalSession.starts_at.between(now - _SWEPT_BACK, now))
        ids = db.session.execute(ended.limit(_SWEPT_AT_ONCE)).scalars().all()
        if not ids:
            return 0
        with transaction() as session:
            audit.serialise(session)
            gone = update(Booking).where(Booking.id.in_(ids), Booking.state == BOOKED).values(state=ABSENT, changed_at=now)
            count = len(session.execute(gone.returning(Booking.id)).all())
            if count:
                audit.append(session, audit.SYSTEM, "attendance.absent", "practical:ended", {"bookings": count})
    return count


# -- rows ----------------------------------------------------------------------------------------------------
def _booking(session: Session, session_id: uuid.UUID, learner_id: int) -> Booking | None:
    mine = select(Booking).where(Booking.session_id == session_id, Booking.learner_id == learner_id)
    return session.execute(mine.with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()


def _set(booking: Booking, state: str, now: datetime, how: str) -> None:
    booking.state, booking.changed_at = state, now
    booking.attended_at, booking.attended_by = (now, how) if state == ATTENDED else (None, "")


def _subject(session: PracticalSession) -> str:
    return f"practical:{session.id}"
