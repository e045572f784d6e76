"""Sending text messages a step at a time, and lines of tests that answer as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, current_app

from portal.channels.sms.lines.line import CLOSED, Letter, Line, LineState
from portal.channels.sms.lines.registry import make_lines
from portal.channels.sms.provider import ACCEPTED
from portal.dispatch.brought import ears
from portal.dispatch.bulk.office import Office
from tests.waiting import until


class SmsDesk:
    """An office of which a test takes the steps. Without `lines`: those of the application's settings."""

    def __init__(self, lines: Sequence[Line] | None = None, app: Flask | None = None) -> None:
        app = app or current_app._get_current_object()  # type: ignore[attr-defined]
        lines = lines or make_lines(app.extensions["anlan"], **ears(app))
        self.office = Office(app, lines, "test")
        self.office.start(feeding=False)

    def send_one(self) -> bool:
        """Lease the most urgent due batch and send it; whether there was one."""
        found = self.office.feeder.step(1)
        until(lambda: self.office.idle, "the batch has come to its end")
        return bool(found)

    def close(self) -> None:
        self.office.stop()


class ToldLine:
    """A line that takes at once whatever comes, or answers what `says` gives for (number, ref): (status, code, carrier's number,
    unsure); None: it is silent until `release`. `seconds` until it answers. `taken`: numbers in the order in which they came."""

    kind, weight, by_number = "told", 1.0, False

    def __init__(self, says: Callable[[str, str], tuple[str, str, str, bool] | None] | None = None, *, name: str = "told",
                 most: int = 50, seconds: float = 0.0) -> None:
        self.name, self._most, self._seconds = name, most, seconds
        self._says = says or (lambda to, ref: (ACCEPTED, "", f"N{ref}", False))
        self.taken: list[str] = []
        self.refs: list[str] = []
        self.circuit = CLOSED
        self._silent: list[Any] = []
        self._in_flight = 0

    def open(self, loop: Any, on_answer: Any, on_room: Callable[[], None]) -> None:
        self._loop, self._on_answer, self._on_room = loop, on_answer, on_room

    def room(self) -> int:
        return self._most - self._in_flight if self.circuit == CLOSED else 0

    def hand_over(self, letter: Letter, to: str, ref: str, token: Any) -> None:
        self._in_flight += 1
        self.taken.append(to)
        self.refs.append(ref)
        said = self._says(to, ref)
        if said is None:
            self._silent.append(token)
        else:
            self._loop.call_later(self._seconds, self._answer, token, *said)

    def release(self, status: str = ACCEPTED, code: str = "", unsure: bool = False) -> None:
        """Answer all to which nothing was said, and take from now on what comes."""
        self._says = lambda to, ref: (ACCEPTED, "", f"N{ref}", False)

        def answer() -> None:
            silent, self._silent = self._silent, []
            for token in silent:
                self._answer(token, status, code, "", unsure)
        self._loop.call_soon_threadsafe(answer)

    def _answer(self, token: Any, *said: Any) -> None:
        self._in_flight -= 1
        self._on_answer(token, self, *said)

    def state(self) -> LineState:
        return LineState(self.name, self.kind, self.circuit, self._in_flight, self._most, 0.0, 0.0, 0.0, self.weight, 0.0,
                         "" if self.circuit == CLOSED else "down")

    async def close(self, seconds: float) -> None:
        """Nothing is held."""
