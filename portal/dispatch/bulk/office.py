"""The office of text messages: one event loop that hands over, a thread that leases ahead, a thread that writes what came of
it, and one that looks out for what was stopped."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask

from portal.channels.sms.lines.line import Line, LineState
from portal.channels.sms.lines.switch import Switch
from portal.core.db import db
from portal.dispatch.bulk.books import Books
from portal.dispatch.bulk.feeder import SURE, Feeder
from portal.dispatch.bulk.keeper import Keeper
from portal.dispatch.bulk.lookout import Lookout
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import Pump
from portal.dispatch.bulk.writer import Writer

PATIENCE = 15.0  # seconds in which what is in flight is heard out and written when the process ends
ASK_SECONDS = 5.0
STILL_SECONDS = 5.0  # of PATIENCE, in which a keeper has to have written

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OfficeState:
    """`lanes`: batches in hand by lane; `waiting`, `in_flight`, `unwritten`: messages; `lease_age`: seconds for which the batch
    that waits longest for its next renewal has been held; the totals count since the start, `keeper_restarts` how often the
    keeper, where there is one, was begun anew; `database_away`: seconds for which the database has taken nothing."""

    lanes: dict[int, int]
    waiting: int
    in_flight: int
    unwritten: int
    lease_age: float
    rate: float
    accepted: int
    failed: int
    retried: int
    lost_leases: int
    keeper_restarts: int
    database_away: float
    lines: list[LineState]


class Office:
    """Sends text messages over `lines` from `start` to `stop`. Any number of processes may have one on the same database.
    `keeper`: whether another process asks the database for it, so that nothing comes between the loop and the carrier."""

    def __init__(self, app: Flask, lines: Sequence[Line], owner: str = "", *, keeper: bool = False) -> None:
        settings = app.extensions["anlan"]
        self._app, self.lines = app, list(lines)
        self._lease_seconds = settings.lease_seconds
        self._loop = _new_loop()
        self._inbox: deque[Parcel] = deque()
        self._held: set[int] = set()
        self.pump = Pump(Switch(self.lines), most=settings.most_doubled, page=settings.flush_size, inbox=self._inbox,
                         ring=lambda: self.writer.ring(), hungry=lambda: self.feeder.fetch())
        # Nobody else's, not even of a container of the same name: what it holds unheard is given back.
        owner = f"{owner or f'{socket.gethostname()[:40]}:{os.getpid()}:sms'}:{secrets.token_hex(4)}"
        numbered = {line.name for line in self.lines if line.by_number}
        with app.app_context():
            self.books = Keeper(settings, owner, numbered) if keeper else Books(db.engine, owner, numbered)
        self.feeder = Feeder(app, self.pump, self._loop, self.books, self._ask, self._held)
        self.writer = Writer(app, self.pump, self._loop, self._inbox, self.books, self._held)
        self.lookout = Lookout(app, self.pump, self._loop, self.writer.long_in_hand)
        self._threads: dict[str, threading.Thread] = {}

    def start(self, *, feeding: bool = True) -> None:
        """`feeding`: whether batches are leased as they become due; else whoever calls `feeder.step` says when."""
        self.books.start()
        self._spawn("loop", self._run_loop)
        self._ask(self.pump.open, self._loop, self.lines)
        self._spawn("write", self.writer.run)
        self._spawn("look", self.lookout.run)
        if feeding:
            self._spawn("feed", self.feeder.run)

    def wake(self, *, stopped: bool = True) -> None:
        """Something became due or, `stopped`, may have been stopped: look at once."""
        self.feeder.wake()
        if stopped:
            self.lookout.look_now()

    def stop(self) -> None:
        """End in an orderly way: what is in flight is finished and written, batches are given back."""
        until = time.monotonic() + PATIENCE
        self.feeder.stopping = True
        self.feeder.wake()
        self._join("feed", until)
        try:
            self._ask(self.pump.stop)  # waited for: what is on its way to the pump is in hand then, and is written
        except concurrent.futures.TimeoutError:
            log.error("the loop of text messages stands still")
        self.writer.give_up_at, self.writer.ending = until, True
        self.writer.wake()
        if isinstance(self.books, Keeper):  # one that stands still by then: there is time enough for another to write
            self._loop.call_soon_threadsafe(self._loop.call_later, STILL_SECONDS, self.books.give_up, STILL_SECONDS / 5)
        self._join("write", until + 1)
        self.lookout.stopping = True
        self.lookout.look_now()
        self._join("look", time.monotonic() + ASK_SECONDS)
        if isinstance(self.books, Keeper):
            self._loop.call_soon_threadsafe(self.books.give_up)
        closing = asyncio.run_coroutine_threadsafe(self._close_lines(), self._loop)
        try:
            closing.result(ASK_SECONDS)
        except Exception:
            log.exception("lines did not close in time")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._join("loop", time.monotonic() + 1)
        self.books.close()

    @property
    def idle(self) -> bool:
        """Whether everything that was leased here has been written."""
        return self._ask(lambda: not self.pump.parcels and not self._inbox and not self.pump.unsettled)

    def state(self) -> OfficeState:
        return self._ask(self._state)

    # -- inside ------------------------------------------------------------------------------------------------
    def _state(self) -> OfficeState:
        pump, now = self.pump, time.monotonic()
        held = [parcel.held_until for parcel in pump.parcels.values() if parcel.held_until > 0]
        away = min(filter(None, (self.writer.away_since, self.lookout.away_since)), default=None)
        return OfficeState(
            dict(Counter(parcel.lease.lane for parcel in pump.parcels.values())), pump.waiting, pump.in_flight,
            pump.unsettled - pump.in_flight, max(0.0, self._lease_seconds * SURE - (min(held) - now)) if held else 0.0, pump.rate,
            pump.accepted, pump.failed, pump.retried, self.writer.lost, max(0, self.books.begun - 1),
            time.monotonic() - away if away else 0.0, [line.state() for line in self.lines])

    async def _close_lines(self) -> None:
        await asyncio.gather(*(line.close(1.0) for line in self.lines), return_exceptions=True)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _ask(self, what: Callable[..., Any], *values: Any) -> Any:
        """Call in the loop's thread and wait for what it says."""
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def call() -> None:
            try:
                answer.set_result(what(*values))
            except Exception as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return answer.result(ASK_SECONDS)

    def _spawn(self, name: str, body: Callable[[], None]) -> None:
        thread = self._threads[name] = threading.Thread(target=body, name=f"sms-{name}", daemon=True)
        thread.start()

    def _join(self, name: str, until: float) -> None:
        if thread := self._threads.get(name):
            thread.join(max(0.1, until - time.monotonic()))
            if thread.is_alive():
                log.error("thread %s did not end in time; its leases will lapse", thread.name)


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
