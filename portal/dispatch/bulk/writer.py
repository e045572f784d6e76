"""The writer: puts what came of messages into the database, many leases in one transaction.

While the database is away it tries again and again: what is unwritten would be sent twice, and is bounded, since the pump begins
nothing more when too much of it waits.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Collection
from functools import partial

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from portal.core.db import db
from portal.dispatch import tallies
from portal.dispatch.bulk.books import Books
from portal.dispatch.bulk.feeder import SURE
from portal.dispatch.bulk.keeper import AWAY, Keeper
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import Pump
from portal.dispatch.lease import Lease, Results
from portal.dispatch.outcomes import Row
from portal.subscribers import store

LARGEST = 2000  # ends in one transaction
PULSE = 0.1  # seconds after which few are written as well
MOST_REFUSALS = 20  # pages of them that wait to be acted on
AGAIN = 0.5  # seconds between tries while the database is away

log = logging.getLogger(__name__)


class Writer:
    """`held`: see the feeder's."""

    def __init__(self, app: Flask, pump: Pump, loop: asyncio.AbstractEventLoop, inbox: deque[Parcel],
                 books: Books | Keeper, held: set[int]) -> None:
        self._app, self._pump, self._loop, self._inbox, self._books = app, pump, loop, inbox, books
        self._held = held
        self._lease_seconds = app.extensions["anlan"].lease_seconds
        self._rung = threading.Event()
        self._keeper = books if isinstance(books, Keeper) else None
        self._by_thread = self._keeper is None
        self._under_way = self._more = False
        self._handed: deque[dict[int, Results]] = deque()  # what the loop could not write
        self._refusals: deque[list[Row]] = deque()  # ends to be acted on, of what the loop has had written
        self._at_hand: dict[int, Results] = {}  # what is being written, and since when
        self._since = 0.0
        self._tried = 0.0
        self.stuck: dict[int, Results] = {}  # what could not be written although the database is there
        self.wake = self._rung.set
        self.lost = 0  # leases, since the start
        self.away_since: float | None = None  # since when the database takes nothing
        self.ending = False  # nothing more will come; it ends when all is written
        self.give_up_at: float | None = None

    # -- in the loop's thread --------------------------------------------------------------------------------
    def ring(self) -> None:
        """There is enough to be written, or something that shall not wait."""
        if self._by_thread:
            self._rung.set()
        elif self._under_way:
            self._more = True
        else:
            self._begin()

    def _begin(self) -> None:
        """Have written what is there, without waiting for it."""
        if self._by_thread or self._under_way or self._given_up() or self._keeper is None:
            return
        if len(self._refusals) >= MOST_REFUSALS:  # the thread is behind with them: what is written waits for it
            self._by_thread = True
            self._rung.set()
            return
        self._under_way, self._more, began = True, False, time.monotonic()  # before leases are held for longer
        found: dict[int, Results] = {}
        try:
            self._at_hand, self._since = self._taken(found), began
            asked = bool(found) and self._keeper.record_soon(self._loop, list(found.values()), partial(self._heard, found, began))
        except Exception:
            log.exception("outcomes of batches %s cannot be handed to the keeper", sorted(found))
            asked = False
        if not asked:
            self._hand_over(found)
            self._under_way = False

    def _heard(self, found: dict[int, Results], began: float, lost: set[int] | None) -> None:
        try:
            if lost is None:
                self._hand_over(found)
                return
            if refused := _refused(found.values()):
                self._refusals.append(refused)
                self._rung.set()
            self._settle(found, lost, began)
        finally:
            self._under_way = False  # last: until then the thread knows that there is something left
        if self._more:
            self._begin()

    def _hand_over(self, found: dict[int, Results]) -> None:
        """To the thread, which tries until it is written; the loop writes again when nothing is left of it."""
        if found:
            self._handed.append(found)
            self._by_thread = True
            self._rung.set()

    # -- in its own thread -----------------------------------------------------------------------------------
    def run(self) -> None:
        """The body of the writer's thread."""
        while not self._all_is_written() and not self._given_up():
            self._rung.wait(PULSE)
            self._rung.clear()
            try:
                with self._app.app_context():
                    self.step()
            except Exception:  # without this thread nothing would be sent any more
                log.exception("the writer of outcomes failed; once more in %s s", AGAIN)
                time.sleep(AGAIN)

    def step(self) -> None:
        """Write what is there, once: what comes meanwhile waits for more, though not long. Needs an application context."""
        while self._handed and not self._given_up():
            self._write(self._handed[0], tried=True)
            self._handed.popleft()
        while self._refusals and not self._given_up():
            self._note_refusals(self._refusals.popleft())
        if not self._by_thread:
            if self._inbox:
                self._loop.call_soon_threadsafe(self._begin)
            return
        if self._inbox and not self._given_up():
            self._write(self._taken({}))
        if self.stuck and time.monotonic() - self._tried >= AGAIN:
            self._tried = time.monotonic()
            self._one_by_one(dict(self.stuck))
        if self._keeper and not self.stuck and not self._handed:
            self._by_thread = False

    def long_in_hand(self) -> list[Lease]:
        """The leases of what could not be written, or has been on its way so long that they may lapse."""
        held = [*list(self.stuck.values()), *(one for found in list(self._handed) for one in found.values())]
        if time.monotonic() - self._since > self._lease_seconds * SURE / 2:
            held += self._at_hand.values()
        return list({one.lease.batch_id: one.lease for one in held}.values())

    def _all_is_written(self) -> bool:
        at_work = self._under_way or self._handed or self._inbox or self.stuck or self._refusals
        return self.ending and not at_work and not self._pump.parcels

    def _given_up(self) -> bool:
        return self.give_up_at is not None and time.monotonic() > self.give_up_at

    def _taken(self, found: dict[int, Results]) -> dict[int, Results]:
        """What waits, by batch; a batch is let go of in the transaction that writes the last of it."""
        room = LARGEST
        while self._inbox and room > 0:
            parcel = self._inbox.popleft()
            rows, parting = parcel.take(room)
            room -= len(rows) + 1
            if parcel.ends or (parcel.parting is not None and not parcel.parted):  # more than goes into one transaction
                self._inbox.appendleft(parcel)
            if not rows and parting is None:
                continue
            lease = parcel.lease
            results = self.stuck.get(lease.batch_id) or found.get(lease.batch_id)
            if results is None:
                results = found[lease.batch_id] = Results(lease)
            results.rows += rows
            results.parting = parting or results.parting
        if self._inbox:
            self._more = True
            self.wake()
        return found

    def _write(self, found: dict[int, Results], *, tried: bool = False) -> None:
        results = list(found.values())
        self._at_hand, self._since = found, time.monotonic()
        while not self._given_up():
            began = time.monotonic()  # before the lease is held for longer: the database may take long
            try:
                lost = self._books.record(results, tried)
            except AWAY:
                self._away("outcomes cannot be written")
                tried = True
                time.sleep(AGAIN)
            except Exception:
                log.exception("outcomes of batches %s cannot be written together", sorted(found))
                self._one_by_one(found)
                return
            else:
                self._written(found, lost, began)
                return

    def _one_by_one(self, found: dict[int, Results]) -> None:
        """What is wrong with one batch must not keep back the others. It stays in hand and is tried again: let go of, it would be
        sent again, and again."""
        for batch_id, one in found.items():
            db.session.rollback()
            began = time.monotonic()
            try:
                lost = self._books.record([one], True)
            except Exception:
                log.exception("outcomes of batch %d cannot be written; once more in %s s", batch_id, AGAIN)
                self.stuck[batch_id] = one
            else:
                self.stuck.pop(batch_id, None)
                self._written({batch_id: one}, lost, began)

    def _written(self, found: dict[int, Results], lost: set[int], began: float) -> None:
        self._loop.call_soon_threadsafe(self._settle, found, lost, began)
        self._note_refusals(_refused(found.values()))

    def _settle(self, found: dict[int, Results], lost: set[int], began: float) -> None:
        self.away_since = None
        if self._at_hand is found:
            self._at_hand = {}
        if lost:
            self.lost += len(lost)
            log.warning("lost the leases of batches %s; other workers have them", sorted(lost))
        n = sum(len(one.rows) + (one.parting is not None) for one in found.values())
        self._held.difference_update([i for i, one in found.items() if one.parting is not None])
        self._pump.halt(sorted(lost))
        self._pump.renewed([i for i in found if i not in lost], began + self._lease_seconds * SURE)
        self._pump.written(n)

    def _note_refusals(self, refused: Collection[Row]) -> None:
        """Who told the carrier to stop, or has no such number, is told nothing more."""
        left = [row[0] for row in refused if row[1] == tallies.OPTED_OUT]
        unknown = [row[0] for row in refused if row[1] == tallies.INVALID]
        try:
            if left:
                store.opt_out(left, source="carrier")
            if unknown:
                store.mark_invalid(unknown)
        except (SQLAlchemyError, TimeoutError):
            log.exception("refusals of %d numbers could not be noted; the carrier will say so again", len(left) + len(unknown))
            db.session.rollback()

    def _away(self, what: str) -> None:
        if self.away_since is None:
            self.away_since = time.monotonic()
        log.exception("%s; once more in %s s", what, AGAIN)
        db.session.rollback()


def _refused(results: Collection[Results]) -> list[Row]:
    """The ends that a carrier told because it must not, or cannot, reach them."""
    return [row for one in results for row in one.rows
            if row[1] == tallies.INVALID or (row[1] == tallies.OPTED_OUT and row[4])]
