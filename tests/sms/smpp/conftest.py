"""An SMPP carrier as a process of its own, and a line that is driven from the test's thread."""

from __future__ import annotations

import asyncio
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from portal.channels.sms import segments
from portal.channels.sms.lines import smpp_line
from portal.channels.sms.lines.line import Letter
from portal.channels.sms.lines.options import Ears
from portal.channels.sms.lines.smpp_line import SmppLine
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.provider import Inbound, Receipt
from portal.config import ROOT
from portal.core.clock import utcnow
from tests.node import node
from tests.waiting import LONGEST

PASSWORD = "s3cr3t-7"


class Smsc:
    """What a test does with the carrier: set faults, read counts."""

    def __init__(self, port: int, control: int) -> None:
        self.port, self._control = port, control

    def faults(self, **faults: Any) -> None:
        self._ask("/_control", faults)

    def counts(self) -> dict[str, int]:
        return self._ask("/_control")["counts"]

    def taken(self) -> list[dict[str, Any]]:
        return self._ask("/_messages")

    def do(self, what: str, **content: Any) -> None:
        """write, receipt, drop, unbind, enquire, reset."""
        self._ask(f"/_{what}", content)

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self._control}{path}", data=data, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def smsc_process(*options: str) -> Iterator[Smsc]:
    process = subprocess.Popen(
        [node(), "tests/fakes/smsc.mjs", "--password", PASSWORD, "--tied", *options], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[::2] == ["port", "control"], "the carrier did not start: is node_modules there? run make setup-dev"
        yield Smsc(int(words[1]), int(words[3]))
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def smsc_running() -> Iterator[Smsc]:
    with smsc_process() as smsc:
        yield smsc


@pytest.fixture
def smsc(smsc_running: Smsc) -> Iterator[Smsc]:
    smsc_running.do("reset")
    yield smsc_running
    smsc_running.do("drop")


class Told(NamedTuple):
    token: Any
    status: str
    code: str
    carrier_id: str
    unsure: bool


class Driver:
    """A line in a loop of its own that runs while the test waits for something."""

    def __init__(self, options: SmppOptions, keep: Callable[[Sequence[Receipt]], None] | None = None,
                 words: Callable[[Inbound], str] | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self.answers: list[Told] = []
        self.receipts: list[Receipt] = []
        self.texts: list[Inbound] = []
        self._keep, self._words = keep, words
        self.line = SmppLine(options, Ears(self._on_receipts, self._on_text))
        self.line.open(self.loop, self._on_answer, lambda: None)
        self._closed = False

    def _on_answer(self, token: Any, line: Any, status: str, code: str, carrier_id: str, unsure: bool) -> None:
        assert line is self.line
        self.answers.append(Told(token, status, code, carrier_id, unsure))

    def _on_receipts(self, line: str, receipts: Sequence[Receipt]) -> None:
        assert line == self.line.name
        if self._keep:
            self._keep(receipts)
        self.receipts.extend(receipts)

    def _on_text(self, line: str, text: Inbound) -> str:
        assert line == self.line.name
        self.texts.append(text)
        return self._words(text) if self._words else ""

    def until(self, true: Callable[[], Any], what: str, seconds: float = LONGEST) -> Any:
        async def wait() -> Any:
            end = self.loop.time() + seconds
            while not (found := true()):
                assert self.loop.time() < end, f"after {seconds:.0f} s still not: {what}"
                await asyncio.sleep(0.005)
            return found

        return self.loop.run_until_complete(wait())

    def bound(self) -> Driver:
        self.until(lambda: self.line.room() > 0, "the line is bound and has room")
        return self

    def hand_over(self, letter: Letter, numbers: Sequence[str]) -> None:
        """All of them, each as soon as there is room; tokens are the numbers."""
        for n, number in enumerate(numbers):
            self.until(lambda: self.line.room() > 0, f"room for number {n}")
            self.line.hand_over(letter, number, f"1/{n}", number)

    def send(self, letter: Letter, numbers: Sequence[str]) -> list[Told]:
        """Hand over, and what was answered when all is."""
        before = len(self.answers)
        self.hand_over(letter, numbers)
        self.until(lambda: len(self.answers) == before + len(numbers), "every message is answered")
        return self.answers[before:]

    def close(self, seconds: float = 5.0) -> None:
        if not self._closed:
            self._closed = True
            self.loop.run_until_complete(self.line.close(seconds))
            self.loop.close()


@pytest.fixture
def drive(smsc: Smsc, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Driver]]:
    """Makes lines to the carrier; options as `SmppOptions`, and `keep`, `words` as `Driver`."""
    monkeypatch.setattr(smpp_line, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(smpp_line, "REFUSED_PAUSE", 0.05)
    monkeypatch.setattr(smpp_line, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(smpp_line, "SWEEP", 0.02)
    monkeypatch.setattr(smpp_line, "PART_PAUSE", 0.02)
    drivers: list[Driver] = []

    def make(*, keep: Any = None, words: Any = None, **options: Any) -> Driver:
        driver = Driver(options_for(smsc, **options), keep, words)
        drivers.append(driver)
        return driver

    yield make
    for driver in drivers:
        driver.close()


def options_for(smsc: Smsc, **options: Any) -> SmppOptions:
    return SmppOptions(**{"name": "carrier-b", "host": "127.0.0.1", "port": smsc.port, "system_id": "anlan", "password": PASSWORD,
                          "source": "12379", "max_in_flight": 20} | options)


def letter(body: str = "【坪山应急】暴雨红色预警：请立即转移。", minutes: float = 60) -> Letter:
    return Letter(body, utcnow() + timedelta(minutes=minutes), segments.count(body).segments)


def numbers(n: int) -> list[str]:
    return [f"+8613800{i:06}" for i in range(n)]
