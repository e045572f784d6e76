"""What is known of one host of a push service: whether it asks for a pause, whether it lives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

#: Longest pause in seconds that a batch waits out by itself; for more it is given back and tried later.
LONGEST_PAUSE = 2.0
DEFAULT_PAUSE = 1.0  # where "too many" names no time
TROUBLES = 8  # passing errors in a row after which a service counts as down
BUSY = 3  # "too many" in a row after which all wait: one alone may be meant for one device
FIRST_REST, LONGEST_REST = 4.0, 30.0  # seconds that a service that is down is left alone; they double


class Service:
    """Lives in the loop's thread only. `slots`: as many requests as may be in the air; hosts of one entry of the settings share
    them, and nothing else, since whoever calls our address can invent hosts under a `*.`."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self.why = ""  # of the present pause, a word or an HTTP status
        self._slots = slots
        self._asking = asyncio.Lock()
        self._paused_until = 0.0
        self._troubles = self._busy = 0
        self._rest = FIRST_REST

    def pause(self) -> float:
        """Seconds until a request may begin."""
        return self._paused_until - time.monotonic()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A place in the air. Of a service that was down, one at a time asks whether it lives, and the others hold no place."""
        async with self._asking if self._troubles >= TROUBLES else nullcontext(), self._slots:
            yield

    def fine(self) -> None:
        self._troubles, self._busy, self._rest = 0, 0, FIRST_REST

    def busy(self, after: float | None) -> None:
        """It answered that these are too many; that is no trouble, and tells how long to wait."""
        self._troubles, self._busy = 0, self._busy + 1
        if self._busy >= BUSY:
            self.why = "429"
            self._paused_until = max(self._paused_until, time.monotonic() + (DEFAULT_PAUSE if after is None else after))

    def trouble(self, why: str) -> None:
        self._troubles += 1
        if self._troubles >= TROUBLES and self.pause() <= 0:
            self.why = why
            self._paused_until = time.monotonic() + self._rest
            self._rest = min(self._rest * 2, LONGEST_REST)
