"""The lookout: sees what was stopped or lost of what is in hand, and holds the rest for longer.

In a thread of its own, that asks the database itself: while outcomes wait to be written, for whatever reason, nothing more of a
warning may go out after its all-clear.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection

from flask import Flask

from portal.core.db import Standing, db
from portal.dispatch import lease as leases
from portal.dispatch.bulk.feeder import SURE
from portal.dispatch.bulk.keeper import AWAY
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import Pump
from portal.dispatch.lease import Lease

LOOK = 0.25  # seconds between looks

log = logging.getLogger(__name__)


class Lookout:
    """`unwritten`: says what the writer has had in hand for long, beside the pump."""

    def __init__(self, app: Flask, pump: Pump, loop: asyncio.AbstractEventLoop,
                 unwritten: Callable[[], Collection[Lease]]) -> None:
        self._app, self._pump, self._loop, self._unwritten = app, pump, loop, unwritten
        with app.app_context():
            self._standing = Standing(db.engine) if db.engine.dialect.name == "postgresql" else None
        self._lease_seconds = app.extensions["anlan"].lease_seconds
        self._rung = threading.Event()
        self._told: dict[uuid.UUID, str] = {}
        self.away_since: float | None = None  # since when the database gives no answer
        self.look_now = self._rung.set
        self.stopping = False

    def run(self) -> None:
        """The body of its thread."""
        while not self.stopping:
            self._rung.wait(LOOK)
            self._rung.clear()
            try:
                with self._app.app_context():
                    self.look()
                self.away_since = None
            except AWAY:
                if self.away_since is None:  # said once, not four times a second
                    self.away_since = time.monotonic()
                    log.exception("leases cannot be looked at; again and again until they can")
            except Exception:  # without it nothing would be held or stopped any more
                log.exception("the lookout failed; once more in %s s", LOOK)
        if self._standing:
            self._standing.close()

    def look(self) -> None:
        """Halt what was stopped or is lost; hold for longer what is in hand. Needs an application context."""
        parcels, unwritten = list(self._pump.parcels.values()), self._unwritten()
        going = leases.going_on([parcel.lease for parcel in parcels], self._standing) if parcels else set()
        over = [parcel.lease.batch_id for parcel in parcels if parcel.lease.batch_id not in going]
        if over:
            self._loop.call_soon_threadsafe(self._pump.halt, over)
        soon = time.monotonic() + self._lease_seconds * SURE / 2
        due = [parcel.lease for parcel in parcels if parcel.lease.batch_id in going and parcel.held_until < soon]
        if due:
            until = time.monotonic() + self._lease_seconds * SURE
            self._loop.call_soon_threadsafe(self._pump.renewed, leases.renew_all(due), until)
        if unwritten:
            leases.renew_all(unwritten)
        self._tell_why(parcels)

    def _tell_why(self, parcels: Collection[Parcel]) -> None:
        """Note in a dispatch why its messages come back, while they are tried again and again: the operator is to see it."""
        for dispatch_id, error in {parcel.lease.dispatch_id: parcel.error for parcel in parcels if parcel.error}.items():
            if self._told.get(dispatch_id) != error:
                leases.note_error(dispatch_id, error)
                if len(self._told) > 1000:
                    self._told.clear()
                self._told[dispatch_id] = error
