"""What every line asks before it begins a hand-over, and learns from every answer: window, pace, circuit and pauses in one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from portal.channels.sms.lines.circuit import Circuit
from portal.channels.sms.lines.line import CLOSED, OPEN, LineState
from portal.channels.sms.lines.pace import Pace
from portal.channels.sms.lines.window import Window

TICK = 0.025  # seconds between two looks at what the answers tell
SMOOTHED = 1.0  # seconds over which the rate is smoothed
SHORTEST_PAUSE = 0.005  # seconds after which pace is asked again
FIRST_PAUSE, LONGEST_GUESS = 0.2, 5.0  # seconds, where "too many" names no time; doubled while it is said again
LONGEST_PAUSE = 3600.0  # a carrier that names a day is asked again sooner
FORGETS = 0.02  # part of the share of troubles that each answer replaces
HALF = 5.0  # seconds in which that share becomes half by itself: whoever is given little to do shall not stay in bad repute

_log = logging.getLogger(__name__)


class Governor:
    """`most`: hand-overs in flight at most, from the beginning on where it is `steady`; `rate`: units a second, 0 for no limit;
    `by_segments`: whether these are segments.

    A line calls `room` as its own, `begin` for each hand-over, and one of `good`, `trouble`, `busy`, `refused` for each answer.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        weight: float,
        *,
        most: int,
        rate: float = 0.0,
        by_segments: bool = False,
        steady: bool = False,
    ) -> None:
        self.name, self.kind, self.weight, self._most = name, kind, weight, most
        self._by_segments = by_segments
        self.pace, self.window, self.circuit = Pace(rate), Window(most, steady=steady), Circuit()
        self.effective_weight = weight  # the switch writes here what the line's share has come to
        self.in_flight = 0
        self.paused_until = self._busy_at = 0.0
        self._guess = FIRST_PAUSE
        self._faded = 0.0
        self.last_error = ""
        self.troubles = 0.0
        self.rate = 0.0  # acceptances a second, smoothed
        self._size = self.window.size
        self._full = False
        self._answers, self._spent, self._accepted = 0, 0.0, 0
        self._ticked = 0.0
        self._ticking: asyncio.TimerHandle | None = None
        self._calling: asyncio.TimerHandle | None = None
        self._closed = False

    def open(self, loop: asyncio.AbstractEventLoop, on_room: Callable[[], None]) -> None:
        self._loop, self._on_room, self.now = loop, on_room, loop.time
        self._faded = loop.time()

    def close(self) -> None:
        self._closed = True
        for timer in (self._ticking, self._calling):
            if timer:
                timer.cancel()
        self._ticking = self._calling = None

    # -- before -----------------------------------------------------------------------------------

    def room(self) -> int:
        """How many hand-overs may begin now. Where that is none although none is awaited, `on_room` is called later."""
        most = self._size - self.in_flight
        if most <= 0:
            return 0
        if self.paused_until or self.pace.rate or self.pace.learned or self.circuit.state != CLOSED or self._closed:
            return self._room(most)
        return most

    def _room(self, most: int) -> int:
        if self._closed:
            return 0
        now = self.now()
        if now < self.paused_until:
            self._call_at(self.paused_until)
            return 0
        self.paused_until = 0.0
        most = min(most, self.circuit.room(now, most))
        if not most:
            if self.circuit.state == OPEN:
                self._call_at(self.circuit.until)
            return 0
        paced = self.pace.room(now)
        if not paced:
            self._call_at(now + max(SHORTEST_PAUSE, self.pace.wait(now)))
        return min(most, paced)

    def begin(self, segments: int = 1) -> None:
        self.in_flight += 1
        if self.in_flight >= self._size:
            self._full = True
        self.pace.take(segments if self._by_segments else 1)
        if self.circuit.state != CLOSED:
            self.circuit.begun()
        if self._ticking is None:
            self._ticked = self.now()
            self._ticking = self._loop.call_later(TICK, self._tick)

    # -- after ------------------------------------------------------------------------------------

    def good(self, seconds: float, accepted: bool = True) -> None:
        """The carrier took it (`accepted`) or refused this number alone, after so many seconds."""
        self.in_flight -= 1
        self._answers += 1
        self._spent += seconds
        self._accepted += accepted
        if self.troubles:
            self.troubles = self.troubles * (1 - FORGETS) if self.troubles > 0.001 else 0.0
        if self.circuit.run or self.circuit.state != CLOSED:
            self._well(self.now() - seconds)
        self._guess = FIRST_PAUSE

    def trouble(self, code: str, seconds: float, *, silent: bool = False) -> bool:
        """A passing error; `silent`: no answer came in time. Whether the circuit opens for it."""
        now = self._after(code)
        if silent:
            self.window.too_many(now, now - seconds)
            self._size = self.window.size
        opened = self.circuit.trouble(now, now - seconds)
        if opened:
            _log.warning("line %s: nothing but passing errors (%s); it is left alone for a while", self.name, code)
        return opened

    def busy(self, code: str, seconds: float, retry_after: float | None = None) -> None:
        """Too many requests: a pause, then fewer and slower."""
        now = self._after(code)
        began = now - seconds
        self.window.too_many(now, began)
        self._size = self.window.size
        if self.circuit.state != CLOSED:
            self._well(began)  # it speaks, and sensibly
        if retry_after is not None:
            self.pause(retry_after)
        if began < self._busy_at:
            return  # those that were in flight together all tell the same
        self._busy_at = now
        speed = max(self.rate, self._accepted / max(0.1, now - self._ticked))
        self.pace.too_many(now, speed * self.pace.cost)
        if retry_after is None:
            self.pause(self._guess)
            self._guess = min(LONGEST_GUESS, 2 * self._guess)

    def pause(self, seconds: float) -> None:
        """The carrier asks to be left alone for so long."""
        self.paused_until = max(self.paused_until, self.now() + min(seconds, LONGEST_PAUSE))

    def refused(self, code: str) -> bool:
        """The account or the sender is refused; whether that is news."""
        news = self.circuit.refused(self._after(code))
        if news:
            _log.error("line %s: the carrier refuses this account or sender (%s); nothing is sent over it until that is mended",
                       self.name, code)
        return news

    def given_up(self) -> None:
        """A hand-over that was begun has no answer, for reasons of our own."""
        self.in_flight -= 1

    def _well(self, began: float) -> None:
        if self.circuit.well(began):
            _log.info("line %s: it takes messages again", self.name)

    def _after(self, code: str) -> float:
        self.in_flight -= 1
        self.last_error = code
        now = self.now()
        self._fade(now)
        self.troubles += (1 - self.troubles) * FORGETS
        return now

    def _fade(self, now: float) -> None:
        self.troubles *= 0.5 ** ((now - self._faded) / HALF)
        self._faded = now

    # ---------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = self.now()
        passed = max(now - self._ticked, 0.001)
        self.window.learn(now, self._answers, self._spent / self._answers if self._answers else 0.0, self._full)
        grew = self.window.size > self._size
        self._size = self.window.size
        part = min(1.0, passed / SMOOTHED)
        self.rate += (self._accepted / passed - self.rate) * part
        full, self._full = self._full, False
        self._answers, self._spent, self._accepted = 0, 0.0, 0
        self._ticked = now
        working = self.in_flight or self.rate > 0.01
        self._ticking = self._loop.call_later(TICK if self.in_flight else SMOOTHED / 4, self._tick) if working else None
        if not working:
            self.rate = 0.0
        if full and grew:
            self._on_room()

    def _call_at(self, when: float) -> None:
        if self._calling is None or self._calling.when() > when + SHORTEST_PAUSE:
            if self._calling:
                self._calling.cancel()
            self._calling = self._loop.call_at(when, self._call)

    def _call(self) -> None:
        self._calling = None
        self._on_room()

    def state(self) -> LineState:
        now = self.now()
        self._fade(now)
        until = max(self.paused_until, self.circuit.until if self.circuit.state == OPEN else 0.0)
        return LineState(
            self.name,
            self.kind,
            self.circuit.state,
            self.in_flight,
            self._size,
            round(self.rate, 1),
            self.window.latency,
            self.troubles,
            self.effective_weight,
            max(0.0, until - now),
            self.last_error,
        )
