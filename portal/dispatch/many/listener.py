"""Listens at the broker for rings: a Celery worker in a thread of the process that sends.

Its tasks do nothing but wake the engine beside it, so that they take no time and can be done twice, late, or never.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from celery import Celery
from celery.worker import state
from celery.worker.components import Hub
from celery.worker.consumer import Consumer
from celery.worker.worker import WorkController
from kombu import Connection
from kombu.asynchronous import set_event_loop

from portal.dispatch import events
from portal.dispatch.events import Work
from portal.dispatch.many import broker

log = logging.getLogger(__name__)

_RINGS = {broker.PLAN: "issue", broker.DUE: "planned", broker.STOP: "stop"}

LOOK_SECONDS = 0.5  # how often the thread looks whether it is to end
LONGEST_PAUSE = 5  # seconds between two tries to reach the broker
ENDING_SECONDS = 2.0
AGAIN_SECONDS = 5.0  # after an end that nobody asked for, at most


class _Consumer(Consumer):
    """Celery's, without what is for many kinds of tasks: events, gossip, remote control, queues for delayed delivery."""

    class Blueprint(Consumer.Blueprint):
        default_steps = [
            "celery.worker.consumer.connection:Connection",
            "celery.worker.consumer.tasks:Tasks",
            "celery.worker.consumer.consumer:Evloop",
        ]

    def start(self) -> None:
        try:
            super().start()
        except Exception as error:  # as a password that is refused: Celery gives up, and is begun again later
            self.app.anlan_listener.disconnected(error)
            raise

    def ensure_connected(self, conn: Connection) -> Connection:
        """Try until there is a broker, every few seconds, and not all processes at the same moment."""
        listener: Listener = self.app.anlan_listener

        def failed(error: Exception, _pause: float) -> None:
            listener.disconnected(error)

        pause = random.uniform(0.2, 1)  # noqa: S311
        return conn.ensure_connection(failed, None, interval_start=pause, interval_step=pause, interval_max=LONGEST_PAUSE,
                                      callback=state.maybe_shutdown)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        self.app.anlan_listener.disconnected(exc)
        self.app.anlan_listener.pause()  # Celery would try again at once

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        self.app.anlan_listener.disconnected(exc)
        super().on_connection_error_after_connected(exc)

    def on_ready(self) -> None:
        self.app.anlan_listener.connected()
        super().on_ready()

    def register_with_event_loop(self, hub: Hub) -> None:
        super().register_with_event_loop(hub)
        hub.call_repeatedly(LOOK_SECONDS, state.maybe_shutdown)  # else the loop may sleep for long where nothing comes


class Listener:
    """Wakes the engine of this process when a ring comes; one in a process, since Celery keeps its event loop for the process.
    `up`: whether the broker can be heard now."""

    def __init__(self, url: str) -> None:
        self._celery: Celery = broker.make_celery(url, listening=True)
        self._celery.anlan_listener = self
        for name, what in _RINGS.items():
            self._celery.task(name=name, shared=False)(self._hearing(what))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self.up = False
        self.heard = 0
        self._quiet = False  # a broker that is down is said once

    def start(self) -> None:
        state.should_stop = None
        self._thread.start()

    def stop(self) -> None:
        """End. A thread that waits for a dead broker is left behind; it ends with the process."""
        self._stopping.set()
        state.should_stop = 0
        self._thread.join(ENDING_SECONDS)

    def _hearing(self, what: str) -> Callable[..., None]:
        def heard(lane: int = 0, channel: str = "", *_more: object) -> None:  # more: what later releases may say
            self.heard += 1
            events.work.send(Work(what, lane, channel=channel, rung=True))

        return heard

    def connected(self) -> None:
        self.up, self._quiet = True, False
        log.info("listening for rings at the broker")
        events.work.send(Work("any", rung=True))  # what was rung before is not heard

    def disconnected(self, error: Exception) -> None:
        self.up = False
        if not self._quiet:
            self._quiet = True
            log.warning("the broker cannot be heard (%s); looking for work each second", type(error).__name__)

    def pause(self) -> None:
        """Some seconds before the next try, not the same for all processes."""
        self._stopping.wait(AGAIN_SECONDS * random.uniform(0.5, 1))  # noqa: S311

    def _run(self) -> None:
        logging.getLogger("celery").setLevel(logging.CRITICAL + 1)  # what matters is said above, once and without addresses
        self._celery.set_current()  # of this thread: its tasks are looked up there
        while not self._stopping.is_set():
            set_event_loop(None)  # an earlier worker's is closed
            try:
                WorkController(app=self._celery, hostname="anlan", pool_cls="solo", concurrency=1, consumer_cls=_Consumer,
                               without_mingle=True, without_gossip=True, without_heartbeat=True, loglevel="WARNING").start()
            except BaseException as error:  # Celery ends its workers by SystemExit
                if not self._stopping.is_set():
                    self.disconnected(error if isinstance(error, Exception) else RuntimeError())
            self.up = False
            self.pause()
