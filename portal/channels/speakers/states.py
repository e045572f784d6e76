"""States of devices on their way into the registry: gathered, thinned out, written together.

Two hundred horns that come back after a broken link are one transaction, not two hundred; a heartbeat that says
nothing new waits longer than a change.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime

from flask import Flask

from portal.channels.speakers import registry
from portal.channels.speakers.bridge import State
from portal.core.clock import utcnow
from portal.core.db import db

log = logging.getLogger(__name__)
CHANGE_SECONDS = 1.0
HEARTBEAT_SECONDS = 20.0
#: Devices whose last word is kept until it is written; more than this many are not in any registry.
MAX_KEPT = 20_000


class StateBuffer:
    """`put` from any thread; `flush` writes what is due. With an application, `start` flushes in a thread of its own."""

    def __init__(self, app: Flask | None = None) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[State, datetime]] = {}
        self._known: dict[str, str] = {}
        self._due = float("inf")
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, state: State) -> None:
        """Take what a device says; its latest word counts. Never blocks on the database."""
        with self._lock:
            if state.address not in self._known and len(self._known) >= MAX_KEPT:
                return
            changed = self._known.get(state.address) != state.state
            self._known[state.address] = state.state
            self._waiting[state.address] = (state, utcnow())
            self._due = min(self._due, time.monotonic() + (CHANGE_SECONDS if changed else HEARTBEAT_SECONDS))
        if changed:
            self._wake.set()

    def flush(self) -> int:
        """Write everything that waits, in the caller's application context; how many devices that were."""
        with self._lock:
            batch, self._waiting, self._due = self._waiting, {}, float("inf")
        try:
            registry.set_states(list(batch.values()))
        except Exception:
            with self._lock:  # keep it for the next time, unless something newer has come
                self._waiting = batch | self._waiting
                self._due = time.monotonic() + HEARTBEAT_SECONDS
            raise
        return len(batch)

    def start(self) -> None:
        if self._app is None:
            raise RuntimeError("the buffer needs an application to flush by itself")
        self._thread = threading.Thread(target=self._run, name="horn-states", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left and stop."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while not self._closing.is_set():
            with self._lock:
                wait = self._due - time.monotonic()
            if wait > 0:
                self._wake.wait(min(wait, 5.0))
                self._wake.clear()
                continue
            self._flush_logged()
        self._flush_logged()

    def _flush_logged(self) -> None:
        assert self._app is not None  # noqa: S101 - start() has refused otherwise
        try:
            with self._app.app_context():
                try:
                    self.flush()
                finally:
                    db.session.close()
        except Exception:
            log.exception("states of horns could not be written; they will be written later")
