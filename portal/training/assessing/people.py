"""Who is at a session: the lists that trainers work with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from portal.core.db import db
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import ATTENDED, BOOKED, Booking, PracticalSession

#: Rows of one session; its seats are fewer.
MOST = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """A learner who has something to do with a session. `name`: None where nobody gave one; `tail`: the phone's last digits."""

    learner_id: int
    name: str | None
    tail: str
    state: str
    attended_at: datetime | None
    attended_by: str

    def __repr__(self) -> str:
        return f"Person({self.learner_id}, {self.state!r})"  # never a name into a log


def session_for(account: Account, session_id: uuid.UUID) -> PracticalSession | None:
    """The session, when the account's duty covers its place. None otherwise: strangers learn not even that there is one."""
    found = db.session.get(PracticalSession, session_id)
    return found if found is not None and may_in(account, TRAINER, [found.region_code]) else None


def listed(session_id: uuid.UUID, *states: str) -> list[Person]:
    """Those with a booking in one of the states, by name, then by the phone's last digits."""
    rows = db.session.execute(_booked(session_id).where(Booking.state.in_(states)).limit(MOST))
    found = [_person(one, learner) for one, learner in rows]
    return sorted(found, key=lambda one: (one.name is None, one.name or "", one.tail, one.learner_id))


def at(session_id: uuid.UUID, learner_id: int) -> Person | None:
    """Somebody with a booking of the session, whatever became of it; None for all others, who are no business of its trainers."""
    row = db.session.execute(_booked(session_id).where(Booking.learner_id == learner_id)).one_or_none()
    return None if row is None else _person(*row)


def _booked(session_id: uuid.UUID) -> Select[Booking, Learner]:
    return select(Booking, Learner).join(Learner, Learner.id == Booking.learner_id).where(Booking.session_id == session_id)


def _person(one: Booking, learner: Learner) -> Person:
    return Person(learner.id, own.name(learner), learner.tail, one.state, one.attended_at, one.attended_by)


def present(session_id: uuid.UUID) -> list[Person]:
    """Those who are there."""
    return listed(session_id, ATTENDED)


def seated(session_id: uuid.UUID) -> list[Person]:
    """Those who are there, then those who have a seat and may still come, or were not checked in because there was no network."""
    return sorted(listed(session_id, ATTENDED, BOOKED), key=lambda one: one.state != ATTENDED)


def names(learner_ids: list[int]) -> dict[int, tuple[str | None, str]]:
    """Learner → name and the phone's last digits."""
    rows = db.session.execute(select(Learner).where(Learner.id.in_(learner_ids))).scalars()
    return {one.id: (own.name(one), one.tail) for one in rows}
