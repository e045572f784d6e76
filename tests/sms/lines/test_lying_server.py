"""A server that lies, floods, or lets go in the wrong moment costs nobody an answer, and gives nobody two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from portal.channels.sms.lines.http_client import header
from portal.channels.sms.lines.twilio_line import _code
from tests.sms.lines.driver import run
from tests.sms.lines.server import OK, Client, Server, Wire, answer_all

ANNOUNCED = b"HTTP/1.1 100 Continue\r\n\r\n"
BODY = b'{"sid":"S1"}'


def play(handler: Callable[[Wire], Awaitable[None]], work: Callable[[Server, Client], Awaitable[Any]], **options: Any) -> Any:
    async def whole() -> Any:
        server = await Server(handler).start()
        client = Client(server.url, **options)
        try:
            return await work(server, client)
        finally:
            await client.http.close(0)
            server.stop()

    return run(whole())


def test_an_answer_that_comes_unasked_between_two_requests_is_nobodys_and_ends_the_connection() -> None:
    more = asyncio.Event()

    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.say(OK)
        if wire is wire.server.wires[0]:
            await more.wait()
            await wire.say(OK.replace(b"S1", b"XX"))
        await answer_all(wire)

    async def work(server: Server, client: Client) -> None:
        await client.ask(0)
        (connection,) = client.http._idle
        more.set()
        for _ in range(200):
            if client.http._idle != [connection]:
                break
            await asyncio.sleep(0.005)
        assert client.http._idle == []
        said = await client.ask(1, 2, 3)
        assert sorted(said) == [(n, 201, BODY) for n in (1, 2, 3)]
        assert client.http.in_flight == 0

    play(handler, work)


@pytest.mark.parametrize("cut", [b"", b"HTTP/1.1 20", b"HTTP/1.1 400 X\r\nContent-Length: 9\r\n\r\n{}", ANNOUNCED])
def test_an_answer_that_was_only_announced_is_none(cut: bytes) -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.say(ANNOUNCED + cut)

    async def work(_server: Server, client: Client) -> None:
        assert await client.ask("one") == [("one", "connection", True)]

    play(handler, work)


def test_announcements_without_end_are_given_up() -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        for _ in range(200):
            await wire.say(ANNOUNCED * 100)

    async def work(_server: Server, client: Client) -> None:
        assert await client.ask("one") == [("one", "unreadable", True)]

    play(handler, work)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-x\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", OK])
def test_who_speaks_first_is_not_spoken_to_or_not_believed_and_not_dialled_for_ever(greeting: bytes) -> None:
    async def handler(wire: Wire) -> None:
        await wire.say(greeting)

    async def work(server: Server, client: Client) -> None:
        said = await client.ask(*range(5))
        assert sorted(token for token, *_rest in said) == list(range(5))
        assert len(server.wires) <= 10
        await asyncio.sleep(0.05)
        assert client.http.in_flight == 0
        assert len(client.said) == 5

    play(handler, work)


def test_whatever_goes_wrong_in_dialling_each_who_waits_hears_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(_server: Server, client: Client) -> None:
        dials = []

        async def dial(*_about: Any) -> Any:
            dials.append(1)
            raise RuntimeError("of the loop")

        monkeypatch.setattr(client.http._dialler, "dial", dial)
        assert sorted(await client.ask(1, 2, 3)) == [(n, "connection", False) for n in (1, 2, 3)]
        assert len(dials) <= 6

    play(answer_all, work)


def test_a_connection_that_is_being_closed_is_not_written_to() -> None:
    async def work(server: Server, client: Client) -> None:
        await client.ask(1)
        client.http._idle[-1].transport.close()
        assert await client.ask(2) == [(2, 201, BODY)]
        assert server.requests == 2

    play(answer_all, work)


def test_who_waited_long_for_a_connection_still_has_the_whole_time_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(wire: Wire) -> None:
        while True:
            await wire.request()
            await asyncio.sleep(1.5)
            await wire.say(OK)

    async def work(_server: Server, client: Client) -> None:
        dial = client.http._dialler.dial

        async def slow(*about: Any) -> Any:
            await asyncio.sleep(1.5)
            return await dial(*about)

        monkeypatch.setattr(client.http._dialler, "dial", slow)
        assert await client.ask(1) == [(1, 201, BODY)]

    play(handler, work, timeout=2.8)


def test_a_header_is_that_of_the_answer_not_of_its_announcement() -> None:
    assert header(ANNOUNCED + b"HTTP/1.1 429 X\r\nRetry-After: 3\r\n\r\n", "retry-after") == "3"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"code": 1' + b"0" * 3000 + b"}", b'{"code": -1}', b'{"code": true}', b"\xff"])
def test_a_code_that_can_be_none_is_none(body: bytes) -> None:
    assert _code(body) is None
