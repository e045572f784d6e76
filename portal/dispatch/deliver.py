"""One worker's step: claim a batch, let its channel deliver it, write what became of it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial

from flask import Flask, current_app
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import lease as leases
from portal.dispatch.channels import Channel, Later
from portal.dispatch.lease import Ended, Lease, LeaseLost
from portal.warnings import bulletins

log = logging.getLogger(__name__)

#: Seconds after which results are written although there are few, and the dispatch is looked at again.
PULSE = 0.5
#: Seconds between two tries to write what a batch came to, while the database is away.
AGAIN = 1.0
_AWAY = (OperationalError, InterfaceError, PoolTimeout, TimeoutError)


class Ledger:
    """Collects the results of one lease from many threads and writes them in bulk.

    Whoever brings the result that fills a page writes the page, and the others wait: a slow database slows the sending
    instead of piling up results that a kill would lose.
    """

    def __init__(self, app: Flask, lease: Lease, stopping: threading.Event) -> None:
        self._app, self._lease, self._stopping = app, lease, stopping
        with app.app_context():
            self._page = current_settings().flush_size
        self._lock = threading.Lock()
        self._waiting = set(lease.pending.tolist())
        self._ended: list[Ended] = []
        self._written = self._looked = time.monotonic()
        self._go_on = True
        self.retry_after: float | None = None
        self.error = ""
        self._unsure: set[int] = set()

    @property
    def unsure(self) -> set[int]:
        """Of those left, who may have been reached although nobody said so."""
        return self._unsure & self._waiting

    @property
    def left(self) -> int:
        """How many recipients have no end yet."""
        return len(self._waiting)

    @property
    def unwritten(self) -> list[Ended]:
        return self._ended

    def report(self, result: Ended | Later) -> None:
        with self._lock:
            if isinstance(result, Later):
                self.error = result.error
                if result.unsure is not None:
                    self._unsure.add(result.unsure)
                if result.after is not None:
                    self.retry_after = max(self.retry_after or 0, result.after)
                return
            if result.recipient_id not in self._waiting:
                raise ValueError("a recipient was reported twice, or is not of this batch")
            self._waiting.remove(result.recipient_id)
            self._ended.append(result)
            if self._go_on and (len(self._ended) >= self._page or time.monotonic() - self._written > PULSE):
                self._write()

    def halted(self) -> bool:
        """Whether to begin no further hand-over: stopped, expired, lease lost, or the process is ending."""
        if not self._go_on or self._stopping.is_set() or utcnow() >= self._lease.expires_at:
            return True
        if time.monotonic() - self._looked > PULSE and self._lock.acquire(blocking=False):
            try:
                self._looked = time.monotonic()
                with self._app.app_context():
                    self._go_on = leases.renew(self._lease)
            except (SQLAlchemyError, TimeoutError):
                self._hold_on()
            finally:
                self._lock.release()
        return not self._go_on

    def _write(self) -> None:
        try:
            with self._app.app_context():
                leases.record(self._lease, self._ended)
        except LeaseLost:
            self._go_on = False  # the end of the batch says so
        except (SQLAlchemyError, TimeoutError):
            self._hold_on()
        else:
            self._ended = []
            self._written = time.monotonic()

    def _hold_on(self) -> None:
        """The database is away: begin nothing more, hear out what is in the air, keep it until it can be written."""
        log.exception("batch %d is held: the database does not take its results", self._lease.batch_id)
        self._go_on = False
        self.error = "database"


def deliver_next(name: str, channel: Channel, owner: str, stopping: threading.Event) -> bool:
    """Claim and deliver the most urgent due batch of a channel; whether there was one. Needs an application context."""
    lease = leases.claim(name, owner)
    if lease is None:
        return False
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    bulletin = bulletins.get(lease.bulletin_id)
    if bulletin is None:
        raise RuntimeError("a dispatch holds a key to its bulletin")
    db.session.expunge(bulletin)  # the channel works for long: it gets the bulletin, not a reading that stays open
    db.session.rollback()
    ledger = Ledger(app, lease, stopping)
    try:
        if len(lease.pending):
            _deliver(channel, lease, bulletin, ledger)
        _persist(partial(_end, lease, ledger, stopping))
    except LeaseLost:
        log.warning("lost the lease of batch %d; another worker has it", lease.batch_id)
    return True


def _end(lease: Lease, ledger: Ledger, stopping: threading.Event) -> None:
    if stopping.is_set() and ledger.left:
        leases.give_back(lease, ledger.unwritten, ledger.unsure)
    else:
        leases.finish(
            lease,
            ledger.unwritten,
            left=ledger.left,
            unsure=ledger.unsure,
            retry_after=ledger.retry_after,
            error=ledger.error,
        )


def _persist(write: Callable[[], None]) -> None:
    """Write what a batch came to, also when the database is away for a moment: unwritten, it would be sent again."""
    deadline = time.monotonic() + current_settings().lease_seconds
    while True:
        try:
            return write()
        except _AWAY:
            if time.monotonic() > deadline:
                raise
            log.exception("a batch's end could not be written; once more in %s s", AGAIN)
            time.sleep(AGAIN)


def _deliver(channel: Channel, lease: Lease, bulletin: object, ledger: Ledger) -> None:
    try:
        channel.deliver(lease, bulletin, report=ledger.report, halted=ledger.halted)  # type: ignore[arg-type]
    except Exception as error:
        # A fault of ours must not end a warning: what was handed over is written, the rest is tried again, and the
        # operator sees that something is wrong.
        log.exception("channel failed on batch %d", lease.batch_id)
        ledger.error = f"internal: {type(error).__name__}"
