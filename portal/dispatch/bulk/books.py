"""What an office asks of the database in bulk: batches with the numbers of their people opened, and the writing of what came of
them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from portal.core.clock import utcnow
from portal.core.db import Standing, db, transaction
from portal.dispatch import lease as leases
from portal.dispatch import tallies
from portal.dispatch.lease import Lease, Results
from portal.dispatch.models import READY, SMS, Batch
from portal.dispatch.outcomes import Row
from portal.subscribers.contacts import Contacts, audiences_of, contacts

NONE = np.array([], dtype="<i8")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Opened:
    """A leased batch. Of those who are told, in the order of sending: recipient, audiences, number (E.164) and reference, each in
    a list of its own; `others`: the ends of those who are told nothing."""

    lease: Lease
    recipients: list[int]
    audiences: list[int]
    numbers: list[str]
    refs: list[str]
    others: list[Row]


class Books:
    """Asks in the caller's thread, which needs an application context; `claim` in one and `record` in another. `owner`, nobody
    else's name, stands in leases; `numbered`: names of the lines whose receipts name messages by the carrier's number alone."""

    begun = 0  # no process of its own

    def __init__(self, engine: Engine, owner: str, numbered: Collection[str]) -> None:
        self._owner, self._numbered = owner, frozenset(numbered)
        self._unheard = False  # whether batches may have been leased of which nobody here knows
        on_postgresql = engine.dialect.name == "postgresql"
        self._reading = Standing(engine) if on_postgresql else None
        self._writing = Standing(engine) if on_postgresql else None

    def start(self) -> None:
        """Nothing need be begun for it."""

    def close(self) -> None:
        for standing in (self._reading, self._writing):
            if standing:
                standing.close()

    def claim(self, most: int, above_lane: int | None, but: Collection[int], again: bool = False) -> tuple[list[Opened], str]:
        """Lease batches as :func:`portal.dispatch.lease.claim_some` does, and open them. A batch that cannot be opened is given
        back, to be tried again: a fault of ours must not end a warning. What was wrong with it is the second value, empty where
        nothing was. `again`: an earlier answer was lost; what this owner, who is the only one of that name, holds beside `but`
        was never begun, and nobody need wait until it lapses."""
        again, self._unheard = again or self._unheard, True
        if again:
            _give_back_unheard(self._owner, but)
        claim = partial(leases.claim_some, SMS, self._owner, most, above_lane=above_lane, but=but, standing=self._reading)
        try:
            leased = claim()
        except OperationalError:  # the kept connection was lost, as by a restart, and perhaps the answer with it
            _give_back_unheard(self._owner, but)
            leased = claim()
        self._unheard = False
        found, fault = list[Opened](), ""
        for lease in leased:
            try:
                found.append(_opened(lease, self._reading))
            except Exception as error:
                log.exception("batch %d cannot be made ready", lease.batch_id)
                fault = f"{type(error).__name__}: {error}"
                let_go(lease, f"internal: {type(error).__name__}")
        db.session.rollback()  # nothing is held open while the carrier works
        return found, fault

    def record(self, results: Collection[Results], again: bool = False) -> set[int]:
        """See :func:`portal.dispatch.lease.record_many`."""
        return leases.record_many(results, numbered=self._numbered, standing=self._writing, again=again)


def _give_back_unheard(owner: str, but: Collection[int]) -> None:
    with transaction() as session:
        theirs = select(Batch.id).where(Batch.channel == SMS, Batch.state == READY, Batch.lease_owner == owner,
                                        Batch.id.not_in(but))
        unheard = session.execute(theirs.order_by(Batch.id).with_for_update()).scalars().all()
        session.execute(update(Batch).where(Batch.id.in_(unheard)).values(lease_owner=None, due_at=utcnow())
                        .execution_options(synchronize_session=False))
    if unheard:
        log.warning("batches %s were leased, but the answer was lost; they are leased anew", unheard)


def let_go(lease: Lease, error: str) -> None:
    """Give back a batch of which nothing was begun; the operator sees why."""
    db.session.rollback()
    try:
        leases.finish(lease, [], left=len(lease.pending), retry_after=None, error=error)
    except leases.LeaseLost:
        log.warning("lost the lease of batch %d; another worker has it", lease.batch_id)


def _opened(lease: Lease, standing: Standing | None) -> Opened:
    ids = lease.pending.tolist()
    try:
        people = contacts(ids, standing)
    except OperationalError:  # the kept connection was lost, as by a restart; the next one is new
        people = contacts(ids, standing)
    others = list[Row]()
    if people.ids != ids:
        others = _untold(ids, people)
        _put_in_order(ids, people)
    begin = f"{lease.batch_id}/"
    return Opened(lease, people.ids, people.audiences, people.numbers, [f"{begin}{i}" for i in people.ids], others)


def _untold(ids: list[int], people: Contacts) -> list[Row]:
    told = set(people.ids)
    if not (absent := [i for i in ids if i not in told]):
        return []
    masks = audiences_of(absent)
    return [(i, tallies.FAILED, "unreadable", "", "", masks.get(i, 0)) if i in people.unreadable
            else (i, tallies.OPTED_OUT, "", "", "", masks.get(i, 0)) for i in absent]


def _put_in_order(ids: list[int], people: Contacts) -> None:
    """As they were planned."""
    place = {i: n for n, i in enumerate(people.ids)}
    order = [place[i] for i in ids if i in place]
    people.ids, people.numbers = [people.ids[n] for n in order], [people.numbers[n] for n in order]
    people.audiences = [people.audiences[n] for n in order]


def light(lease: Lease) -> Lease:
    """The lease without its recipients, for who only writes."""
    return replace(lease, pending=NONE)
