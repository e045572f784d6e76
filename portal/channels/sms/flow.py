"""Many requests in flight on few threads, at the pace that the carrier accepts.

The caller's own thread asks `halted`, hands out work and hears the results, so that what it does with them needs
no locks; the pool's threads only wait for the network. The window of requests in flight halves when the carrier
says "too many" and grows again by one for each window of successes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from queue import SimpleQueue

from portal.channels.sms.provider import RETRY, Message, Result

#: Longest pause that a call waits out by itself; a carrier that asks for more is left alone until the next call.
LONGEST_PAUSE = 5.0
DEFAULT_PAUSE = 1.0  # where "too many" names no time
PAUSE_STEP = 0.1  # how often a pause asks `halted`
FEWEST_TROUBLES = 8  # passing errors in a row that a narrow window forgives


@dataclass(frozen=True, slots=True)
class Answer:
    """A result, and what it says of the carrier: `busy` too many requests, `stop` nobody can be sent to now."""

    result: Result
    busy: bool = False
    stop: bool = False


class Flow:
    """One call of `send`: drives `hand_over` (which never raises) over the messages."""

    def __init__(
        self,
        pool: Executor,
        hand_over: Callable[[Message], Answer],
        *,
        limit: int,
        halted: Callable[[], bool],
        on_result: Callable[[Result], None],
    ) -> None:
        self._pool, self._hand_over, self._halted, self._on_result = pool, hand_over, halted, on_result
        self._limit = limit
        self._window = float(limit)
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._in_flight = 0
        self._troubles = 0  # passing errors since the last success
        self._paused_until = 0.0
        self._stopped = False

    def run(self, messages: Sequence[Message]) -> None:
        """Returns when every answer to what was begun is in."""
        waiting = iter(messages)
        try:
            while self._fill(waiting) or self._in_flight:
                if self._in_flight:
                    self._take()
                else:
                    time.sleep(PAUSE_STEP)
        finally:
            self._stopped = True

    def _fill(self, waiting: Iterator[Message]) -> bool:
        """Begin as many as the window allows; whether there may be more to begin later."""
        while not self._stopped and self._in_flight < int(self._window):
            if self._halted():
                self._stopped = True
                break
            if time.monotonic() < self._paused_until:
                break
            message = next(waiting, None)
            if message is None:
                self._stopped = True
                break
            self._pool.submit(self._work, message)
            self._in_flight += 1
        return not self._stopped

    def _work(self, message: Message) -> None:
        self._answers.put(self._hand_over(message))

    def _take(self) -> None:
        answer = self._answers.get()
        self._in_flight -= 1
        self._learn(answer)
        self._on_result(answer.result)

    def _learn(self, answer: Answer) -> None:
        if answer.result.status != RETRY:
            self._troubles = 0
            self._window = min(self._limit, self._window + 1 / self._window)
            return
        self._troubles += 1
        pause = (answer.result.retry_after or DEFAULT_PAUSE) if answer.busy else 0.0
        if answer.busy:
            now = time.monotonic()
            if now >= self._paused_until:  # the others of the same window tell the same news
                self._window = max(1.0, self._window / 2)
            self._paused_until = max(self._paused_until, now + min(pause, LONGEST_PAUSE))
        # A carrier that is down is not asked a thousand times, ten seconds each, while the lease runs out.
        if answer.stop or pause > LONGEST_PAUSE or self._troubles >= max(FEWEST_TROUBLES, self._limit):
            self._stopped = True
