"""Each request is answered once, by its own answer or by what went wrong, and whether it may have been received is told truly."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines import http_client
from portal.channels.sms.lines.http_client import LONGEST_ANSWER, Connection, header
from tests.sms.lines.driver import run
from tests.sms.lines.server import OK, REQUEST, Client, Handler, Server, Wire, answer_all

BODY = b'{"sid":"S1"}'


def play(handler: Handler, work: Callable[[Server, Client], Awaitable[Any]], **options: Any) -> Any:
    """What `work` returns with a server that does as `handler` and a client of it."""

    async def whole() -> Any:
        server = await Server(handler).start()
        client = Client(server.url, **options)
        try:
            return await work(server, client)
        finally:
            await client.http.close(0)
            server.stop()

    return run(whole())


# -- reading --------------------------------------------------------------------------------------


class Deaf:
    """A client and a transport that only keep what they are told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, bytes, bool]] = []
        self.words: list[str] = []

    def answered(self, connection: Connection) -> None:
        self.heard.append((connection.status, connection.body, connection.clean()))
        connection.status, connection.body, connection.raw = 0, b"", b""

    def broken(self, connection: Connection, word: str) -> None:
        self.words.append(word)

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False


ANSWERS = {
    OK: (201, BODY, True),
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK: (201, BODY, True),
    b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"sid\r\n7\r\n\":\"S1\"}\r\n0\r\n\r\n": (201, BODY, True),
    b"HTTP/1.1 429 X\r\nRetry-After: 3\r\ncontent-length: 2\r\nConnection: close\r\n\r\n{}": (429, b"{}", False),
    b"HTTP/1.1 204 X\r\n\r\n": (204, b"", True),
    b"HTTP/1.0 500 X\r\nContent-Length: 1\r\n\r\nx": (500, b"x", False),
}


@settings(max_examples=40)
@given(answer=st.sampled_from(sorted(ANSWERS)), cuts=st.lists(st.integers(1, 120), max_size=12))
def test_an_answer_is_read_alike_however_it_is_split(answer: bytes, cuts: list[int]) -> None:
    client = Deaf()
    connection = Connection(client)  # type: ignore[arg-type]
    connection.connection_made(client)  # type: ignore[arg-type]
    connection.began = 1.0
    places = [0, *sorted({cut for cut in cuts if cut < len(answer)}), len(answer)]
    for n, (start, end) in enumerate(pairwise(places)):
        assert not client.heard, "told before it was whole"
        connection.data_received(answer[start:end])
        assert not client.words, n
    assert client.heard == [ANSWERS[answer]]


def test_headers_are_found_whatever_their_case() -> None:
    raw = b"HTTP/1.1 429 X\r\nretry-AFTER:  7 \r\nA: b\r\n\r\nRetry-After: 9"
    assert (header(raw, "Retry-After"), header(raw, "a"), header(raw, "b")) == ("7", "b", "")


# -- connections ----------------------------------------------------------------------------------


def test_connections_are_kept_and_each_has_one_request_in_flight() -> None:
    async def work(server: Server, client: Client) -> None:
        for first in range(0, 200, 10):
            said = await client.ask(*range(first, first + 10))
            assert sorted(token for token, _status, _body in said) == list(range(first, first + 10))
            assert {(status, body) for _token, status, body in said} == {(201, BODY)}
        assert server.requests == 200
        assert len(server.wires) == 10

    play(answer_all, work)


def test_more_requests_than_connections_wait_their_turn() -> None:
    async def work(server: Server, client: Client) -> None:
        assert len(await client.ask(*range(50))) == 50
        assert len(server.wires) <= 3

    play(answer_all, work, most=3)


async def once(wire: Wire) -> None:
    await wire.request()
    await wire.say(OK)


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_any_more() -> None:
    async def work(server: Server, client: Client) -> None:
        for n in range(5):
            assert await client.ask(n) == [(n, 201, BODY)]
            while client.http._all:
                await asyncio.sleep(0.005)
        assert len(server.wires) == 5

    play(once, work)


def test_a_connection_that_rested_is_looked_at_before_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "PEEK_AFTER", 0.0)

    async def work(server: Server, client: Client) -> None:
        await client.ask("first")
        connection = client.http._idle[-1]
        connection.idle_since -= 1
        other = connection.transport.get_extra_info("socket").getpeername()
        assert other[1] == server.port
        monkeypatch.setattr(Connection, "dead", lambda self: True)
        assert await client.ask("second") == [("second", 201, BODY)]
        assert len(server.wires) == 2

    play(answer_all, work)


def test_what_the_kernel_knows_of_a_dead_connection_is_seen_before_the_loop_tells() -> None:
    async def work(server: Server, client: Client) -> None:
        await client.ask("first")
        connection = client.http._idle[-1]
        assert not connection.dead()
        number = connection.transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=socket.dup(number)) as same:
            same.shutdown(socket.SHUT_RD)
            assert connection.dead()

    play(answer_all, work)


def test_what_could_not_even_be_written_was_not_received() -> None:
    async def work(server: Server, client: Client) -> None:
        await client.ask("first")
        number = client.http._idle[-1].transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=socket.dup(number)) as same:
            same.shutdown(socket.SHUT_WR)
        assert await client.ask("second") == [("second", "connection", False)]
        assert server.requests == 1

    play(answer_all, work)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"", ("connection", True)),  # closed just as we wrote, or with the request in its hands: nobody knows
        (OK[:-3], ("connection", True)),
        (OK[:20], ("connection", True)),
        (b"<html>this is no HTTP</html>", ("unreadable", True)),
        (b"HTTP/1.1 201 X\r\nA: " + b"a" * LONGEST_ANSWER, ("unreadable", True)),
        (b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", ("unreadable", True)),
        (b"HTTP/1.1 201 X\r\n\r\n" + BODY, (201, BODY)),  # as long as the connection
        (OK.replace(b" X\r\n", b" X\r\nConnection: close\r\n"), (201, BODY)),
    ],
)
def test_an_answer_that_ends_early_or_is_none_may_have_been_preceded_by_the_taking(
    said: bytes, expected: tuple[Any, ...]
) -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.say(said)

    async def work(server: Server, client: Client) -> None:
        assert await client.ask("one") == [("one", *expected)]
        assert await client.ask("two") == [("two", *expected)], "and over another connection"
        assert len(server.wires) == 2

    play(handler, work)


def test_a_reset_connection_fails_its_own_request_alone() -> None:
    async def handler(wire: Wire) -> None:
        request = await wire.request()
        if request.endswith(b"!!"):
            wire.reset()
            return
        await wire.say(OK)
        await answer_all(wire)

    async def work(server: Server, client: Client) -> None:
        client.http.post(REQUEST[:-2] + b"!!", "bad")
        said = {token: rest for token, *rest in [*await client.ask(*range(5)), *client.said]}
        while "bad" not in said:
            await asyncio.sleep(0.005)
            said |= {token: rest for token, *rest in client.said}
        assert said["bad"] == ["connection", True]
        assert {n: said[n] for n in range(5)} == {n: [201, BODY] for n in range(5)}

    play(handler, work)


@pytest.mark.parametrize("more", [OK, OK.replace(b"S1", b"S2"), OK[:-14], OK[:-12], OK[:-1], b"HTTP/1.1 2", b"\r\n", b"x"])
def test_nobody_is_given_an_answer_that_was_not_asked_for(more: bytes) -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.say(OK + more)
        await wire.request()
        await wire.say(OK.replace(b"S1", b"S3"))

    async def work(server: Server, client: Client) -> None:
        for n in range(3):
            assert await client.ask(n) == [(n, 201, BODY)]
        assert all(wire.requests == 1 for wire in server.wires), "such a connection has no second request"

    play(handler, work)


def test_a_server_that_speaks_unasked_loses_its_connection() -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.say(OK)
        if len(wire.server.wires) == 1:
            await wire.say(b"HTTP/1.1 408 X\r\nContent-Length: 0\r\n\r\n")
        await answer_all(wire)

    async def work(server: Server, client: Client) -> None:
        assert await client.ask(1) == [(1, 201, BODY)]
        while client.http._all:
            await asyncio.sleep(0.005)
        assert await client.ask(2) == [(2, 201, BODY)]
        assert len(server.wires) == 2

    play(handler, work)


def test_whoever_says_nothing_is_given_up_in_time_and_others_go_on() -> None:
    async def handler(wire: Wire) -> None:
        request = await wire.request()
        if not request.endswith(b"!!"):
            await wire.say(OK)
        await wire.request()

    async def work(server: Server, client: Client) -> None:
        client.http.post(REQUEST[:-2] + b"!!", "mute")
        await client.ask(*range(5))
        while len(client.said) < 6:
            await asyncio.sleep(0.01)
        assert ("mute", "timeout", True) in client.said
        assert [one[1] for one in client.said].count(201) == 5

    play(handler, work, timeout=3.0)


def test_what_is_in_flight_when_it_closes_fails_as_received_perhaps_and_what_waited_as_not() -> None:
    async def handler(wire: Wire) -> None:
        await wire.request()
        await wire.request()

    async def work(server: Server, client: Client) -> None:
        for n in range(3):
            client.http.post(REQUEST, n)
        while server.requests < 2:
            await asyncio.sleep(0.005)
        await client.http.close(0.05)
        assert sorted(client.said) == [(0, "closed", True), (1, "closed", True), (2, "closed", False)]
        assert client.http.in_flight == 0

    play(handler, work, most=2)
