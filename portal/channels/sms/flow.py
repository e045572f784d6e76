"""Many requests in flight on few threads, at the pace that the carrier accepts.

The caller's own thread asks `halted`, hands out work and hears the results, so that what it
does with them needs no locks; the pool's threads only wait for the network.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from portal.channels.sms.provider import RETRY, Message, Result

#: Longest pause that a call waits out by itself; a carrier that asks for more is left alone
#: until the next call.
LONGEST_PAUSE = 5.0
DEFAULT_PAUSE = 1.0  # where "too many" names no time
STEP = 0.1  # how often `halted` is asked while nothing may begin
FEWEST_TROUBLES = 8  # passing errors in a row that a narrow window forgives


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, and what it says of the carrier: `busy` too many requests, `stop` send to nobody now."""

    result: Result
    busy: bool = False
    stop: bool = False


class Pace:
    """How fast requests may begin, for all calls to one carrier. Safe to share between threads.

    No limit until the carrier says "too many"; then half of what was tried, and from there
    slowly upwards again.
    """

    SLOWEST = 1.0  # requests a second
    GROWTH = 0.05  # of the rate, each second without a refusal

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rate: float | None = None
        self._next_at = self._paused_until = 0.0
        self._counted_from, self._begun = time.monotonic(), 0
        self._grown_at = 0.0

    def wait(self) -> float:
        """Seconds until the next request may begin; 0 reserves that moment for the caller."""
        with self._lock:
            now = time.monotonic()
            if now < (until := max(self._next_at, self._paused_until)):
                return until - now
            if now - self._counted_from > 1:
                self._counted_from, self._begun = now, 0
            self._begun += 1
            if self._rate is not None:
                self._rate *= 1 + self.GROWTH * min(1.0, now - self._grown_at)
                self._grown_at = now
                self._next_at = max(self._next_at, now - STEP) + 1 / self._rate
            return 0.0

    def too_many(self, pause: float) -> bool:
        """The carrier refused: wait that many seconds, then go on at half the speed.

        Whether this is news: those that were in flight together all tell the same.
        """
        with self._lock:
            now = time.monotonic()
            if news := now >= self._paused_until:
                tried = self._rate or self._begun / max(0.001, now - self._counted_from)
                self._rate = max(self.SLOWEST, tried / 2)
            self._paused_until = self._next_at = self._grown_at = max(self._paused_until, now + pause)
            return news


class Flow:
    """One call of `send`: drives `hand_over` (which never raises) over the messages."""

    def __init__(
        self,
        pool: Executor,
        pace: Pace,
        hand_over: Callable[[Message], Answer],
        *,
        limit: int,
        halted: Callable[[], bool],
        on_result: Callable[[Result], None],
    ) -> None:
        self._pool, self._pace, self._hand_over = pool, pace, hand_over
        self._halted, self._on_result = halted, on_result
        self._limit = limit
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._in_flight = 0
        self._troubles = 0  # passing errors since the last success
        self._stopped = False

    def run(self, messages: Sequence[Message]) -> None:
        """Returns when every answer to what was begun is in."""
        waiting = iter(messages)
        while True:
            pause = self._fill(waiting)
            if self._in_flight:
                self._take(pause)
            elif self._stopped:
                return
            elif pause:
                time.sleep(pause)

    def _fill(self, waiting: Iterator[Message]) -> float | None:
        """Begin as many as may begin. Seconds until it is worth trying again; None: not before an answer."""
        while not self._stopped and self._in_flight < self._limit:
            if self._halted():
                self._stopped = True
            elif pause := self._pace.wait():
                return min(pause, STEP)
            elif (message := next(waiting, None)) is None:
                self._stopped = True
            else:
                self._pool.submit(self._work, message)
                self._in_flight += 1
        return None

    def _work(self, message: Message) -> None:
        self._answers.put(self._hand_over(message))

    def _take(self, seconds: float | None) -> None:
        """Hear one answer, or none when `seconds` have passed."""
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            return
        self._in_flight -= 1
        self._learn(answer)
        self._on_result(answer.result)

    def _learn(self, answer: Answer) -> None:
        if answer.result.status != RETRY:
            self._troubles = 0
            return
        pause = 0.0
        if answer.busy:
            pause = answer.result.retry_after or DEFAULT_PAUSE
            self._troubles += self._pace.too_many(min(pause, LONGEST_PAUSE))
        else:
            self._troubles += 1
        # A carrier that is down is not asked a thousand times, ten seconds each, while the lease runs out.
        if answer.stop or pause > LONGEST_PAUSE or self._troubles >= max(FEWEST_TROUBLES, self._limit):
            self._stopped = True
