"""One worker's step: claim a batch, let its channel deliver it, write what became of it."""

from __future__ import annotations

import logging
import threading
import time

from flask import Flask, current_app

from portal import current_settings
from portal.core.clock import utcnow
from portal.dispatch import lease as leases
from portal.dispatch.channels import Channel, Later
from portal.dispatch.lease import Ended, Lease, LeaseLost
from portal.warnings import bulletins

log = logging.getLogger(__name__)

#: Seconds after which results are written although there are few, and the dispatch is looked at again.
PULSE = 0.5


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
                if result.after is not None:
                    self.retry_after = max(self.retry_after or 0, result.after)
                return
            if result.recipient_id not in self._waiting:
                raise ValueError("a recipient was reported twice, or is not of this batch")
            self._waiting.remove(result.recipient_id)
            self._ended.append(result)
            if len(self._ended) >= self._page or time.monotonic() - self._written > PULSE:
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
            finally:
                self._lock.release()
        return not self._go_on

    def _write(self) -> None:
        with self._app.app_context():
            try:
                leases.record(self._lease, self._ended)
            except LeaseLost:
                self._go_on = False
                raise
        self._ended = []
        self._written = time.monotonic()


def deliver_next(name: str, channel: Channel, owner: str, stopping: threading.Event) -> bool:
    """Claim and deliver the most urgent due batch of a channel; whether there was one. Needs an application context."""
    lease = leases.claim(name, owner)
    if lease is None:
        return False
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    bulletin = bulletins.get(lease.bulletin_id)
    if bulletin is None:
        raise RuntimeError("a dispatch holds a key to its bulletin")
    ledger = Ledger(app, lease, stopping)
    try:
        if len(lease.pending):
            _deliver(channel, lease, bulletin, ledger)
        if stopping.is_set() and ledger.left:
            leases.record(lease, ledger.unwritten)
            leases.give_back(lease)
        else:
            leases.finish(lease, ledger.unwritten, left=ledger.left, retry_after=ledger.retry_after, error=ledger.error)
    except LeaseLost:
        log.warning("lost the lease of batch %d; another worker has it", lease.batch_id)
    return True


def _deliver(channel: Channel, lease: Lease, bulletin: object, ledger: Ledger) -> None:
    try:
        channel.deliver(lease, bulletin, report=ledger.report, halted=ledger.halted)  # type: ignore[arg-type]
    except LeaseLost:
        raise
    except Exception as error:
        # A fault of ours must not end a warning: what was handed over is written, the rest is tried again, and the
        # operator sees that something is wrong.
        log.exception("channel failed on batch %d", lease.batch_id)
        ledger.error = f"internal: {type(error).__name__}"
