"""Reaching a server by HTTP: its names and addresses, TLS with sessions that are taken up again, a proxy where there is one."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import certifi

if TYPE_CHECKING:
    from portal.channels.sms.lines.http_client import Connection

ADDRESSES_FOR = 30.0  # seconds for which a name's addresses are remembered, and which of them cannot be reached
TRIES = 3  # addresses of one name that are tried for one connection
LONGEST_PROXY_HEAD = 8192  # bytes of a proxy's answer that are read

Made = TypeVar("Made", bound=asyncio.Protocol)

DNS, TLS, CONNECTION, TIMEOUT = "dns", "tls", "connection", "timeout"


@dataclass(frozen=True, slots=True)
class Address:
    """Where requests go. `path`: what stands before the path of each of them; `proxy`: an address to go through, or None."""

    scheme: str
    host: str
    port: int
    path: str = ""
    proxy: tuple[str, int, str] | None = None  # host, port, value of Proxy-Authorization

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """What stands before a request's path: through a proxy without TLS its whole address (RFC 9112, 3.2.2)."""
        return f"http://{self.authority}{self.path}" if self.proxy and self.scheme == "http" else self.path


def address(url: str) -> Address:
    """The address in `url`, and the proxy that the environment names for it. Raises ValueError."""
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// or https:// and names a host")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Address(parts.scheme, parts.hostname, port, parts.path, _proxy(parts.scheme, parts.netloc))


def _proxy(scheme: str, host: str) -> tuple[str, int, str] | None:
    found = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    if not found:
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if not parts.hostname:
        return None
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
    word = "Basic " + base64.b64encode(user.encode()).decode() if user else ""
    return parts.hostname, parts.port or 80, word


class Trust(ssl.SSLContext):
    """What is trusted: the system's authorities and certifi's. Takes up the last session again, which spares a new connection
    most of its handshake."""

    session: ssl.SSLSession | None = None

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        try:
            return super().wrap_bio(*args, **(options | {"session": self.session}))
        except ValueError:  # of another context or another side
            self.session = None
            return super().wrap_bio(*args, **options)


def make_trust() -> Trust:
    trust = Trust(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_default_certs()
    trust.load_verify_locations(certifi.where())
    return trust


class Dialler:
    """Opens connections to one address. Names are looked up once in a while, not for each connection; their addresses take
    turns, and one that cannot be reached, or does not answer in its part of the time, gives way to the next for a while."""

    def __init__(self, loop: asyncio.AbstractEventLoop, where: Address, trust: ssl.SSLContext | None = None) -> None:
        self._loop, self._where = loop, where
        self._trust = (trust or make_trust()) if where.scheme == "https" else None
        self._known: list[tuple[str, int]] = []
        self._known_at = 0.0
        self._turn = 0
        self._bad: dict[tuple[str, int], float] = {}
        self._looking: asyncio.Future[list[tuple[str, int]]] | None = None

    async def dial(self, make: Callable[[], Made], seconds: float) -> Made:
        """A connection that stands. Raises OSError (with its kinds for names and TLS) or TimeoutError."""
        async with asyncio.timeout(seconds):
            known = self._in_turn(await self._addresses())[:TRIES]
            for left, address in enumerate(known, 1 - len(known)):
                try:
                    async with asyncio.timeout(None if not left else seconds / len(known)):
                        return await self._connect(make, *address)
                except ssl.SSLError:
                    raise
                except OSError:  # a time that is over, too
                    self._bad[address] = time.monotonic() + ADDRESSES_FOR
                    if not left:
                        self._known_at = 0.0  # perhaps the name has moved
                        raise
        raise OSError("the name has no address")

    @property
    def tls(self) -> bool:
        return self._trust is not None

    def _in_turn(self, known: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Addresses in the order in which they are tried: those that could be reached when they were tried last, by turns."""
        now = time.monotonic()
        self._bad = {address: until for address, until in self._bad.items() if until > now and address in known}
        self._turn += 1
        start = self._turn % max(1, len(known))
        return sorted(known[start:] + known[:start], key=lambda address: address in self._bad)

    async def _connect(self, make: Callable[[], Made], host: str, port: int) -> Made:
        where, tls = self._where, self._trust
        if where.proxy is None:
            _transport, connection = await self._loop.create_connection(
                make, host, port, ssl=tls, server_hostname=where.host if tls else None)
        elif tls is None:
            _transport, connection = await self._loop.create_connection(make, host, port)
        else:
            transport, tunnel = await self._loop.create_connection(_Tunnel, host, port)
            try:
                await tunnel.ask(where, where.proxy[2])
                connection = make()
                upgraded = await self._loop.start_tls(transport, connection, tls, server_hostname=where.host)
                if upgraded is None:
                    raise OSError("the connection was closed")
            except BaseException:
                transport.abort()
                raise
            connection.connection_made(upgraded)
        return connection

    def remember(self, connection: Connection) -> None:
        """Keep the session of a connection that works, for those that are opened later."""
        if isinstance(self._trust, Trust):
            wire = connection.transport.get_extra_info("ssl_object")
            self._trust.session = (wire.session if wire else None) or self._trust.session

    async def _addresses(self) -> list[tuple[str, int]]:
        if self._known and time.monotonic() - self._known_at < ADDRESSES_FOR:
            return self._known
        if self._looking is None:
            self._looking = asyncio.ensure_future(self._look_up())
            self._looking.add_done_callback(self._looked)
        try:
            return await asyncio.shield(self._looking)
        except OSError:
            if not self._known:
                raise
            return self._known  # a name service that is away for a while takes no carrier away

    async def _look_up(self) -> list[tuple[str, int]]:
        host, port = self._where.proxy[:2] if self._where.proxy else (self._where.host, self._where.port)
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        known = list(dict.fromkeys((str(entry[4][0]), int(entry[4][1])) for entry in found))
        self._known, self._known_at = known, time.monotonic()
        return known

    def _looked(self, done: asyncio.Future[list[tuple[str, int]]]) -> None:
        self._looking = None
        if not done.cancelled():
            done.exception()


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a way through to a host (RFC 9110, 9.3.6)."""

    def __init__(self) -> None:
        self._said = b""
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    async def ask(self, where: Address, word: str) -> None:
        """Returns once the way is open; raises OSError where the proxy refuses."""
        name = f"{where.host}:{where.port}"
        proof = f"Proxy-Authorization: {word}\r\n" if word else ""
        self._transport.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{proof}\r\n".encode())
        await self._open

    def data_received(self, data: bytes) -> None:
        self._said += data
        if b"\r\n\r\n" in self._said and not self._open.done():
            status = self._said.split(b" ", 2)[1:2]
            if status and status[0][:1] == b"2":
                self._open.set_result(None)
            else:
                self._open.set_exception(OSError("the proxy refuses"))
        elif len(self._said) > LONGEST_PROXY_HEAD and not self._open.done():
            self._open.set_exception(OSError("the proxy does not speak HTTP"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self._open.done():
            self._open.set_exception(OSError("the proxy closed the connection"))


def dialling_error(error: BaseException) -> str:
    """A word for why no connection came to stand."""
    if isinstance(error, TimeoutError):
        return TIMEOUT
    if isinstance(error, socket.gaierror):
        return DNS
    if isinstance(error, ssl.SSLError):
        return TLS
    return CONNECTION
