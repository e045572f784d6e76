"""The watch that every process keeps: it says how the process stands, looks at the whole, raises and clears alarms, asks the
heartbeat address, answers scrapes.

Each process may raise an alarm, so that the death of any of them, the scheduler too, is noticed by those that live. Who keeps the
time tells the figures of the whole besides.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask

from portal.config import Settings
from portal.core import logs
from portal.core.clock import utcnow
from portal.core.db import db
from portal.dispatch.models import Alarm
from portal.dispatch.watch import alarms, facts, journal, metrics, presence, rules, said, words
from portal.dispatch.watch.teller import Teller, beat

events = logs.events("portal.dispatch.watch")
log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0  # between two looks of who keeps the time
OTHERS_SECONDS = 15.0  # of the others, who only stand in for it
HEARTBEAT_SECONDS = 60.0
SWEEP_SECONDS = 3600.0
AGAIN_SECONDS = 60.0  # after which an alarm that nobody could be told of is told again
JUMP_SECONDS = 2.0  # by which the clock goes wrong at once, where it does: one that is only corrected a little goes on
PATIENCE = 3.0  # seconds for a thread to end


class Watch:
    """The watch of one process. `office`: how the process sends, None where it does not. `leading`: whether it keeps the time for
    all at this moment. `broker`: said.UP or said.DOWN, said.NONE where there is none."""

    def __init__(
        self,
        app: Flask,
        kind: str,
        *,
        office: Callable[[], said.OfficeState | None] = lambda: None,
        leading: Callable[[], bool] = lambda: False,
        broker: Callable[[], str] = lambda: said.NONE,
    ) -> None:
        self._app, self._kind = app, kind
        self._settings: Settings = app.extensions["anlan"]
        self._office, self._leading, self._broker = office, leading, broker
        self.name = f"{kind}:{socket.gethostname()[:40]}:{os.getpid()}"
        self.known = metrics.Known()
        self.known.office = office
        self._registry = metrics.make_registry(self.known)
        self._times = metrics.Times(self._registry)
        self._dispatches: journal.Dispatches | None = None
        self._sending = journal.Sending()
        self._teller = Teller(self._settings.alarm_url)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._exposition: metrics.Exposition | None = None
        self._began, self._since = utcnow(), time.monotonic()
        self._before: set[tuple[str, str]] = set()
        self._wall = self._began.timestamp() - self._since  # what the time of day is ahead of the clock that only goes forward
        self._looked = self._since
        self._well = False
        self._lost: Alarm | None = None  # the database's, which it cannot hold itself
        self._broker_state, self._broker_since = said.NONE, self._since
        self._next: dict[str, float] = {"heartbeat": 0.0, "sweep": 0.0, "again": 0.0}
        self._broken: set[str] = set()

    def start(self) -> None:
        if self._settings.metrics_port:
            self._exposition = metrics.Exposition(self._settings.metrics_host, self._settings.metrics_port, self._registry)
        self._teller.start()
        for name, step, pause in (("report", self.report, lambda: presence.EVERY), ("look", self.look, self._pause),
                                  ("mind", self.mind, lambda: 1.0)):
            thread = threading.Thread(target=self._loop, args=(name, step, pause), name=f"watch-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()
        events.info("process.started", process=self.name)

    def stop(self) -> None:
        """End, and leave the register: nobody need miss this process."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._teller.stop(PATIENCE)
        if self._exposition:
            self._exposition.close()
        try:
            with self._app.app_context():
                presence.leave(self.name)
        except Exception:
            log.warning("this process could not leave the register; it will be missed")
        events.info("process.ended", process=self.name)

    @property
    def metrics_port(self) -> int | None:
        """The port that scrapes are answered on, where there is one."""
        return self._exposition.port if self._exposition else None

    # -- the steps; each is called again and again, in a thread of its own ----------------------------------------------
    def report(self) -> None:
        """Say how this process stands."""
        office, broker = self._office(), self._broker()
        if broker != self._broker_state:
            if said.DOWN in (broker, self._broker_state):
                events.warning("broker.lost" if broker == said.DOWN else "broker.back")
            self._broker_state, self._broker_since = broker, time.monotonic()
        self.known.broker, self.known.leading = broker, self._leading()
        state: dict[str, Any] = {"leading": self.known.leading, "broker": broker,
                                 "broker_for": round(time.monotonic() - self._broker_since, 1)}
        if office is not None:
            self._sending.follow(office)
            state |= said.of_office(office) | {"keeper_lately": self._sending.keeper_lately}
        presence.report(self.name, self._kind, self._began, state)

    def look(self) -> None:
        """Look at the whole, raise and clear alarms."""
        now = utcnow()
        self._mind_the_clock(now)
        try:
            seen = facts.gather(db.session, now)
            found = rules.findings(seen, self._settings.alarm_seconds)
        except Exception:
            self.known.database_up = False
            raise
        if leading := self._leading():
            self._dispatches = self._dispatches or journal.Dispatches(self._times, now)
            self._dispatches.follow(db.session, (p.dispatch for p in seen.open), now)
        else:
            self._dispatches = None
        stand = [alarm.kind for alarm in alarms.standing(db.session)]
        for progress in seen.open:
            db.session.expunge(progress.dispatch)  # scrapes read it later, in threads of their own
        db.session.rollback()
        self.known.database_up, self.known.looked_at, self._looked = True, now, time.monotonic()
        self.known.leading, self.known.facts, self.known.alarms = leading, seen if leading else None, stand
        self._settle(found)
        self._well = not found and not stand
        if leading and self._due("sweep", SWEEP_SECONDS):
            presence.sweep(now)

    def mind(self) -> None:
        """What needs no database: its own alarm, and the heartbeat."""
        silent = time.monotonic() - self._looked > self._settings.alarm_seconds + self._pause()
        if silent and self._lost is None:
            self._lost = Alarm(id=0, kind=rules.DATABASE, subject="", raised_at=utcnow())
            self._say("raised", self._lost)
        elif self._lost is not None and not silent:
            self._lost.cleared_at = utcnow()
            self._say("cleared", self._lost)
            self._lost = None
        url = self._settings.heartbeat_url
        well = self._well and self._lost is None and self.known.database_up and self._leading()
        if url and well and self._due("heartbeat", HEARTBEAT_SECONDS):
            if error := beat(url):
                log.error("the heartbeat's address did not answer: %s", error)
            else:
                self.known.heartbeat_at = utcnow()

    # -- how it is done -------------------------------------------------------------------------------------------------
    def _mind_the_clock(self, now: datetime) -> None:
        """After a jump, what was written down before it says nothing of how long anything stands still: it is seen anew."""
        wall = now.timestamp() - time.monotonic()
        if abs(wall - self._wall) > JUMP_SECONDS:
            log.warning("the clock was changed by %+.0f s; alarms are judged anew", wall - self._wall)
            self._since = time.monotonic()
        self._wall = wall

    def _settle(self, found: list[rules.Finding]) -> None:
        """Raise what two looks in a row have found, once the process has seen enough to judge."""
        keys = {(f.kind, f.subject) for f in found}
        ripe = time.monotonic() - self._since >= self._settings.alarm_seconds
        sure = [f for f in found if ripe and (f.kind, f.subject) in self._before]
        self._before = keys
        raised, cleared = alarms.settle(found, sure, utcnow())
        for alarm in raised:
            self._say("raised", alarm)
        for alarm in cleared:
            self._say("cleared", alarm)
        if self._leading() and self._settings.alarm_url and self._due("again", AGAIN_SECONDS):
            for alarm in alarms.untold(db.session, utcnow(), presence.GONE):
                self._teller.tell(words.payload(alarm, "raised", self.name), self._when_told(alarm))
            db.session.rollback()

    def _say(self, event: str, alarm: Alarm) -> None:
        """To the log and to whoever is to be told."""
        tell = events.critical if event == "raised" else events.warning
        tell(f"alarm.{event}", kind=alarm.kind, subject=alarm.subject)
        self._teller.tell(words.payload(alarm, event, self.name), self._when_told(alarm) if event == "raised" else lambda: None)
        if alarm is not self._lost:
            db.session.rollback()

    def _when_told(self, alarm: Alarm) -> Callable[[], None]:
        number = alarm.id

        def write() -> None:
            if number:
                with self._app.app_context():
                    alarms.told(number, utcnow())

        return write

    def _pause(self) -> float:
        """Seconds between two looks."""
        most = LOOK_SECONDS if self._leading() else OTHERS_SECONDS
        return min(most, self._settings.alarm_seconds / 4)

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._next[what]:
            return False
        self._next[what] = now + seconds
        return True

    def _loop(self, name: str, step: Callable[[], None], pause: Callable[[], float]) -> None:
        while not self._stopping.is_set():
            try:
                with self._app.app_context():
                    step()
                self._broken.discard(name)
            except Exception:
                if name not in self._broken:  # once is enough while it lasts
                    log.exception("the watch's step %s failed; it is tried again", name)
                self._broken.add(name)
            self._stopping.wait(pause())
