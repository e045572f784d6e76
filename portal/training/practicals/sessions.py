"""Publishing sessions, changing them, calling them off. Those who booked are told what concerns them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import TIERS
from portal.core import audit, keys
from portal.core.clock import utcnow
from portal.core.db import transaction, uuid7
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.sealing import TextSeal
from portal.identity import listing
from portal.identity.models import Account
from portal.identity.rights import TRAINER, require_in
from portal.regions import codes, lookup
from portal.training import courses_store
from portal.training.practical_models import BOOKED, CANCELLED, PLANNED, WAITING, Booking, PracticalSession
from portal.training.practicals import booking, messages
from portal.training.practicals.store import LONGEST, SEATED

MOST_SEATS = 500
LONGEST_PLACE, LONGEST_NOTE, LONGEST_REASON = 200, 1000, messages.LONGEST_REASON
SHORTEST, FURTHEST = timedelta(minutes=15), timedelta(days=400)
#: What those who booked are told of.
_TOLD = ("place", "starts_at", "ends_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a trainer says of a session. `skills`: ids of the course's checklists; `lon`, `lat`: both or neither; times aware."""

    slug: str
    skills: tuple[str, ...]
    place: str
    region_code: str
    lon: float | None
    lat: float | None
    starts_at: datetime
    ends_at: datetime
    seats: int
    trainer_id: uuid.UUID
    note: str


def publish(account: Account, plan: Plan) -> PracticalSession:
    """Raises Invalid with every field that is wrong, Forbidden where the duty does not cover the community."""
    now = utcnow()
    with transaction() as session:
        _check(plan, now, None)
        require_in(account, TRAINER, [plan.region_code])
        row = PracticalSession(id=uuid7(), state=PLANNED, version=1, made_at=now, cancelled_because="")
        fill(row, plan)
        session.add(row)
        session.flush()
        audit.append(session, account.actor, "practical.publish", booking.subject(row), _details(row))
        return row


def edit(account: Account, session_id: uuid.UUID, version: int, plan: Plan) -> PracticalSession:
    """Change what is not over. A new time or place is told to all who booked or wait; more seats go to those who wait. Raises
    also Conflict, where somebody else changed it since `version`."""
    now = utcnow()
    with transaction() as session:
        row = _held(session, account, session_id, version, now)
        _check(plan, now, row)
        require_in(account, TRAINER, [plan.region_code])
        if len(taken := booking.states(session, row.id, SEATED)) > plan.seats:
            raise Invalid.one("seats", _l("%(n)s people have a seat already; there cannot be fewer seats than that.",
                                          n=len(taken)))
        before = {name: getattr(row, name) for name in Plan.__slots__}
        _take(row, plan)
        changed = [name for name in Plan.__slots__ if getattr(row, name) != before[name]]
        if not changed:
            return row
        row.version += 1
        session.flush()
        audit.append(session, account.actor, "practical.change", booking.subject(row), {"fields": changed} | _details(row))
        if "starts_at" in changed:  # who has just been told the new time is not reminded of it in the next minute
            session.execute(update(Booking).where(Booking.session_id == row.id, Booking.state == BOOKED).values(reminded_at=now))
        if any(name in _TOLD for name in changed):
            messages.withdraw(session, row)
            messages.tell(session, row, messages.CHANGED, booking.states(session, row.id, (BOOKED, WAITING)), str(row.version),
                          not_after=row.starts_at if row.starts_at > now else row.ends_at)
        booking.move_up(session, row, now)
        return row


def cancel(account: Account, session_id: uuid.UUID, version: int, reason: str) -> int:
    """Call a session off, also late, as long as it is not over; how many are told. Raises Invalid at `reason`, Conflict."""
    reason, now = " ".join(reason.split()), utcnow()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", _l("Say why, in at most %(n)s characters: everybody who booked reads it.", n=LONGEST_REASON))
    with transaction() as session:
        row = _held(session, account, session_id, version, now)
        there = booking.states(session, row.id, SEATED)
        if any(state != BOOKED for state in there.values()):
            raise Conflict(_l("Somebody is checked in already: a session that takes place cannot be called off."))
        row.state, row.cancelled_because, row.version = CANCELLED, reason, row.version + 1
        session.flush()
        audit.append(session, account.actor, "practical.cancel", booking.subject(row), {"reason": reason} | _details(row))
        messages.withdraw(session, row)
        return messages.tell(session, row, messages.CALLED_OFF, booking.states(session, row.id, (BOOKED, WAITING)), "1",
                             not_after=row.ends_at, reason=reason)


def _held(session: Session, account: Account, session_id: uuid.UUID, version: int, now: datetime) -> PracticalSession:
    """The session, locked, when the account may change it and it can be changed."""
    audit.serialise(session)
    row = booking.locked(session, session_id)
    require_in(account, TRAINER, [row.region_code])
    if row.state == CANCELLED:
        raise Conflict(_l("This session was called off."))
    if row.ends_at <= now:
        raise Conflict(_l("This session is over; it can only be read."))
    if row.version != version:
        raise Conflict(_l("Somebody else has changed this session meanwhile. Look at it as it is now, and change it again."))
    return row


def fill(row: PracticalSession, plan: Plan) -> None:
    """A new row says what the plan says, and has a secret of its own."""
    _take(row, plan)
    row.secret_sealed = _seal().seal_bytes(secrets.token_bytes(32), f"practical_session.{row.id}")


def _take(row: PracticalSession, plan: Plan) -> None:
    for name in Plan.__slots__:
        value = getattr(plan, name)
        setattr(row, name, list(value) if name == "skills" else value)


def _details(row: PracticalSession) -> dict[str, Any]:
    return {"course": row.slug, "region": row.region_code, "begins": row.starts_at.isoformat(), "seats": row.seats}


# -- what is wrong -------------------------------------------------------------------------------------------
def _check(plan: Plan, now: datetime, row: PracticalSession | None) -> None:
    problems = [*_of_course(plan, row), *_of_place(plan), *_of_time(plan, now, row), *_of_people(plan, row)]
    if problems:
        raise Invalid(problems)


def _of_course(plan: Plan, row: PracticalSession | None) -> Iterator[Problem]:
    loaded = courses_store.current(plan.slug)
    known = {one.id for one in loaded[1].checklists} if loaded else set()
    if row is not None and row.slug != plan.slug:
        yield Problem("slug", _l("A session stays with its course. Call it off and publish another."))
    elif not known and row is None:
        yield Problem("slug", _l("This course has no practical part."))
    elif not plan.skills:
        yield Problem("skills", _l("Choose what is practised and assessed."))
    elif set(plan.skills) - known - set(row.skills if row else ()):
        yield Problem("skills", _l("The course has no such skill any more. Choose again."))


def _of_place(plan: Plan) -> Iterator[Problem]:
    if not plan.place or len(plan.place) > LONGEST_PLACE:
        yield Problem("place", _l("Say where, so that a stranger finds it, in at most %(n)s characters.", n=LONGEST_PLACE))
    node = lookup.get(plan.region_code) if codes.is_code(plan.region_code) else None
    if node is None or node.level != "community" or not codes.contains(current_settings().district, node.code):
        yield Problem("region_code", _l("Choose the community."))
    if (plan.lon is None) != (plan.lat is None):
        yield Problem("point", _l("A point has a longitude and a latitude."))
    elif plan.lon is not None and plan.lat is not None:
        there = lookup.at_point(plan.lon, plan.lat) if -180 <= plan.lon <= 180 and -90 <= plan.lat <= 90 else None
        if there is None:
            yield Problem("point", _l("This point lies outside the district. Longitude comes first."))
        elif node is not None and there != node.code:
            yield Problem("point", _l("This point lies in another community than the one that is chosen."))


def _of_time(plan: Plan, now: datetime, row: PracticalSession | None) -> Iterator[Problem]:
    moved = row is None or row.starts_at != plan.starts_at
    if moved and plan.starts_at <= now:
        yield Problem("day", _l("This time is past. Choose a later one."))
    elif plan.starts_at > now + FURTHEST:
        yield Problem("day", _l("This is more than a year ahead. Look at the year."))
    if plan.ends_at - plan.starts_at < SHORTEST or plan.ends_at <= now:
        yield Problem("ends", _l("The end must be later than the beginning, by %(n)s minutes at least, and still to come.",
                                 n=SHORTEST // timedelta(minutes=1)))
    elif plan.ends_at - plan.starts_at > LONGEST:
        yield Problem("ends", _l("A session lasts %(n)s hours at most.", n=LONGEST // timedelta(hours=1)))


def _of_people(plan: Plan, row: PracticalSession | None) -> Iterator[Problem]:
    if not 1 <= plan.seats <= MOST_SEATS:
        yield Problem("seats", _l("From 1 to %(n)s seats.", n=MOST_SEATS))
    region = plan.region_code if codes.is_code(plan.region_code) else current_settings().district
    may = {one.id for one in listing.holders(TRAINER, [region], TIERS[0], limit=500)}
    if plan.trainer_id not in may and (row is None or row.trainer_id != plan.trainer_id):
        yield Problem("trainer_id", _l("Choose somebody whose duty as a trainer covers this community."))
    if len(plan.note) > LONGEST_NOTE:
        yield Problem("note", _l("At most %(n)s characters.", n=LONGEST_NOTE))


def _seal() -> TextSeal:
    found = current_app.extensions.get("practical_seal")
    if found is None:
        found = current_app.extensions["practical_seal"] = TextSeal(keys.phone_key(current_settings()), "practical session")
    return found
