"""The engine: threads that plan, send and fold, in the process that runs them.

The same functions serve any worker; only who calls them differs. Signals merely save waiting: of the threads that do the same,
one that has nothing to do looks again by itself after a second.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch import answers, events, plan, receipts, stop
from portal.dispatch.bulk.office import Office
from portal.dispatch.channels import Channel
from portal.dispatch.deliver import deliver_next
from portal.dispatch.due import Lapses
from portal.dispatch.events import Work
from portal.dispatch.lease import reclaim_all
from portal.dispatch.models import PUSH, SMS, SPEAKERS

log = logging.getLogger(__name__)

IDLE = 1.0  # seconds until a thread looks again without a signal
WAITING = 0.2  # seconds until a plan that waits for an earlier bulletin's workers is tried again
FOLDING = 0.5  # seconds between folds while receipts come in: each is a commit, whether of one receipt or of thousands
BROKEN = 2.0  # seconds after an unexpected error, as a database that is down
HORN_THREADS = 4  # horns that do not answer hold up a community's batch for half a minute, not the next one's
PATIENCE = 20.0  # seconds for threads to end in an orderly way
PLAN, FOLD = "plan", "fold"  # what a thread does, beside the channels' names


class Engine:
    """Plans and sends in threads of this process. `alone`: no other process sends from this database, so that leases
    found at the start are a dead predecessor's."""

    def __init__(
        self, app: Flask, channels: dict[str, Channel], *, office: Office | None = None, box: answers.AnswerBox | None = None,
        alone: bool = False
    ) -> None:
        self.app, self.channels, self.office, self.box, self.alone = app, channels, office, box, alone
        self.stopping = threading.Event()
        # By what a thread does: whoever is woken for nothing takes its turn from who sends.
        self._wakes = {what: threading.Condition() for what in (PLAN, FOLD, *channels)}
        self._signals: Counter[str] = Counter()
        self._timed: set[str] = set()  # for whom somebody keeps time
        self._threads: list[threading.Thread] = []
        self._lapses = Lapses()
        self._owner = f"{socket.gethostname()[:40]}:{os.getpid()}"

    def start(self) -> None:
        events.work.connect(self._on_work)
        if self.alone:
            with self.app.app_context():
                reclaim_all()
        settings = self.app.extensions["anlan"]
        if self.office:
            self.office.start()
        self._spawn(PLAN, PLAN, Planner(self).step)
        self._spawn(FOLD, FOLD, self._fold)
        for name, channel in self.channels.items():
            for n in range({SPEAKERS: HORN_THREADS, PUSH: settings.push_threads}.get(name, 1)):
                self._spawn(f"{name}-{n}", name, self._sender(name, channel, f"{self._owner}:{name}-{n}"))

    def stop(self) -> None:
        """End in an orderly way: what is in flight is finished and written, batches are given back."""
        self.stopping.set()
        events.work.disconnect(self._on_work)
        self._on_work(None)
        if self.office:
            self.office.stop()
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("thread %s did not end in time; its lease will lapse", thread.name)

    def _on_work(self, sender: Any) -> None:
        """Wake whom it concerns: while a million are planned there is a signal every moment, and each thread's look is a
        question to the database."""
        work = sender if isinstance(sender, Work) else Work("any")
        if work.what == "issue":
            concerned = {PLAN}
        elif work.what == "planned" and work.channel:
            concerned = {work.channel}
        else:
            concerned = {PLAN, FOLD, SMS, *self.channels}
        if self.office and SMS in concerned:
            self.office.wake(stopped=work.what != "planned")
        for what in self._wakes:
            if what in concerned:
                with self._wakes[what]:
                    self._signals[what] += 1
                    self._wakes[what].notify_all()

    def _spawn(self, name: str, what: str, step: Callable[[], float]) -> None:
        thread = threading.Thread(target=self._loop, args=(what, step), name=f"dispatch-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self, what: str, step: Callable[[], float]) -> None:
        """Call `step` until the engine stops; it says how many seconds to wait for a signal before the next call."""
        wake = self._wakes[what]
        while not self.stopping.is_set():
            with wake:
                seen = self._signals[what]
            try:
                with self.app.app_context():
                    pause = step()
            except Exception:
                log.exception("dispatch thread failed; it goes on in %s s", BROKEN)
                self.stopping.wait(BROKEN)
                continue
            if pause:
                self._wait(what, seen, pause)

    def _wait(self, what: str, seen: int, pause: float) -> None:
        """Until there is a signal or the pause is over. Of those who do the same and have nothing to do, one keeps time, and
        names another when it goes to look: else each of them would ask the database every second."""
        wake = self._wakes[what]
        with wake:
            while self._signals[what] == seen and not self.stopping.is_set():
                if what in self._timed:
                    wake.wait()
                    continue
                self._timed.add(what)
                try:
                    if not wake.wait_for(lambda: self._signals[what] != seen or self.stopping.is_set(), pause):
                        return
                finally:
                    self._timed.discard(what)
                    wake.notify()

    def _sender(self, name: str, channel: Channel, owner: str) -> Callable[[], float]:
        return lambda: 0.0 if deliver_next(name, channel, owner, self.stopping) else IDLE

    def _fold(self) -> float:
        written = self.box.write() if self.box else 0
        folded = receipts.fold()
        self._lapses.look()
        unsettled = stop.sweep(utcnow())
        if folded >= receipts.FOLD_LIMIT:
            return 0.0
        return WAITING if unsettled else FOLDING if folded or written else IDLE


class Planner:
    """Plans all open dispatches, always a slice of the most urgent one that need not wait."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._plans: dict[uuid.UUID, Iterator[bool]] = {}

    def step(self) -> float:
        waiting = plan.waiting_dispatches(db.session)
        db.session.rollback()
        self._plans = {i: p for i, p in self._plans.items() if i in waiting}
        for dispatch_id in waiting:
            steps = self._plans.setdefault(dispatch_id, plan.plan(dispatch_id))
            try:
                if next(steps):
                    return 0.0
            except StopIteration:
                del self._plans[dispatch_id]
                return 0.0
            except Exception:
                self._plans.pop(dispatch_id, None)  # a broken generator is over; the next one begins at the cursor
                raise
        return WAITING if waiting else IDLE
