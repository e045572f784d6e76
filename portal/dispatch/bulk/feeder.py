"""The feeder: leases batches ahead of the pump, the most urgent first, and opens the numbers of who wants to be told."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from flask import Flask

from portal import current_settings
from portal.channels.sms import segments
from portal.channels.sms.lines.line import Letter
from portal.core.db import db
from portal.dispatch import lease as leases
from portal.dispatch import tallies
from portal.dispatch.bulk.parcel import Parcel, Row
from portal.dispatch.bulk.pump import LOW, Pump
from portal.dispatch.lease import Lease
from portal.dispatch.models import SMS
from portal.subscribers.contacts import Contact, active, contacts
from portal.warnings import bulletins

IDLE = 0.5  # seconds until it looks again without being woken
BROKEN = 1.0  # seconds after an error, as a database that is away
URGENT_SECONDS = 0.25  # between looks for what is more urgent, without being woken
MOST_AT_ONCE = 8  # batches leased in one transaction
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
    """`owner` stands in leases. `call` runs a function in the loop's thread. `held`: the batches whose end is not yet written.
    Their leases may lapse while the database is away, and to lease them anew would be to send again what is unwritten."""

    def __init__(self, app: Flask, pump: Pump, loop: asyncio.AbstractEventLoop, owner: str,
                 call: Callable[..., Any], held: set[int]) -> None:
        self._app, self._pump, self._loop, self._owner, self._call, self._held = app, pump, loop, owner, call, held
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
            except Exception:
                log.exception("batches cannot be leased; once more in %s s", BROKEN)
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
        return self._lease(min(most, -(-lacking // size)))

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
        claimed = leases.claim_some(SMS, self._owner, most, above_lane=above_lane, but=tuple(self._held))
        fault: Exception | None = None
        known = self._opened(claimed) if len(claimed) > 1 else None
        for lease in claimed:
            try:
                parcel, others = self._parcel(lease, began + self._settings.lease_seconds * SURE, known)
            except Exception as error:
                # A fault of ours must not end a warning: it is tried again, and the operator sees that something is wrong.
                log.exception("batch %d cannot be made ready", lease.batch_id)
                db.session.rollback()
                self._let_go(lease, f"internal: {type(error).__name__}")
                fault = error
                continue
            self._handed += 1
            self._held.add(lease.batch_id)
            self._loop.call_soon_threadsafe(self._pump.add, parcel, others)
        if fault is not None:
            raise fault
        return len(claimed)

    def _let_go(self, lease: Lease, error: str) -> None:
        try:
            leases.finish(lease, [], left=len(lease.pending), retry_after=None, error=error)
        except leases.LeaseLost:
            log.warning("lost the lease of batch %d; another worker has it", lease.batch_id)

    def _opened(self, claimed: list[Lease]) -> dict[int, Contact] | None:
        """The people of several batches at once; None where that fails: then each is asked for alone, and one that fails holds up
        no other."""
        try:
            known = contacts([recipient for lease in claimed for recipient in lease.pending.tolist()])
        except Exception:
            log.exception("the people of %d batches cannot be read together", len(claimed))
            known = None
        db.session.rollback()  # nothing is held open while the carrier works
        return known

    def _parcel(self, lease: Lease, held_until: float, known: dict[int, Contact] | None = None) -> tuple[Parcel, list[Row]]:
        letter = self._letter(lease)
        ids = lease.pending.tolist()
        if known is None:
            known = contacts(ids)
            db.session.rollback()
        parcel = Parcel(lease, letter, deque(), len(ids), held_until)
        others: list[Row] = []
        batch_id, add = lease.batch_id, parcel.queue.append
        for recipient in ids:
            number, audiences = known.get(recipient, ("", 0))
            if number is None:
                others.append((parcel, recipient, tallies.FAILED, "unreadable", "", "", audiences))
            elif number:
                add((parcel, recipient, audiences, number, f"{batch_id}/{recipient}"))
            else:
                others.append((parcel, recipient, tallies.OPTED_OUT, "", "", "", audiences))
        return parcel, others

    def _letter(self, lease: Lease) -> Letter:
        key = (lease.bulletin_id, lease.language)
        if key not in self._letters:
            bulletin = bulletins.get(lease.bulletin_id)
            if bulletin is None:
                raise RuntimeError("a dispatch holds a key to its bulletin")
            body = bulletin.snapshot["words"][lease.language]["sms"]
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

