"""Rings what happens in this process, for workers in others.

Signals are counted and handed to a thread, which alone speaks to the broker: whoever issues a warning never waits for it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

from celery import Celery
from kombu import Connection

from portal.dispatch import events
from portal.dispatch.events import Work
from portal.dispatch.many import broker

log = logging.getLogger(__name__)

#: Rings of one kind, lane and channel at once. Whoever is awake goes on by itself, and the others look each second: each ring is
#: work for the broker, for us, and for whoever hears it while at it already.
MOST_AT_ONCE = 4
#: Seconds between rings for what was planned: while a million are, there is always more.
GATHERING_SECONDS = 0.2
#: Seconds without a ring after which the connection is closed. Nobody speaks on it meanwhile, and firewalls forget such ones.
IDLE_SECONDS = 30.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds after the broker could not be reached
ENDING_SECONDS = 1.0

_TASKS = {"issue": broker.PLAN, "planned": broker.DUE, "stop": broker.STOP}


class _Ring(NamedTuple):
    task: str
    lane: int
    channel: str


class Ringer:
    """Begins with the first signal, so that a process may fork before that. `failures`: rings lost since the last that went."""

    def __init__(self, url: str) -> None:
        self._celery: Celery = broker.make_celery(url, listening=False)
        self._waiting: Counter[_Ring] = Counter()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._connection: Connection | None = None
        self._producer: Any = None
        self.rung, self.failures = 0, 0

    def listen(self) -> None:
        """Ring from now on whatever is announced in this process."""
        events.work.connect(self._on_work)

    def close(self) -> None:
        """End; a ring that is under way has a second for it."""
        events.work.disconnect(self._on_work)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(ENDING_SECONDS)

    def _on_work(self, sender: Any) -> None:
        work = sender if isinstance(sender, Work) else Work("any")
        task = _TASKS.get(work.what)
        if task is None or work.rung:
            return
        key = _Ring(task, 0 if task == broker.STOP else work.lane, work.channel)
        with self._changed:
            self._waiting[key] = min(MOST_AT_ONCE, self._waiting[key] + max(work.batches, 1))
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        pause = rung_at = 0.0
        while True:
            with self._changed:
                idle = not self._changed.wait_for(lambda: self._waiting or self._stopping, IDLE_SECONDS)
            if idle:
                self._disconnect()  # not under the lock: nobody waits for a goodbye
                continue
            with self._changed:
                self._changed.wait_for(self._hurry, max(0.0, rung_at + GATHERING_SECONDS - time.monotonic()))
                waiting, self._waiting = self._waiting, Counter()
                if self._stopping and not waiting:
                    break
            try:
                self._ring(waiting)
                pause, self.failures, rung_at = 0.0, 0, time.monotonic()
            except Exception as error:
                # Whatever it was: these rings are lost, which costs their workers a second.
                if not self.failures:
                    log.warning("the broker cannot be reached (%s); workers look by themselves", type(error).__name__)
                self.failures += sum(waiting.values())
                pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
                with self._changed:
                    if self._stopping:
                        break
                    self._changed.wait_for(lambda: self._stopping, pause * random.uniform(0.5, 1))  # noqa: S311
        self._disconnect()

    def _hurry(self) -> bool:
        """Whether anything waits that must not: more batches of what is being planned may."""
        return self._stopping or any(ring.task != broker.DUE for ring in self._waiting)

    def _ring(self, waiting: Counter[_Ring]) -> None:
        """Stops first, then by urgency. A connection that died since it was last used is found out here: once more, then."""
        for ring, times in sorted(waiting.items(), key=lambda item: (item[0].task != broker.STOP, item[0].lane)):
            for _ in range(1 if ring.task == broker.STOP else times):
                fresh = self._producer is None
                try:
                    self._publish(ring)
                except Exception:
                    self._disconnect(broken=True)
                    if fresh:
                        raise
                    self._publish(ring)
                self.rung += 1

    def _publish(self, ring: _Ring) -> None:
        if self._producer is None:
            self._connection = self._celery.connection_for_write()
            self._connection.ensure_connection(max_retries=1, timeout=broker.CONNECT_SECONDS)
            self._producer = self._celery.amqp.Producer(self._connection, auto_declare=False)
        to_all, lane = ring.task == broker.STOP, ring.lane
        said = [lane, ring.channel] if ring.channel else [lane]
        self._celery.send_task(
            ring.task, args=said, producer=self._producer, retry=False, ignore_result=True,
            expires=broker.RING_SECONDS,
            exchange=broker.stops.name if to_all else broker.rings.name,
            exchange_type=broker.stops.type if to_all else broker.rings.type,
            routing_key=broker.STOP if to_all else broker.name_of(lane),  # without one Celery sends past the exchange
            declare=[broker.stops] if to_all else [broker.lane_queue(lane)],
            confirm_timeout=broker.ANSWER_SECONDS)

    def _disconnect(self, *, broken: bool = False) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        if connection is None:
            return
        try:
            if broken:
                connection.collect(socket_timeout=0.2)
            else:
                connection.release()
        except Exception:  # it is thrown away in any case
            log.debug("the connection to the broker ended badly", exc_info=True)
