"""Practical sessions as they are read: one, lists of them, and who has a seat or waits for one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select

from portal.core.db import db
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in
from portal.regions import codes
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, LEFT, PLANNED, WAITING, Booking, PracticalSession

#: Who holds a seat.
SEATED = (BOOKED, ATTENDED)
#: No session lasts longer.
LONGEST = timedelta(hours=12)
#: People of one session that are listed: seats have a limit, and so has a queue.
MOST_PEOPLE = 2000
_ORDER = {state: n for n, state in enumerate((ATTENDED, BOOKED, ABSENT, WAITING, LEFT))}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a booking. `place`: in the queue, from 1; 0 for who does not wait. `name`: None where nobody gave one."""

    learner_id: int
    name: str | None
    tail: str
    state: str
    place: int
    asked_at: datetime
    attended_at: datetime | None

    def __repr__(self) -> str:
        return f"Person({self.learner_id}, {self.state!r})"  # never a name into a log


@dataclass(frozen=True, slots=True)
class Counts:
    """Who holds a seat, and who waits for one."""

    seated: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions of a list; `after`: what the next page is asked for by, empty on the last."""

    rows: Sequence[PracticalSession]
    after: str


def get(session_id: uuid.UUID) -> PracticalSession | None:
    return db.session.get(PracticalSession, session_id)


def may_hold(account: Account, practical: PracticalSession) -> bool:
    """Whether the account's duty covers the session's community: to change it, and to see who comes."""
    return may_in(account, TRAINER, [practical.region_code])


def people(session_id: uuid.UUID) -> list[Person]:
    """Who has a seat by name, then who was absent, who waits in the queue's order, and who gave the seat back. For trainers of
    the region only."""
    rows = db.session.execute(select(Booking, Learner).join(Learner, Learner.id == Booking.learner_id).where(
        Booking.session_id == session_id).order_by(Booking.asked_at, Booking.id).limit(MOST_PEOPLE)).all()
    found, place = [], 0
    for booking, learner in rows:
        place += booking.state == WAITING
        found.append(Person(learner.id, own.name(learner), learner.tail, booking.state, place if booking.state == WAITING else 0,
                            booking.asked_at, booking.attended_at))
    return sorted(found, key=lambda one: (_ORDER.get(one.state, 9), one.place, one.name is None, one.name or "", one.tail))


def counts(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Counts]:
    """Seats taken and people waiting, of each of the sessions."""
    wanted = list(ids)
    seated = func.sum(case((Booking.state.in_(SEATED), 1), else_=0))
    waiting = func.sum(case((Booking.state == WAITING, 1), else_=0))
    rows = db.session.execute(select(Booking.session_id, seated, waiting).where(Booking.session_id.in_(wanted))
                              .group_by(Booking.session_id)).all()
    return dict.fromkeys(wanted, Counts()) | {key: Counts(int(a), int(b)) for key, a, b in rows}


# -- lists ---------------------------------------------------------------------------------------------------
def listing(now: datetime, *, past: bool = False, region_code: str = "", slug: str = "", after: str = "",
            limit: int = 25) -> Page:
    """Sessions that are not over, soonest first, or the `past` ones, latest first; of a region with what lies in it, of a course.
    `after` is another page's. What was cancelled stands among them."""
    over = PracticalSession.ends_at <= now
    query = select(PracticalSession).where(over if past else and_(~over, PracticalSession.starts_at > now - LONGEST))
    if region_code:
        query = query.where(PracticalSession.region_code.between(*codes.code_range(region_code)))
    if slug:
        query = query.where(PracticalSession.slug == slug)
    at, key = PracticalSession.starts_at, PracticalSession.id
    if mark := _read_mark(after):
        beyond = or_(at < mark[0], key < mark[1]) if past else or_(at > mark[0], key > mark[1])
        query = query.where(at <= mark[0] if past else at >= mark[0], beyond)  # the first of the two is what an index finds
    rows = db.session.execute(query.order_by(*((at.desc(), key.desc()) if past else (at, key))).limit(limit + 1)).scalars().all()
    return Page(rows[:limit], _mark(rows[limit - 1]) if len(rows) > limit else "")


def open_to(slug: str, near: str | None, now: datetime, limit: int) -> list[PracticalSession]:
    """Sessions of a course that can still be booked, nearest first: of the community `near`, of its street, then all others;
    the soonest first among these."""
    query = select(PracticalSession).where(PracticalSession.slug == slug, PracticalSession.state == PLANNED,
                                           PracticalSession.starts_at > now)
    order: list[Any] = [PracticalSession.starts_at, PracticalSession.id]
    if near:
        street = codes.parent_of(near)
        far = [(PracticalSession.region_code == near, 0)]
        far += [(PracticalSession.region_code.between(*codes.code_range(street)), 1)] if street else []
        order.insert(0, case(*far, else_=2))
    return list(db.session.execute(query.order_by(*order).limit(limit)).scalars())


def _mark(row: PracticalSession) -> str:
    return f"{row.starts_at.timestamp():.6f}_{row.id}"


def _read_mark(text: str) -> tuple[datetime, uuid.UUID] | None:
    """None for what no page of ours has sent: the list then begins at its beginning."""
    moment, _, key = text[:80].partition("_")
    try:
        return datetime.fromtimestamp(float(moment), UTC), uuid.UUID(key)
    except (ValueError, OverflowError, OSError):
        return None
