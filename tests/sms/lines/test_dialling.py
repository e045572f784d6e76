"""Why no connection came to stand is told truly, and that nothing was received then; TLS, sessions, names and proxies."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from portal.channels.sms.lines import address
from tests.sms.lines.driver import run
from tests.sms.lines.server import OK, Client, Server, Wire, answer_all, certified

BODY = b'{"sid":"S1"}'


def alone(url: str, *tokens: int, **options: Any) -> list[tuple[Any, ...]]:
    async def whole() -> list[tuple[Any, ...]]:
        client = Client(url, **options)
        try:
            return sorted(await client.ask(*tokens))
        finally:
            await client.http.close(0)

    return run(whole())


def test_where_nobody_listens_nothing_was_received() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert alone(url, *range(8), most=3) == [(n, "connection", False) for n in range(8)]


def test_a_name_that_nobody_knows_is_told_as_such() -> None:
    assert alone("http://carrier.invalid", 1, 2) == [(1, "dns", False), (2, "dns", False)]


def test_a_name_service_that_is_away_takes_no_carrier_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "ADDRESSES_FOR", 0.0)

    async def whole() -> None:
        server = await Server(answer_all).start()
        client = Client(f"http://localhost:{server.port}")
        await client.ask(1)

        async def away(*_about: Any, **_options: Any) -> Any:
            raise socket.gaierror(socket.EAI_AGAIN, "away")

        class Loop:
            getaddrinfo = staticmethod(away)

            def __getattr__(self, name: str) -> Any:
                return getattr(asyncio.get_running_loop(), name)

        monkeypatch.setattr(client.http._dialler, "_loop", Loop())
        client.http._idle.pop().transport.abort()
        assert await client.ask(2) == [(2, 201, BODY)]
        await client.http.close(0)
        server.stop()

    run(whole())


def test_a_host_that_never_answers_the_knocking_is_given_up_as_not_received() -> None:
    with socket.socket() as full:  # whose queue is full: the kernel drops who knocks
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [socket.socket() for _ in range(8)]
        try:
            for other in others:
                other.setblocking(False)
                other.connect_ex(full.getsockname())
            said = alone(f"http://127.0.0.1:{full.getsockname()[1]}", 1, timeout=0.6)
        finally:
            for other in others:
                other.close()
    assert said == [(1, "timeout", False)]


def test_an_address_that_does_not_answer_gives_way_to_the_next_and_is_not_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def whole() -> None:
        server = await Server(answer_all).start()
        client = Client(server.url, timeout=3)
        dead, alive = ("127.0.0.9", 1), ("127.0.0.1", server.port)
        tried: list[tuple[str, int]] = []
        dialler = client.http._dialler
        connect = dialler._connect

        async def look(make: Any, host: str, port: int) -> Any:
            tried.append((host, port))
            if (host, port) == dead:
                await asyncio.sleep(3600)
            return await connect(make, host, port)

        async def addresses() -> list[tuple[str, int]]:
            return [alive, dead]

        monkeypatch.setattr(dialler, "_connect", look)
        monkeypatch.setattr(dialler, "_addresses", addresses)
        try:
            assert await client.ask(1) == [(1, 201, BODY)]
            for wire in server.wires:
                wire.reset()
            while client.http._all:
                await asyncio.sleep(0.005)
            assert sorted(await client.ask(*range(2, 8))) == [(n, 201, BODY) for n in range(2, 8)]
        finally:
            await client.http.close(0)
            server.stop()
        assert tried.count(dead) == 1

    run(whole())


def test_a_certificate_that_nobody_vouches_for_is_refused_and_one_that_is_trusted_serves(tmp_path: Path) -> None:
    tls, trust = certified(tmp_path)

    async def whole() -> None:
        server = await Server(answer_all).start(tls)
        stranger, friend = Client(server.url), Client(server.url, trust=trust)
        try:
            assert await stranger.ask(1) == [(1, "tls", False)]
            assert sorted(await friend.ask(*range(5))) == [(n, 201, BODY) for n in range(5)]
            assert server.requests == 5
        finally:
            await stranger.http.close(0)
            await friend.http.close(0)
            server.stop()

    run(whole())


def test_a_later_connection_takes_up_the_session_of_an_earlier_one(tmp_path: Path) -> None:
    tls, trust = certified(tmp_path)

    async def whole() -> None:
        seen = asyncio.Semaphore(0)

        async def slowly(wire: Wire) -> None:
            await wire.request()
            await wire.say(OK)
            await seen.acquire()

        server = await Server(slowly).start(tls)
        client = Client(server.url, trust=trust)
        reused: list[bool | None] = []
        try:
            for n in range(4):
                await client.ask(n)
                client.http._sweep()
                reused.append(server.wires[-1].session_reused)
                seen.release()
                while client.http._all:
                    await asyncio.sleep(0.005)
        finally:
            await client.http.close(0)
            server.stop()
        assert reused == [False, True, True, True]

    run(whole())


def test_a_proxy_of_the_environment_is_gone_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tls, trust = certified(tmp_path)
    asked: list[bytes] = []

    async def whole() -> None:
        server = await Server(answer_all).start(tls)

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            there, back = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(carry(reader, back), carry(there, writer), return_exceptions=True)

        proxy = await asyncio.start_server(tunnel, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://who:secret@127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        client = Client(server.url, trust=trust)
        try:
            assert sorted(await client.ask(1, 2)) == [(1, 201, BODY), (2, 201, BODY)]
        finally:
            await client.http.close(0)
            server.stop()
            proxy.close()
        assert asked[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % server.port)
        assert b"\r\nProxy-Authorization: Basic d2hvOnNlY3JldA==\r\n" in asked[0]

    run(whole())


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
