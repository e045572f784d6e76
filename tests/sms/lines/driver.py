"""Drives a line as the engine does: as many hand-overs as it has room for, until each has its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, NamedTuple

import uvloop

from portal.channels.sms.lines.line import Letter, Line
from portal.core.clock import utcnow

BODY = "【坪山应急】暴雨红色预警：请立即转移到安全地带。"
LONGEST = 60.0  # seconds; a test that takes longer hangs


class Answer(NamedTuple):
    token: Any
    line: Line
    status: str
    code: str
    carrier_id: str
    unsure: bool


def letter(seconds: float = 3600, body: str = BODY, segments: int = 1, callback: str = "") -> Letter:
    return Letter(body, utcnow() + timedelta(seconds=seconds), segments, callback)


def number(n: int) -> str:
    return f"+8613{n:09d}"


class Driver:
    """Of one line, in one loop. `answers` come in their order."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.answers: list[Answer] = []
        self.most_in_flight = self.in_flight = self.begun = 0
        self.calls = 0
        self._news = asyncio.Event()
        self._within = False
        line.open(asyncio.get_running_loop(), self._answered, self._roomy)

    def _answered(self, *said: Any) -> None:
        assert not self._within, "an answer came from within hand_over"
        self.in_flight -= 1
        self.answers.append(Answer(*said))
        self._news.set()

    def _roomy(self) -> None:
        self.calls += 1
        self._news.set()

    def hand_over(self, text: Letter, to: str, ref: str, token: Any) -> None:
        self._within = True
        self.line.hand_over(text, to, ref, token)
        self._within = False
        self.begun += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    async def send(self, text: Letter, count: int, first: int = 0) -> list[Answer]:
        """Hand over to `count` numbers and hear all answers; never looks by itself whether there is room."""
        seen, following = len(self.answers), first
        while len(self.answers) - seen < count:
            while following < first + count and self.line.room() > 0:
                self.hand_over(text, number(following), f"7/{following}", following)
                following += 1
            self._news.clear()
            if len(self.answers) - seen < count:
                await asyncio.wait_for(self._news.wait(), LONGEST)
        return self.answers[seen:]

    async def until(self, true: Callable[[], Any], what: str) -> None:
        for _ in range(int(LONGEST / 0.01)):
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"still not: {what}")


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """In a loop of the kind that the engine has."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(asyncio.wait_for(work, 2 * LONGEST))


def drive(line: Line, work: Callable[[Driver], Awaitable[Any]], *, wait: float = 5.0) -> Any:
    """What `work` returns; the line is closed afterwards."""

    async def whole() -> Any:
        driver = Driver(line)
        try:
            return await work(driver)
        finally:
            await line.close(wait)

    return run(whole())
