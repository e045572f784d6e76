"""A question and its answer within an event loop: whole or not at all, once, and the socket is left to others as it was."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.dispatch.bulk.exchange import Exchange


class Ends:
    """A loop's end of a socket, and the other one."""

    def __init__(self) -> None:
        self.here, there = socket.socketpair()
        self.here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.there, self.raw = Connection(there.dup().detach()), there

    def close(self) -> None:
        self.here.close()
        self.there.close()
        self.raw.close()

    def ask(self, question: bytes, seconds: float = 30.0, meanwhile=lambda exchange: None) -> list[bytes | None]:
        """What is heard; a moment is waited for what must not come."""
        heard: list[bytes | None] = []

        async def asking() -> None:
            over = asyncio.Event()

            def hear(answer: bytes | None) -> None:
                heard.append(answer)
                over.set()

            exchange = Exchange(asyncio.get_running_loop(), self.here, question, seconds, hear)
            meanwhile(exchange)
            await asyncio.wait_for(over.wait(), 30)
            exchange.end(b"once more")
            await asyncio.sleep(0.01)

        uvloop.run(asking())
        return heard


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)), min_size=1, max_size=3))
def test_questions_and_answers_of_any_length_come_whole_and_others_may_use_the_socket_between(ends, sizes):
    questions = [bytes([65 + n]) * size for n, (size, _) in enumerate(sizes)]
    answers = [bytes([97 + n]) * size for n, (_, size) in enumerate(sizes)]
    seen: list[bytes] = []

    def other() -> None:
        for answer in answers:
            seen.append(ends.there.recv_bytes())
            ends.there.send_bytes(answer)
            seen.append(ends.there.recv_bytes())
            time.sleep(0.002)
            ends.there.send_bytes(b"waited for")

    thread = threading.Thread(target=other)
    thread.start()
    for question, answer in zip(questions, answers, strict=True):
        assert ends.ask(question) == [answer]
        between = Connection(ends.here.dup().detach())  # as a thread asks that waits
        between.send_bytes(b"between")
        assert between.recv_bytes() == b"waited for"
        between.close()
    thread.join(30)
    assert seen == [one for question in questions for one in (question, b"between")]


@pytest.mark.parametrize("when", ["before the question", "in the answer", "never"])
def test_an_end_without_an_answer_is_heard_once(ends, when):
    if when == "before the question":
        ends.there.close()
        ends.raw.close()
    if when == "in the answer":
        ends.raw.sendall(b"\0\0\0\x09four")
        ends.raw.shutdown(socket.SHUT_WR)
    assert ends.ask(b"?" * 100_000, seconds=0.1 if when == "never" else 30.0) == [None]


def test_who_waits_no_longer_hears_that_at_once(ends):
    assert ends.ask(b"?", meanwhile=lambda exchange: exchange.end()) == [None]


def test_on_a_socket_that_is_closed_the_asking_fails_and_nothing_is_heard_later(ends):
    ends.here.close()
    heard: list[bytes | None] = []

    async def asking() -> None:
        with pytest.raises((OSError, ValueError)):
            Exchange(asyncio.get_running_loop(), ends.here, b"?", 0.01, heard.append)
        await asyncio.sleep(0.05)

    uvloop.run(asking())
    assert heard == []
