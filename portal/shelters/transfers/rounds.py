"""Rounds: one evacuation of some regions, from the order to leave until it is over.

In a community one round at most is under way, so that a person has one state. A real round ends the drills that it
meets; a drill never begins where a real one is under way. At its start everybody concerned waits: one event each, and
the events of earlier rounds stay as they were.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.core.i18n import select_language
from portal.identity.models import Account
from portal.regions import codes, lookup
from portal.shelters.models import ARRIVED, WAITING, TransferEvent, TransferPerson, TransferRound
from portal.shelters.registry.suitability import families
from portal.shelters.transfers import rights, store
from portal.warnings import bulletins

LONGEST = timedelta(days=7)
MOST_REGIONS = 200
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round is to be. `deadline` None: none is set; `warning_number` empty: no warning stands behind it."""

    region_codes: tuple[str, ...]
    family: str
    exercise: bool
    deadline: datetime | None
    warning_number: str = ""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What starting a round would do: how many households and people it asks to leave, and the drills that it would end."""

    plan: Plan
    region_codes: list[str]
    households: int
    people: int
    drills: list[TransferRound]


def foresee(account: Account, plan: Plan) -> Foreseen:
    """What `start` would do now. Raises as `start` does."""
    regions = _checked(plan, utcnow())
    rights.require(account, regions)
    met = _free(regions, plan.exercise)
    rows = db.session.execute(select(TransferPerson.people, TransferPerson.families).where(store.listed(regions))).all()
    concerned = [row.people for row in rows if not row.families or plan.family in row.families]
    return Foreseen(plan, regions, len(concerned), sum(concerned), met)


def start(account: Account, plan: Plan) -> TransferRound:
    """Begin a round. Raises Forbidden (duty over all its regions), Invalid with fields, and Conflict when a round is under
    way that it may not end."""
    now = utcnow()
    regions = _checked(plan, now)
    rights.require(account, regions)
    with transaction() as session:
        _alone(session)
        drills = _free(regions, plan.exercise)
        round_ = TransferRound(region_codes=regions, family=plan.family, warning_number=plan.warning_number,
                               exercise=plan.exercise, deadline=plan.deadline, started_at=now, started_by=account.username)
        session.add(round_)
        session.flush()
        people = _set_waiting(session, round_, account, now)
        for drill in drills:
            _end(session, account, drill, now, by_real=True)
        audit.append(session, account.actor, "transfer.round_start", f"round:{round_.id}", {
            "regions": regions, "family": plan.family, "exercise": plan.exercise, "warning": plan.warning_number,
            "deadline": plan.deadline.isoformat() if plan.deadline else "", "people": people})
    return round_


def end(account: Account, round_id: uuid.UUID) -> TransferRound | None:
    """End a round; None when there is none that the account may see. Ending it again changes nothing. Raises Forbidden
    without the duty over all its regions."""
    with transaction() as session:
        hold(session)
        round_ = session.get(TransferRound, round_id, with_for_update=True, populate_existing=True)
        if round_ is None or not any(rights.seen_of(account, round_.region_codes)):
            return None
        rights.require(account, round_.region_codes)
        if round_.ended_at is None:
            _end(session, account, round_, utcnow())
    return round_


def get(round_id: uuid.UUID) -> TransferRound | None:
    return db.session.get(TransferRound, round_id)


def hold(session: Session) -> None:
    """First thing in a transaction in which somebody may come onto a list, or a round ends: no round starts meanwhile. A start
    that does not see them yet, while they do not see it, would leave them out, and nobody would go after them. It comes before
    any row is locked, as in :func:`start`, so that neither waits for the other for ever."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite lets writers in one by one anyway
        session.execute(text("LOCK TABLE transfer_round IN ROW EXCLUSIVE MODE"))


def join(session: Session, person: TransferPerson, account_name: str, now: datetime,
         among: Sequence[TransferRound] | None = None) -> None:
    """Somebody who came onto a list during a round waits in it, when the hazard concerns them. `among`: the rounds under way,
    where the caller knows them. The caller has asked for :func:`hold` before."""
    under_way = store.open_rounds([person.region_code]) if among is None else among
    round_ = next((r for r in under_way if store.covers(r, person.region_code)), None)
    if round_ is None or not concerns(round_, person.families):
        return
    there = session.execute(select(TransferEvent.id).where(
        TransferEvent.person_id == person.id, TransferEvent.round_id == round_.id).limit(1)).first()
    if there is None:
        session.add(_waiting(round_, person.id, account_name, now))
        person.state, person.state_at, person.state_by = WAITING, now, ""


def concerns(round_: TransferRound, person_families: Sequence[str]) -> bool:
    return not person_families or round_.family in person_families


def ended(region_codes: Iterable[str], limit: int = 20) -> list[TransferRound]:
    """The last rounds that are over and touch the regions, the newest first."""
    wanted = list(region_codes)
    rows = db.session.execute(select(TransferRound).where(TransferRound.ended_at.is_not(None))
                              .order_by(TransferRound.started_at.desc()).limit(store.MOST_ROUNDS)).scalars()
    return list(islice((r for r in rows if any(codes.contains(a, b) or codes.contains(b, a)
                                               for a in r.region_codes for b in wanted)), limit))


def tally(round_: TransferRound, region_codes: Iterable[str]) -> dict[str, dict[str, int]]:
    """Community → state → households at the end of a round, or now, as its own events tell: the last applied one of each
    person counts. Only for eyes that have the duty over the regions."""
    rank = func.row_number().over(partition_by=TransferEvent.person_id,
                                  order_by=(TransferEvent.observed_at.desc(), TransferEvent.id.desc())).label("rank")
    last = (select(TransferEvent.person_id, TransferEvent.state, rank)
            .where(TransferEvent.round_id == round_.id, TransferEvent.applied).subquery())
    found: dict[str, dict[str, int]] = {}
    for code, state, n in db.session.execute(
            select(TransferPerson.region_code, last.c.state, func.count())
            .join(last, last.c.person_id == TransferPerson.id)
            .where(last.c.rank == 1, store.within(region_codes)).group_by(TransferPerson.region_code, last.c.state)):
        found.setdefault(code, {})[state] = n
    return found


def arrived(counts: dict[str, int]) -> int:
    return counts.get(ARRIVED, 0)


# -- how it begins -------------------------------------------------------------------------------------------
def _checked(plan: Plan, now: datetime) -> list[str]:
    problems: list[Problem] = []
    known = [c for c in dict.fromkeys(plan.region_codes) if codes.is_code(c) and lookup.get(c)]
    if not known or len(known) != len(set(plan.region_codes)):
        problems.append(Problem("regions", _("Choose at least one region of the list.")))
    if len(known) > MOST_REGIONS:
        problems.append(Problem("regions", _("At most %(n)d regions: choose the subdistrict or the district instead.",
                                             n=MOST_REGIONS)))
    if plan.family not in families():
        problems.append(Problem("family", _("Choose the hazard because of which people must leave.")))
    if plan.deadline is not None and not now < plan.deadline <= now + LONGEST:
        problems.append(Problem("deadline", _("The deadline must lie ahead, and at most seven days.")))
    problems += _warning_problems(plan)
    if problems:
        raise Invalid(problems)
    return lookup.topmost(known)


def _warning_problems(plan: Plan) -> list[Problem]:
    if not plan.warning_number:
        return []
    warning = bulletins.warning_by_number(plan.warning_number[:20])
    if warning is None:
        return [Problem("warning", _("There is no warning with this number."))]
    if warning.exercise != plan.exercise:
        return [Problem("warning", _("A drill belongs to a drill's warning, and a real round to a real one."))]
    return []


def _alone(session: Session) -> None:
    """Two who start at the same moment meet here, and the second finds the first's round. Not the trail's own lock: whoever
    reports a step holds a person's row and then asks for the trail, so the trail must come last here too."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE transfer_round IN SHARE ROW EXCLUSIVE MODE"))


def _free(regions: list[str], exercise: bool) -> list[TransferRound]:
    """The drills that would have to end. Raises Conflict when something is in the way that may not be ended."""
    met = store.open_rounds(regions)
    blocking = [r for r in met if exercise or not r.exercise]
    if blocking:
        names = lookup.names(c for r in blocking for c in r.region_codes)
        where = ", ".join(n[select_language()] for n in names.values()) or blocking[0].region_codes[0]
        raise Conflict(_("A round is under way already: %(where)s. End it first, or leave these regions out.", where=where))
    return met


def _end(session: Session, account: Account, round_: TransferRound, now: datetime, *, by_real: bool = False) -> None:
    round_.ended_at, round_.ended_by = now, account.username
    audit.append(session, account.actor, "transfer.round_end", f"round:{round_.id}",
                 {"regions": round_.region_codes, "exercise": round_.exercise} | ({"reason": "real_round"} if by_real else {}))


def _set_waiting(session: Session, round_: TransferRound, account: Account, now: datetime) -> int:
    """Everybody concerned waits; how many. A list is as long as a district, so it goes in pieces."""
    # Locked in one order, as those who report lock them.
    rows = session.execute(select(TransferPerson.id, TransferPerson.families).where(store.listed(round_.region_codes))
                           .order_by(TransferPerson.id).with_for_update()).all()
    concerned = [row.id for row in rows if concerns(round_, row.families)]
    for ids in _pieces(concerned):
        session.execute(insert(TransferEvent), [_values(round_, i, account.username, now) for i in ids])
        session.execute(update(TransferPerson).where(TransferPerson.id.in_(ids))
                        .values(state=WAITING, state_at=now, state_by="")
                        .execution_options(synchronize_session=False))
    return len(concerned)


def _values(round_: TransferRound, person_id: uuid.UUID, account_name: str, now: datetime) -> dict[str, Any]:
    return {"person_id": person_id, "round_id": round_.id, "ref": str(uuid.uuid4()), "state": WAITING, "note": "",
            "observed_at": now, "received_at": now, "account": account_name, "applied": True, "conflict": False}


def _waiting(round_: TransferRound, person_id: uuid.UUID, account_name: str, now: datetime) -> TransferEvent:
    return TransferEvent(**_values(round_, person_id, account_name, now))


def _pieces(ids: list[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    for at in range(0, len(ids), _CHUNK):
        yield ids[at:at + _CHUNK]
