"""Posting many small requests to one HTTP/1.1 server: connections that are kept alive, one request in flight on each.

Made for hand-overs in bulk: for each request there is one write, one read and two calls, no task and no timer. Lives in one event
loop's thread. A request is never repeated here: only the caller knows whether that would send a message twice.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools

from portal.channels.sms.lines.address import Address, Dialler, dialling_error

SWEEP = 0.25  # seconds between two looks for answers that are overdue
IDLE_SECONDS = 15.0  # how long a connection without work is kept; most servers keep theirs longer
PEEK_AFTER = 0.5  # seconds without work after which a connection is looked at before it is used
LONGEST_ANSWER = 131_072  # bytes; whoever answers more than that is not the carrier

#: Words of failures.
CONNECTION, TIMEOUT, UNREADABLE, CLOSED = "connection", "timeout", "unreadable", "closed"

#: Hears an answer: (token, HTTP status, all bytes of the answer, its body, seconds since it was written).
OnReply = Callable[[Any, int, bytes, bytes, float], None]
#: Hears that no answer will come: (token, word, whether the request may have been received, seconds since it was written
#: or, where it was not, posted).
OnFailure = Callable[[Any, str, bool, float], None]


class Connection(asyncio.Protocol):
    """One connection. `began` is when its request was written, 0 while there is none."""

    __slots__ = (
        "began", "body", "client", "feed", "idle_since", "kept", "parser", "raw", "status", "token", "transport", "write",
    )

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.began = self.idle_since = 0.0
        self.token: Any = None
        self.status = 0
        self.kept = False
        self.body = self.raw = b""
        self.parser = httptools.HttpResponseParser(self)
        self.feed = self.parser.feed_data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.write = self.transport.write

    def data_received(self, data: bytes) -> None:
        if not self.began:
            self.client.broken(self, UNREADABLE)  # said without being asked: nobody's next answer
            return
        self.raw = raw = self.raw + data if self.raw else data
        try:
            self.feed(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.status:
                self.client.broken(self, UNREADABLE)
                return
        if self.status:
            self.client.answered(self)
        elif len(raw) > LONGEST_ANSWER:
            self.client.broken(self, UNREADABLE)

    # -- called by the parser ---------------------------------------------------------------------

    def on_body(self, data: bytes) -> None:
        if self.status:
            self.kept = False  # of a second answer, for which nobody has asked
        else:
            self.body = self.body + data if self.body else data

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        if self.status:
            self.kept = False
        elif status >= 200:  # those below only announce the answer
            self.status, self.kept = status, self.parser.should_keep_alive()  # which it knows only now

    # ---------------------------------------------------------------------------------------------

    def clean(self) -> bool:
        """Whether another request may follow the answer that is in: the server keeps the connection, and said nothing more."""
        if not self.kept or self.transport.is_closing():
            return False
        raw = self.raw
        if self.body and raw.endswith(self.body):
            return True
        return raw.endswith(b"\r\n0\r\n\r\n") if self.body else raw.find(b"\r\n\r\n") == len(raw) - 4

    def dead(self) -> bool:
        """Whether the server has closed this idle connection, or said something, of which the loop has not told us yet."""
        number = self.transport.get_extra_info("socket").fileno()
        poll = select.poll()
        poll.register(number, select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))

    def connection_lost(self, error: Exception | None) -> None:
        self.client.lost(self, error)


class HttpClient:
    """`most`: connections at most. `timeout`: seconds for which a request waits for a connection, and then for its answer."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        address: Address,
        *,
        most: int,
        timeout: float,
        on_reply: OnReply,
        on_failure: OnFailure,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._loop, self._most, self._timeout = loop, most, timeout
        self._now = loop.time
        self._on_reply, self._on_failure = on_reply, on_failure
        self._dialler = Dialler(loop, address, trust)
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._waiting: deque[tuple[bytes, Any, float]] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self.in_flight = 0

    def post(self, request: bytes, token: Any) -> None:
        """Send a whole request, head and body. Each is answered once, by `on_reply` or `on_failure`, and never from here."""
        self.in_flight += 1
        now = self._now()
        while self._idle:
            connection = self._idle.pop()
            if connection.transport.is_closing():
                continue  # what is written there goes nowhere, and nobody could tell that for certain afterwards
            if now - connection.idle_since > PEEK_AFTER and connection.dead():
                connection.transport.abort()
                continue
            connection.token, connection.began = token, now
            connection.write(request)
            return
        self._waiting.append((request, token, now))
        self._open_more()
        if self._sweeping is None:
            self._sweep()

    async def close(self, seconds: float) -> None:
        """Wait so long for answers; what is in flight then fails, and all connections are let go of."""
        until = self._now() + seconds
        while self.in_flight and self._now() < until:
            await asyncio.sleep(0.01)
        self._closed = True
        if self._sweeping:
            self._sweeping.cancel()
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        while self._waiting:
            _request, token, began = self._waiting.popleft()
            self._fail(token, CLOSED, False, began)
        for connection in list(self._all):
            self.broken(connection, CLOSED)
        await asyncio.sleep(0)  # transports that were aborted are let go of in the next turn of the loop

    # -- called by connections --------------------------------------------------------------------

    def answered(self, connection: Connection) -> None:
        """A whole answer is in."""
        began, now = connection.began, self._now()
        token, status, raw, body = connection.token, connection.status, connection.raw, connection.body
        reusable = connection.clean()
        connection.token, connection.began, connection.status = None, 0.0, 0
        connection.body = connection.raw = b""
        if not reusable:
            connection.transport.abort()
        else:
            self._use(connection, now)
        if began:
            self.in_flight -= 1
            self._on_reply(token, status, raw, body, now - began)

    def broken(self, connection: Connection, word: str) -> None:
        """This connection is of no use any more, and neither is what is in flight on it."""
        token, began = connection.token, connection.began
        connection.token, connection.began = None, 0.0
        connection.transport.abort()
        if began:
            self._fail(token, word, True, began)
        else:
            self._forget(connection)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        self._all.discard(connection)
        if not connection.began:
            self._forget(connection)
        elif _until_the_end(connection.raw):
            connection.status = connection.parser.get_status_code()
            self.answered(connection)
        else:
            token, began = connection.token, connection.began
            connection.token, connection.began = None, 0.0
            # A broken pipe means that the connection was closed before we wrote: then nothing of the request left this machine.
            # TLS writes by itself, too, and may have been doing that after the request.
            unwritten = isinstance(error, BrokenPipeError) and not connection.raw and not self._dialler.tls
            self._fail(token, CONNECTION, not unwritten, began)
        if self._waiting:
            self._open_more()

    # ---------------------------------------------------------------------------------------------

    def _fail(self, token: Any, word: str, maybe_received: bool, began: float) -> None:
        self.in_flight -= 1
        self._on_failure(token, word, maybe_received, self._now() - began)

    def _forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def _use(self, connection: Connection, now: float) -> None:
        """A connection without work takes what has waited longest, or rests. The time for an answer begins with the writing: a
        request that is given up because a connection was long in coming is one that was received."""
        if self._waiting:
            request, connection.token, _posted = self._waiting.popleft()
            connection.began = now
            connection.write(request)
        else:
            connection.idle_since = now
            self._idle.append(connection)

    def _open_more(self) -> None:
        """As many connections are being opened as requests wait for one."""
        while not self._closed and len(self._opening) < len(self._waiting) and len(self._all) + len(self._opening) < self._most:
            task = self._loop.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    async def _open(self) -> None:
        try:
            connection = await self._dialler.dial(lambda: Connection(self), self._timeout)
            if connection.transport.is_closing():
                raise OSError("whoever listens there let go at once, or is no server of HTTP")
        except Exception as error:  # whatever it is: who waits must hear it, and not be dialled for without end
            # Whoever waits longest hears it, so that a server that is down fails as many as tried it, and at once.
            if self._waiting:
                _request, token, began = self._waiting.popleft()
                self._fail(token, dialling_error(error), False, began)
            return
        self._all.add(connection)
        self._use(connection, self._now())

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled():
            task.exception()
        self._open_more()

    def _sweep(self) -> None:
        """Give up what is overdue, and close what has had nothing to do for long."""
        now = self._now()
        overdue, unused = now - self._timeout, now - IDLE_SECONDS
        while self._waiting and self._waiting[0][2] < overdue:
            _request, token, began = self._waiting.popleft()
            self._fail(token, TIMEOUT, False, began)
        if self._all:
            self._dialler.remember(next(iter(self._all)))
        for connection in list(self._all):
            if connection.began:
                if connection.began < overdue:
                    self.broken(connection, TIMEOUT)
            elif connection.idle_since < unused:
                self._forget(connection)
                connection.transport.abort()
        working = self._all or self._waiting or self._opening
        self._sweeping = self._loop.call_later(SWEEP, self._sweep) if working and not self._closed else None


def _head(raw: bytes) -> bytes:
    """The head of an answer, behind those that only announce it (RFC 9110, 15.2); empty where it is not whole."""
    while True:
        head, end, raw = raw.partition(b"\r\n\r\n")
        if not end:
            return b""
        if head[8:10] != b" 1":
            return head


def _until_the_end(raw: bytes) -> bool:
    """Whether an answer ends where the connection does: it names no length (RFC 9112, 6.3)."""
    head = _head(raw).lower()
    return bool(head) and b"\r\ncontent-length:" not in head and b"\r\ntransfer-encoding:" not in head


def header(raw: bytes, name: str) -> str:
    """A header of an answer, empty where it is not there."""
    for line in _head(raw).split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.strip().lower() == name.lower().encode():
            return value.strip().decode("latin-1")
    return ""
