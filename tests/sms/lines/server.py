"""An HTTP server in the test's own loop that answers as the test tells it to, byte by byte."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from portal.channels.sms.lines.address import Trust, address, make_trust
from portal.channels.sms.lines.http_client import HttpClient
from tests import mosquitto

REQUEST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
OK = b'HTTP/1.1 201 X\r\nContent-Length: 12\r\n\r\n{"sid":"S1"}'


class Wire:
    """One connection, as its handler sees it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self._reader, self._writer = server, reader, writer
        self.requests = 0

    async def request(self) -> bytes:
        """The next request, whole. Fails where a second one has come before the first was answered."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await self._reader.readexactly(int(length[1]) if length else 0)
        assert not self._reader._buffer, "two requests in flight on one connection"  # type: ignore[attr-defined]
        self.requests += 1
        self.server.requests += 1
        return head + body

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()

    @property
    def session_reused(self) -> bool | None:
        return self._writer.get_extra_info("ssl_object").session_reused


Handler = Callable[[Wire], Awaitable[None]]


class Server:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.wires: list[Wire] = []
        self.requests = 0
        self.faults: list[BaseException] = []

    async def start(self, tls: ssl.SSLContext | None = None) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls, backlog=200)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(self, reader, writer)
        self.wires.append(wire)
        try:
            await self._handler(wire)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except AssertionError as error:
            self.faults.append(error)
        finally:
            wire.close()

    def stop(self) -> None:
        self._server.close()
        for wire in self.wires:
            wire.reset()
        assert not self.faults


class Client:
    """An `HttpClient` whose answers and failures are kept, in their order."""

    def __init__(self, url: str, *, most: int = 10, timeout: float = 20.0, trust: ssl.SSLContext | None = None) -> None:
        self.said: list[tuple[Any, ...]] = []
        self._news = asyncio.Event()
        self.http = HttpClient(
            asyncio.get_running_loop(),
            address(url),
            most=most,
            timeout=timeout,
            on_reply=self._reply,
            on_failure=self._failure,
            trust=trust,
        )

    def _reply(self, token: Any, status: int, raw: bytes, body: bytes, seconds: float) -> None:
        self.said.append((token, status, body))
        self._news.set()

    def _failure(self, token: Any, word: str, maybe: bool, seconds: float) -> None:
        self.said.append((token, word, maybe))
        self._news.set()

    async def ask(self, *tokens: Any, request: bytes = REQUEST) -> list[tuple[Any, ...]]:
        """What becomes of these requests, begun at once."""
        seen = len(self.said)
        for token in tokens:
            self.http.post(request, token)
        assert len(self.said) == seen, "answered from within post"
        while len(self.said) - seen < len(tokens):
            self._news.clear()
            await asyncio.wait_for(self._news.wait(), 60)
        return self.said[seen:]


async def answer_all(wire: Wire) -> None:
    while True:
        await wire.request()
        await wire.say(OK)


def certified(directory: Path) -> tuple[ssl.SSLContext, Trust]:
    """A server that speaks TLS by a certificate of its own, and who trusts it."""
    mosquitto._certify(directory)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    trust = make_trust()
    trust.load_verify_locations(directory / "cert.pem")
    return server, trust
