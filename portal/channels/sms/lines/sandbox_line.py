"""The sandbox as a line: what every phone would have received is recorded in bulk, in a thread of its own; then come the answers,
and then the receipts."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import Any, Literal, NamedTuple

from flask import Flask, current_app, has_app_context
from sqlalchemy.exc import SQLAlchemyError

from portal.channels.sms.lines.governor import Governor
from portal.channels.sms.lines.line import Letter, LineState, OnAnswer
from portal.channels.sms.lines.options import Ears, LineOptions
from portal.channels.sms.provider import ACCEPTED, RETRY, Message
from portal.channels.sms.sandbox import SandboxProvider, receipt
from portal.config import Settings
from portal.core.clock import utcnow

TRIES, AGAIN = 3, 0.2  # for receipts whose keeper is away: how often, and seconds between two tries

_log = logging.getLogger(__name__)


class Options(LineOptions):
    kind: Literal["sandbox"] = "sandbox"


class _Handed(NamedTuple):
    number: int
    letter: Letter
    message: Message
    token: Any
    began: float


class SandboxLine:
    """See `line.Line`. `chunk`: messages that are recorded, and answered, at once."""

    by_number = False

    def __init__(self, options: Options, *, most: int, chunk: int, ears: Ears) -> None:
        self.name, self.weight = options.name, options.weight
        self.kind: str = options.kind
        self._chunk, self._ears = chunk, ears
        app = ears.app or (current_app._get_current_object() if has_app_context() else None)  # type: ignore[attr-defined]
        if app is None:
            raise ValueError("the sandbox keeps its messages in the database of an application, and there is none")
        self._app: Flask = app
        self._provider = SandboxProvider(chunk)
        self.governor = Governor(
            self.name,
            self.kind,
            self.weight,
            most=options.max_in_flight or most,
            rate=options.rate,
            by_segments=options.unit == "segments",
            steady=True,
        )
        self.room: Callable[[], int] = self.governor.room
        self._serial = itertools.count()
        self._handed: list[_Handed] = []
        self._unanswered: dict[int, _Handed] = {}
        self._queue: SimpleQueue[list[_Handed] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"sandbox {self.name}", daemon=True)
        self._given_up = False

    def open(self, loop: asyncio.AbstractEventLoop, on_answer: OnAnswer, on_room: Callable[[], None]) -> None:
        self._loop, self._on_answer = loop, on_answer
        self.governor.open(loop, on_room)
        self._thread.start()

    def hand_over(self, letter: Letter, to: str, ref: str, token: Any) -> None:
        self.governor.begin(letter.segments)
        if not self._handed:
            self._loop.call_soon(self._give)
        one = _Handed(next(self._serial), letter, Message(ref, to), token, self._loop.time())
        self._handed.append(one)
        self._unanswered[one.number] = one

    def state(self) -> LineState:
        return self.governor.state()

    async def close(self, seconds: float) -> None:
        self.governor.close()
        self._give()
        self._queue.put(None)
        until = self._loop.time() + seconds
        while self._thread.is_alive() and self._loop.time() < until:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)  # what the thread has told us last
        self._given_up = True
        for one in list(self._unanswered.values()):
            del self._unanswered[one.number]
            self.governor.given_up()
            self._on_answer(one.token, self, RETRY, "closed", "", True)

    # -- in the loop's thread ---------------------------------------------------------------------

    def _give(self) -> None:
        if self._handed:
            self._queue.put(self._handed)
            self._handed = []

    def _answer(self, handed: Sequence[_Handed], status: str, code: str) -> None:
        now = self._loop.time()
        for one in handed:
            if self._unanswered.pop(one.number, None) is None:
                continue  # it was given up
            if status == ACCEPTED:
                self.governor.good(now - one.began)
                self._on_answer(one.token, self, ACCEPTED, "", _number(one.message), False)
            else:
                self.governor.trouble(code, now - one.began)
                self._on_answer(one.token, self, status, code, "", False)

    # -- in a thread of its own -------------------------------------------------------------------

    def _work(self) -> None:
        ending = False
        while not ending:
            handed = self._queue.get()
            while handed is not None and len(handed) < self._chunk:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    ending = True
                    break
                handed = handed + more
            if handed is None:
                return
            for start in range(0, len(handed), self._chunk):
                for _letter, same in groupby(handed[start : start + self._chunk], key=lambda one: id(one.letter)):
                    self._deliver(list(same))

    def _deliver(self, handed: list[_Handed]) -> None:
        """Messages of one letter: record, answer, report."""
        letter = handed[0].letter
        if self._given_up:
            return
        if utcnow() >= letter.expires_at:
            self._tell(handed, RETRY, "expired")
            return
        messages = [one.message for one in handed]
        with self._app.app_context():
            try:
                self._provider.record(letter.body, messages, letter.expires_at)
            except (SQLAlchemyError, TimeoutError, OSError) as error:
                _log.error("the sandbox could not keep what it was given: %s", type(error).__name__)
                self._tell(handed, RETRY, "database")
                return
            self._tell(handed, ACCEPTED, "")
            if self._ears.on_receipts:
                self._report(messages)

    def _tell(self, handed: list[_Handed], status: str, code: str) -> None:
        try:
            self._loop.call_soon_threadsafe(self._answer, handed, status, code)
        except RuntimeError:  # the loop is closed: nobody hears answers any more
            _log.warning("%d answers of the sandbox came too late", len(handed))

    def _report(self, messages: Sequence[Message]) -> None:
        receipts = [receipt(message) for message in messages]
        for attempt in range(TRIES):
            try:
                self._ears.on_receipts(self.name, receipts)  # type: ignore[misc]
            except (SQLAlchemyError, TimeoutError, OSError) as error:
                _log.error("receipts of the sandbox could not be kept: %s", type(error).__name__)
                if attempt + 1 < TRIES:
                    threading.Event().wait(AGAIN)
            else:
                return


def make(options: Options, settings: Settings, ears: Ears) -> SandboxLine:
    return SandboxLine(options, most=settings.max_in_flight, chunk=settings.flush_size, ears=ears)


def _number(message: Message) -> str:
    return f"sandbox:{message.ref}"[:64]
