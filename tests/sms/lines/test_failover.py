"""Over several lines: what one does not take goes over another at once, and one that is well again gets its share back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest

from portal.channels.sms.lines import circuit
from portal.channels.sms.lines.line import CLOSED, NOT_TAKEN, Line
from portal.channels.sms.lines.switch import Switch
from portal.channels.sms.lines.twilio_line import TwilioLine
from portal.channels.sms.provider import ACCEPTED
from tests.sms.conftest import CarrierProcess
from tests.sms.lines.driver import letter, number, run
from tests.sms.lines.server import Server, answer_all
from tests.sms.lines.test_twilio_line import options


class Desk:
    """Sends over a switch as the engine does; who carried whom is in `carried`."""

    def __init__(self, lines: list[Line]) -> None:
        self.switch = Switch(lines)
        self.carried: dict[int, str] = {}
        self.said: Counter[tuple[str, str]] = Counter()
        self._waiting: list[int] = []
        self._text = letter()
        self._news = asyncio.Event()
        for line in lines:
            line.open(asyncio.get_running_loop(), self._answered, self._news.set)

    def _answered(self, token: int, line: Line, status: str, code: str, carrier_id: str, unsure: bool) -> None:
        self.said[line.name, status] += 1
        if status == ACCEPTED:
            assert token not in self.carried
            self.carried[token] = line.name
        else:
            assert status == NOT_TAKEN
            self._waiting.append(token)
        self._news.set()

    async def send(self, first: int, count: int, preferred: str = "") -> Counter[str]:
        self._waiting += range(first, first + count)
        wanted = len(self.carried) + count
        while len(self.carried) < wanted:
            while self._waiting and (line := self.switch.pick(preferred)):
                token = self._waiting.pop()
                line.hand_over(self._text, number(token), f"7/{token}", token)
            self._news.clear()
            with contextlib.suppress(TimeoutError):  # the engine looks again by itself, too
                await asyncio.wait_for(self._news.wait(), 0.2)
        return Counter(self.carried[token] for token in range(first, first + count))


def play(carrier: CarrierProcess, work: Any, weight: float = 1.0) -> None:
    async def whole() -> None:
        server = await Server(answer_all).start()
        lines: list[Line] = [
            TwilioLine(options(server.url, name="first", weight=weight), most=40),
            TwilioLine(options(carrier.url, name="second"), most=40),
        ]
        try:
            await work(Desk(lines), server, lines)
        finally:
            for line in lines:
                await line.close(0.2)
            server.stop()

    run(whole())


def test_messages_are_shared_out_by_weight_and_an_all_clear_goes_the_way_of_its_warning(carrier: CarrierProcess) -> None:
    async def work(desk: Desk, _server: Server, _lines: list[Line]) -> None:
        got = Counter[str]()
        for sent in range(0, 400, 8):  # few at a time: both always have room, so that the weights alone decide
            got += await desk.send(sent, 8)
        assert 240 <= got["first"] <= 340  # of 300
        assert await desk.send(1000, 100, preferred="second") == {"second": 100}

    play(carrier, work, weight=3.0)


def test_a_line_that_nobody_answers_loses_nothing_and_gets_its_share_back_when_it_is_up(
    carrier: CarrierProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(circuit, "LONGEST_PAUSE", 0.2)

    async def work(desk: Desk, server: Server, lines: list[Line]) -> None:
        server._server.close()
        await server._server.wait_closed()
        got = await desk.send(0, 400)
        assert got == {"second": 400}
        assert desk.said["first", NOT_TAKEN] < 150
        lines_up = await asyncio.start_server(server._serve, "127.0.0.1", server.port)
        sent = 1000
        while (await desk.send(sent, 50))["first"] < 15:  # of 25
            sent += 50
            await asyncio.sleep(0.05)
        assert lines[0].state().circuit == CLOSED
        lines_up.close()

    play(carrier, work)


def test_a_line_that_is_told_too_many_hands_its_messages_to_the_other(carrier: CarrierProcess) -> None:
    carrier.faults(too_many=1.0, retry_after=60)

    async def work(desk: Desk, _server: Server, lines: list[Line]) -> None:
        assert await desk.send(0, 300) == {"first": 300}
        assert desk.said["second", NOT_TAKEN] >= 1
        assert lines[1].state().pause > 50
        assert await desk.send(1000, 50, preferred="second") == {"first": 50}, "nobody waits for a minute"

    play(carrier, work)
