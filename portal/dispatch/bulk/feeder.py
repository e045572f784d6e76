"""The feeder: has batches leased and opened ahead of the pump, the most urgent first."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import repeat
from typing import Any

from flask import Flask

from portal import current_settings
from portal.channels.sms import segments
from portal.channels.sms.lines.line import Letter
from portal.core.db import db
from portal.dispatch.bulk.books import Books, Opened, let_go
from portal.dispatch.bulk.keeper import Away, Keeper
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import LOW, Pump
from portal.dispatch.lease import Lease
from portal.subscribers.contacts import active
from portal.warnings import bulletins

IDLE = 0.5  # seconds until it looks again without being woken
BROKEN = 1.0  # seconds after an error, as a database that is away
URGENT_SECONDS = 0.25  # between looks for what is more urgent, without being woken
MOST_AT_ONCE = 16  # batches leased in one transaction
AT_LEISURE = 2  # batches are opened in the time in which one is handed over, at the least
MOST_AHEAD = 16  # parcels that wait in this process, beside more urgent ones
MOST_IN_HAND = 256  # parcels that wait or are in the air
LETTERS_KEPT = 64
#: How soon before its number is dialled a person is looked at again, and how often: who leaves while a slow carrier works through
#: a batch is told nothing more.
RECHECK_SECONDS = 1.0
#: Of the lease, what counts as certain here: the clocks of two machines are not the same to the second.
SURE = 0.8

log = logging.getLogger(__name__)


class Feeder:
    """`call` runs a function in the loop's thread. `held`: the batches whose end is not yet written. Their leases may lapse while
    the database is away, and to lease them anew would be to send again what is unwritten."""

    def __init__(self, app: Flask, pump: Pump, loop: asyncio.AbstractEventLoop, books: Books | Keeper,
                 call: Callable[..., Any], held: set[int]) -> None:
        self._app, self._pump, self._loop, self._books, self._call, self._held = app, pump, loop, books, call, held
        self._settings = app.extensions["anlan"]
        self._woken = threading.Event()
        self._letters: dict[tuple[Any, str], Letter] = {}
        self._handed = 0  # parcels, since the start
        self._rechecked = time.monotonic()
        self._ask_at = 0.0
        self.stopping = False

    def wake(self) -> None:
        """Something became due: look, also for what is more urgent than what is in hand."""
        self._ask_at = 0.0
        self._woken.set()

    def fetch(self) -> None:
        """Little waits in this process."""
        self._woken.set()

    def run(self) -> None:
        """The body of the feeder's thread."""
        while not self.stopping:
            self._woken.wait(IDLE)
            self._woken.clear()
            try:
                with self._app.app_context():
                    while not self.stopping and self.step():
                        pass
                    self._recheck()
            except Exception as error:
                log.error("batches cannot be leased; once more in %s s", BROKEN, exc_info=not isinstance(error, Away))
                self._woken.clear()
                if not self.stopping:
                    time.sleep(BROKEN)

    def step(self, most: int = MOST_AT_ONCE) -> int:
        """Lease what is wanted at this moment; how many batches. Needs an application context."""
        size = max(1, self._settings.batch_size)
        behind = self._handed - self._pump.taken  # on their way to the loop
        if behind < MOST_AHEAD and (urgent := self._lease_more_urgent(min(2, most))):
            return urgent
        if behind + self._pump.unfinished >= MOST_AHEAD or behind + len(self._pump.parcels) >= MOST_IN_HAND:
            return 0
        waiting = self._pump.waiting + behind * size
        if waiting >= self._pump.ahead * LOW:
            return 0
        lacking = self._pump.ahead - waiting
        soon = max(1, AT_LEISURE * waiting // size)  # the fewer wait, the sooner the next are wanted
        return self._lease(min(most, soon, -(-lacking // size)))

    def _lease_more_urgent(self, most: int) -> int:
        """Lease what is due of a lane more urgent than all that waits here: asked when we are woken, and every now and then."""
        lane, now = self._pump.lane, time.monotonic()
        if not lane or now < self._ask_at:
            return 0
        found = self._lease(most, lane)
        if not found:
            self._ask_at = now + URGENT_SECONDS
        return found

    def _lease(self, most: int, above_lane: int | None = None) -> int:
        began = time.monotonic()  # before the lease: the database may take long to give it
        found, fault = self._books.claim(most, above_lane, tuple(self._held))
        for opened in found:
            try:
                parcel = self._parcel(opened, began + self._settings.lease_seconds * SURE)
            except Exception as error:  # as one that cannot be opened
                log.exception("batch %d cannot be made ready", opened.lease.batch_id)
                let_go(opened.lease, f"internal: {type(error).__name__}")
                fault = f"{type(error).__name__}: {error}"
                continue
            self._handed += 1
            self._held.add(opened.lease.batch_id)
            self._loop.call_soon_threadsafe(self._pump.add, parcel, opened.others)
        if fault:
            raise RuntimeError(f"a batch cannot be made ready: {fault}")
        return len(found)

    def _parcel(self, opened: Opened, held_until: float) -> Parcel:
        lease = opened.lease
        parcel = Parcel(lease, self._letter(lease), deque(), len(opened.recipients) + len(opened.others), held_until)
        parcel.queue.extend(zip(repeat(parcel), opened.recipients, opened.audiences, opened.numbers, opened.refs))
        return parcel

    def _letter(self, lease: Lease) -> Letter:
        key = (lease.bulletin_id, lease.language)
        if key not in self._letters:
            bulletin = bulletins.get(lease.bulletin_id)
            if bulletin is None:
                raise RuntimeError("a dispatch holds a key to its bulletin")
            body = bulletin.snapshot["words"][lease.language]["sms"]
            db.session.rollback()  # nothing is held open while the carrier works
            settings = current_settings()
            if len(self._letters) >= LETTERS_KEPT:
                self._letters.clear()
            self._letters[key] = Letter(body, lease.expires_at, segments.count(body).segments,
                                        f"{settings.base_url}/hooks/sms" if settings.public_url else "")
        return self._letters[key]

    def _recheck(self) -> None:
        """Take out who has left since the numbers were opened."""
        since = time.monotonic() - self._rechecked
        if since < RECHECK_SECONDS or not self._pump.waiting:
            return
        self._rechecked = time.monotonic()
        upcoming = self._call(self._pump.next_up, 2 * max(RECHECK_SECONDS, since))
        staying: set[int] = set()
        for start in range(0, len(upcoming), 1000):
            staying |= active([recipient for _batch, recipient in upcoming[start : start + 1000]])
        db.session.rollback()
        if leaving := [one for one in upcoming if one[1] not in staying]:
            self._loop.call_soon_threadsafe(self._pump.drop, leaving)
