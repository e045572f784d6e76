"""Single texts over lines: one-time codes and notices go the same ways as warnings where the settings name several carriers.

The lines are opened in a loop of their own when somebody has something to send, and closed when nobody had for a while, since
some carriers count who is connected. They hear nothing: no receipt is asked for, and what phones write is brought to those who
send warnings.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any

from portal.channels.sms import segments
from portal.channels.sms.lines.line import NOT_TAKEN, OPEN, Letter, Line
from portal.channels.sms.lines.switch import LONG_PAUSE, Switch
from portal.channels.sms.provider import RETRY, Message, Result
from portal.core.clock import utcnow

LOOK = 0.1  # seconds between two looks at whether the caller still wants it
IDLE = 60.0  # seconds without a text after which lines are closed
PATIENCE = 5.0  # seconds for which a text waits for a line where none is up
CLOSING = 5.0

_log = logging.getLogger(__name__)


class Singly:
    """As `provider.Provider`, for sending. `make`: the lines, not yet open. Safe to call from several threads."""

    name = "lines"

    def __init__(self, make: Callable[[], Sequence[Line]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._post: _Post | None = None

    def send(
        self,
        body: str,
        messages: Sequence[Message],
        *,
        expires_at: datetime,
        callback_url: Callable[[str], str] | None,
        on_result: Callable[[Result], None],
        halted: Callable[[], bool],
    ) -> None:
        """As `provider.Provider.send`; nobody is called back."""
        with self._lock:
            if self._post is None or not self._post.thread.is_alive():
                self._post = _Post(self._make(), self._idle)
            post = self._post
            post.users += 1
        try:
            _see_through(post, _Job(body, messages, expires_at), on_result, halted)
        finally:
            with self._lock:
                post.users -= 1
                post.left_at = time.monotonic()

    def close(self) -> None:
        """Close the lines; answers that are awaited are waited for a little."""
        with self._lock:
            post, self._post = self._post, None
        if post is not None:
            post.end()

    def _idle(self, post: _Post) -> bool:
        """Whether nobody uses it any more; then nobody will."""
        with self._lock:
            idle = not post.users and time.monotonic() - post.left_at >= IDLE
            if idle and self._post is post:
                self._post = None
            return idle


class _Job:
    """One body for some phones. `waiting` is the loop's; `results` goes from there to whoever asked."""

    def __init__(self, body: str, messages: Sequence[Message], expires_at: datetime) -> None:
        self.letter = Letter(body, expires_at, segments.count(body).segments)
        self.waiting = deque(messages)
        self.since = time.monotonic()
        self.error = ""
        self.results: SimpleQueue[Result | None] = SimpleQueue()


def _see_through(post: _Post, job: _Job, on_result: Callable[[Result], None], halted: Callable[[], bool]) -> None:
    left, wanted = len(job.waiting), True
    post.call(post.add, job)
    while left:
        if wanted and (halted() or utcnow() >= job.letter.expires_at):
            wanted = False
            post.call(post.withdraw, job)
        try:
            result = job.results.get(timeout=LOOK)
        except Empty:
            if not post.thread.is_alive():
                return
            continue
        left -= 1
        if result is not None:
            on_result(result)


class _Post:
    """Lines in a loop, in a thread. `users`, `left_at`: kept by whoever shares it."""

    def __init__(self, lines: Sequence[Line], idle: Callable[[_Post], bool]) -> None:
        self.users, self.left_at = 0, time.monotonic()
        self._lines, self._idle = list(lines), idle
        self._switch = Switch(self._lines)
        self._jobs: list[_Job] = []
        self._ending: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="sms-singly", daemon=True)
        self.thread.start()
        atexit.register(self.end)  # carriers are told good-bye

    def call(self, what: Callable[..., object], *values: Any) -> None:
        self._loop.call_soon_threadsafe(what, *values)

    def end(self) -> None:
        """Close the lines and end the thread."""
        if self.thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self.call(self._end)
            self.thread.join(2 * CLOSING)

    # -- in the loop's thread ---------------------------------------------------------------------

    def add(self, job: _Job) -> None:
        self._jobs.append(job)
        self._pump()

    def withdraw(self, job: _Job) -> None:
        """What was not begun is not begun any more, and has no result."""
        for _message in job.waiting:
            job.results.put(None)
        job.waiting.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        for line in self._lines:
            line.open(self._loop, self._answered, self._pump)
        self._loop.call_later(LOOK, self._look)
        self._loop.run_forever()
        self._loop.close()
        atexit.unregister(self.end)

    def _pump(self) -> None:
        for job in self._jobs:
            while job.waiting and (line := self._switch.pick("")) is not None:
                message = job.waiting.popleft()
                line.hand_over(job.letter, message.to, message.ref, (job, message))
        self._jobs = [job for job in self._jobs if job.waiting]

    def _answered(self, token: Any, line: Line, status: str, code: str, carrier_id: str, unsure: bool) -> None:
        job, message = token
        if status == NOT_TAKEN:  # by this line
            job.error = code
            job.waiting.append(message)
            if job not in self._jobs:
                self._jobs.append(job)
        else:
            job.results.put(Result(message.ref, status, code, carrier_id, None, unsure))
        self._loop.call_soon(self._pump)

    def _look(self) -> None:
        """Texts do not wait for ever for lines that are down, and lines not for texts."""
        self._pump()
        states = [line.state() for line in self._lines]
        if self._jobs and all(state.circuit == OPEN or state.pause > LONG_PAUSE for state in states):
            error = next((state.last_error for state in states if state.last_error), "connection")
            for job in self._jobs:
                if time.monotonic() - job.since > PATIENCE:
                    for message in job.waiting:
                        job.results.put(Result(message.ref, RETRY, job.error or error))
                    job.waiting.clear()
            self._jobs = [job for job in self._jobs if job.waiting]
        if self._idle(self):
            self._end()
        else:
            self._loop.call_later(LOOK, self._look)

    def _end(self) -> None:
        self._ending = self._ending or self._loop.create_task(self._close())

    async def _close(self) -> None:
        for job in self._jobs:
            self.withdraw(job)
        try:
            async with asyncio.timeout(CLOSING):
                await asyncio.gather(*(line.close(1.0) for line in self._lines))
        except TimeoutError:
            _log.warning("lines for single texts did not close in time")
        finally:
            self._loop.stop()
