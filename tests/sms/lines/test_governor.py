"""Whatever a carrier says, a line never has more in flight than it may, and never stands still for good without a reason."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.governor import LONGEST_PAUSE, Governor
from portal.channels.sms.lines.line import CLOSED


class Timer:
    def __init__(self, when: float, call: Callable[[], Any]) -> None:
        self._when, self.call, self.cancelled = when, call, False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A clock that moves when the test says so, and its timers."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Timer]] = []
        self._serial = itertools.count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], Any]) -> Timer:
        timer = Timer(when, call)
        heapq.heappush(self._timers, (when, next(self._serial), timer))
        return timer

    def call_later(self, seconds: float, call: Callable[[], Any]) -> Timer:
        return self.call_at(self.now + seconds, call)

    def pass_(self, seconds: float) -> None:
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            when, _serial, timer = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if not timer.cancelled:
                timer.call()
        self.now = until

    @property
    def waits(self) -> bool:
        return any(not timer.cancelled for _when, _serial, timer in self._timers)


ANSWERS = st.sampled_from(["good", "good", "good", "refusal", "trouble", "silence", "busy", "pause", "refused"])
STEPS = st.lists(st.tuples(ANSWERS, st.integers(1, 40), st.floats(0, 1.5)), min_size=1, max_size=40)


def answer(governor: Governor, what: str) -> None:
    if what in ("good", "refusal"):
        governor.good(0.05, accepted=what == "good")
    elif what in ("trouble", "silence"):
        governor.trouble(what, 0.05, silent=what == "silence")
    elif what == "refused":
        governor.refused("20003")
    else:
        governor.busy("20429", 0.05, 2.0 if what == "pause" else None)


@settings(max_examples=40)
@given(steps=STEPS, most=st.integers(1, 60), rate=st.sampled_from([0.0, 0.5, 30.0, 2000.0]), by_segments=st.booleans())
def test_whatever_the_carrier_says_bounds_hold_and_it_goes_on(
    steps: list[tuple[str, int, float]], most: int, rate: float, by_segments: bool
) -> None:
    loop = Loop()
    calls: list[float] = []
    governor = Governor("x", "x", 1.0, most=most, rate=rate, by_segments=by_segments)
    governor.open(loop, lambda: calls.append(loop.now))  # type: ignore[arg-type]
    for what, count, wait in steps:
        begun = min(governor.room(), count)
        for _ in range(begun):
            governor.begin(3)
        assert governor.in_flight <= most
        loop.pass_(min(wait, 0.05))
        for _ in range(begun):
            answer(governor, what)
        assert governor.in_flight == 0
        loop.pass_(wait)
        state = governor.state()
        assert 0 <= state.troubles <= 1
        assert 1 <= state.window <= most
        assert 0 <= state.pause <= LONGEST_PAUSE
    heard = len(calls)
    if governor.room() == 0:
        assert loop.waits, "nobody would ever ask again"
        loop.pass_(30)
        assert len(calls) > heard, "it is said when there is room again"
        if governor.room() == 0:  # the slowest pace: the last text of three segments is not paid off yet
            loop.pass_(30)
        assert governor.room() > 0
    governor.begin(1)
    governor.good(0.05)
    assert governor.state().circuit == CLOSED
    assert governor.in_flight == 0


def test_while_it_only_probes_the_next_one_is_begun_when_the_answer_is_there() -> None:
    loop = Loop()
    governor = Governor("x", "x", 1.0, most=10)
    governor.open(loop, lambda: None)  # type: ignore[arg-type]
    governor.begin()
    governor.refused("20003")
    assert governor.room() == 0
    loop.pass_(10)
    assert governor.room() == 1
    governor.begin()
    assert governor.room() == 0
    governor.good(0.05)
    assert governor.room() == 10


def test_nothing_begins_once_it_is_closed() -> None:
    loop = Loop()
    governor = Governor("x", "x", 1.0, most=10)
    governor.open(loop, lambda: None)  # type: ignore[arg-type]
    governor.close()
    assert governor.room() == 0
