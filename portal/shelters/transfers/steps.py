"""Steps of transfers as staff see them happen, at the desk or on a phone without a network.

Every observation is kept, each `ref` once. The newest observation is the person's state. Where two people who did not know
of each other contradict (`moves.contradicts`), what came in second is marked as a conflict, which the next step by somebody
who knows the state settles. An observation counts for the round in which it was made, and for no other: what comes in after the
end of a drill never touches a real round.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.models import Account
from portal.shelters.models import TransferEvent, TransferPerson, TransferRound
from portal.shelters.transfers import looks, moves, plain, store

#: Outcomes of one observation.
APPLIED, KNOWN, OLDER, OVER, REFUSED = "applied", "known", "older", "over", "refused"
#: What a phone may send at once, and how far its clock may be ahead.
MOST = 200
CLOCK_AHEAD = timedelta(minutes=2)
LONGEST_NOTE = 300


@dataclass(frozen=True, slots=True)
class Observation:
    """What somebody saw. `seen`: the state that they knew before; `ref`: made once by whoever reports."""

    ref: str
    person_id: uuid.UUID
    round_id: uuid.UUID
    state: str
    seen: str
    observed_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it. `state`: the person's state now (empty where the account may not know); `message`: why it was
    refused, in the reader's language."""

    ref: str
    outcome: str
    state: str = ""
    conflict: bool = False
    message: Any = ""


def record(account: Account, observations: Sequence[Observation]) -> list[Result]:
    """Write observations down, all in one transaction; what is refused says why and stops nothing else. Sending the same
    again changes nothing."""
    try:
        return _record(account, observations[:MOST])
    except IntegrityError:  # the same ref came twice in the same moment: now it is there, and is found
        return _record(account, observations[:MOST])


def conflicts(people: Iterable[TransferPerson], round_id: uuid.UUID) -> dict[uuid.UUID, list[TransferEvent]]:
    """Person → what contradicts, of those whose contradiction nobody has settled; the newest first."""
    ids = [p.id for p in people]
    found: dict[uuid.UUID, list[TransferEvent]] = {}
    for at in range(0, len(ids), 500):
        chunk = ids[at:at + 500]
        settled = (select(TransferEvent.person_id, func.max(TransferEvent.id).label("id"))
                   .where(TransferEvent.person_id.in_(chunk), TransferEvent.round_id == round_id, TransferEvent.applied,
                          TransferEvent.conflict.is_(False)).group_by(TransferEvent.person_id).subquery())
        rows = db.session.execute(
            select(TransferEvent).outerjoin(settled, settled.c.person_id == TransferEvent.person_id)
            .where(TransferEvent.person_id.in_(chunk), TransferEvent.round_id == round_id, TransferEvent.conflict,
                   TransferEvent.id > func.coalesce(settled.c.id, 0)).order_by(TransferEvent.id.desc())).scalars()
        for event in rows:
            found.setdefault(event.person_id, []).append(event)
    return found


def history(person_id: uuid.UUID, limit: int = 50) -> list[TransferEvent]:
    """Events of a person, the newest observation first."""
    return list(db.session.execute(
        select(TransferEvent).where(TransferEvent.person_id == person_id)
        .order_by(TransferEvent.observed_at.desc(), TransferEvent.id.desc()).limit(limit)).scalars())


def _record(account: Account, observations: Sequence[Observation]) -> list[Result]:
    now = utcnow()
    done: dict[int, Result] = {}
    order = sorted(range(len(observations)), key=lambda i: (observations[i].observed_at, i))
    with transaction() as session:
        # All people first, in one order, and the trail after them: two phones that send at the same moment cannot then each
        # hold what the other waits for.
        session.execute(select(TransferPerson.id).where(TransferPerson.id.in_({o.person_id for o in observations}))
                        .order_by(TransferPerson.id).with_for_update()).all()
        for i in order:
            done[i] = _one(session, account, observations[i], now)
    return [done[i] for i in range(len(observations))]


def _one(session: Session, account: Account, seen: Observation, now: datetime) -> Result:
    person = looks.visible(session, account, seen.person_id)
    if person is None:
        return Result(seen.ref, REFUSED, message=_("There is nobody here whom you may change."))
    before = session.execute(select(TransferEvent).where(TransferEvent.ref == seen.ref)).scalar_one_or_none()
    if before is not None:
        if before.person_id != person.id:
            return Result(seen.ref, REFUSED, message=_("This report was used for somebody else."))
        return Result(seen.ref, KNOWN, person.state, before.conflict)
    if why := _unreadable(seen):
        return Result(seen.ref, REFUSED, person.state, message=why)
    # Read anew: it may have ended while this waited for the person's row.
    round_ = session.get(TransferRound, seen.round_id, populate_existing=True)
    if round_ is None or not store.covers(round_, person.region_code):
        return Result(seen.ref, REFUSED, person.state, message=_("There is no such round for this person."))
    return _write(session, account, person, round_, seen, now)


def _unreadable(seen: Observation) -> Any:
    """Why this cannot be an observation; empty when it can."""
    if not moves.may(seen.seen, seen.state):
        return _("This step does not follow from what you saw.")
    if moves.needs_note(seen.seen, seen.state) and not seen.note.strip():
        return _("Say why in a few words.")
    if len(seen.note) > LONGEST_NOTE:
        return _("At most %(n)d characters.", n=LONGEST_NOTE)
    if plain.CONTROL.search(" ".join(seen.note.split())):
        return _("There is a sign in it that cannot be shown.")
    return plain.telltale(seen.note)


def _write(session: Session, account: Account, person: TransferPerson, round_: TransferRound, seen: Observation,
           now: datetime) -> Result:
    observed = min(seen.observed_at, now) if seen.observed_at <= now + CLOCK_AHEAD else now
    over = person.removed_at is not None or round_.ended_at is not None or not _takes_part(session, person, round_)
    newest = person.state_at is None or observed >= person.state_at
    applied = newest and not over
    conflict = not over and _conflict(account, person, seen, newest)
    session.add(TransferEvent(person_id=person.id, round_id=round_.id, ref=seen.ref, state=seen.state,
                              note=" ".join(seen.note.split()), observed_at=observed, received_at=now,
                              account=account.username, applied=applied, conflict=conflict))
    if applied:
        person.state, person.state_at, person.state_by = seen.state, observed, account.username
    session.flush()
    outcome = APPLIED if applied else OVER if over else OLDER
    audit.append(session, account.actor, "transfer.state", looks.subject(person), {
        "state": seen.state, "region_code": person.region_code, "exercise": round_.exercise,
        "outcome": outcome, "conflict": conflict})
    return Result(seen.ref, outcome, person.state, conflict,
                  _("The round was over when this came in; it is kept and changes nothing.") if over else "")


def _conflict(account: Account, person: TransferPerson, seen: Observation, newest: bool) -> bool:
    """Whether it contradicts a state that its maker did not know of. Nobody contradicts themselves."""
    if newest:
        return seen.seen != person.state and moves.contradicts(person.state, seen.state)
    return person.state_by not in ("", account.username) and moves.contradicts(seen.state, person.state)


def _takes_part(session: Session, person: TransferPerson, round_: TransferRound) -> bool:
    return session.execute(select(TransferEvent.id).where(
        TransferEvent.person_id == person.id, TransferEvent.round_id == round_.id).limit(1)).first() is not None
