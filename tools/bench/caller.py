"""Carriers that call back: signed forms made beforehand, so that what is measured is the server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlencode

import uvloop

#: Seconds without an answer after which the run is given up.
LONGEST_SILENCE = 30.0


def requests(
    count: int, *, base_url: str, account: str, token: str, status: str = "delivered", first: int = 1, batch: int = 1000
) -> list[bytes]:
    """So many different callbacks as Twilio writes them, each as the bytes of a request."""
    made = []
    key = token.encode()
    host = base_url.partition("://")[2]
    for n in range(first, first + count):
        path = f"/hooks/sms/twilio/{1 + n // batch}/{n}"
        sid = f"SM{n:032x}"
        form = {
            "SmsSid": sid, "SmsStatus": status, "MessageStatus": status, "To": f"+86129{n % 10**8:08d}", "MessageSid": sid,
            "AccountSid": account, "From": "+15005550006", "ApiVersion": "2010-04-01",
        }
        text = base_url + path + "".join(name + form[name] for name in sorted(form))
        signature = base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha1)).decode()
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: TwilioProxy/1.1\r\nAccept: */*\r\n"
            f"X-Twilio-Signature: {signature}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class _Call(asyncio.Protocol):
    """One connection: a request at a time, as long as there are any. Some servers close after each answer."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def _next(self) -> None:
        if (request := self._run.take()) is None:
            self._transport.close()
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        if b"\r\n\r\n" in self._read:  # none of the answers has a body
            self._run.answered(self._read[9:12].decode())
            closes = b"connection: close" in self._read.lower()
            self._read = b""
            if closes:
                self._transport.close()
            else:
                self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.closed()


class _Run:
    def __init__(self, port: int, waiting: Sequence[bytes]) -> None:
        self._port, self._waiting, self._left = port, iter(waiting), len(waiting)
        self.answers: Counter[str] = Counter()
        self.done = asyncio.Event()
        self.heard_at = time.monotonic()
        self._opening: set[asyncio.Task[object]] = set()

    def open(self) -> None:
        task = asyncio.ensure_future(asyncio.get_running_loop().create_connection(lambda: _Call(self), "127.0.0.1", self._port))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def take(self) -> bytes | None:
        return next(self._waiting, None)

    def answered(self, status: str) -> None:
        self.answers[status] += 1
        self.heard_at = time.monotonic()
        self._left -= 1
        if not self._left:
            self.done.set()

    def closed(self) -> None:
        if self._left:
            self.open()


def call(port: int, waiting: Sequence[bytes], connections: int) -> tuple[float, Counter[str]]:
    """Send all of `waiting` over so many connections, each with one request in flight: seconds, and answers by status. Raises
    TimeoutError when the server says nothing more."""

    async def go() -> tuple[float, Counter[str]]:
        run = _Run(port, waiting)
        begun = time.perf_counter()
        for _ in range(connections):
            run.open()
        while not run.done.is_set():
            if time.monotonic() - run.heard_at > LONGEST_SILENCE:
                raise TimeoutError(f"the server fell silent after {sum(run.answers.values())} answers")
            try:
                await asyncio.wait_for(run.done.wait(), 1.0)
            except TimeoutError:
                continue
        return time.perf_counter() - begun, run.answers

    return uvloop.run(go())
