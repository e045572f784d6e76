"""The learners of `measure_exam.py`: a process of its own that opens the exam, answers at a steady pace, and hands in.

`python tools/exam_storm.py PLAN` reads a JSON file and writes another: what was acknowledged, and how long each request took.
It speaks HTTP by hand over one kept connection a learner, so that little of the machine is spent on measuring.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import resource
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PATIENCE, AGAIN = 30.0, 1.0
#: One answer in so many is sent twice, as a phone does that heard no reply.
TWICE = 20
_TOKEN = re.compile(rb'name="csrf_token" value="([^"]+)"')
_RETRY = re.compile(rb"retry-after: (\d+)", re.IGNORECASE)
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Phone:
    """One kept connection and the cookies of one learner."""

    def __init__(self, port: int, cookie: str) -> None:
        self.port, self.cookie, self.token = port, cookie, ""
        self.reader: Any = None
        self.writer: Any = None

    async def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json",
                  accept: str = "application/json") -> tuple[int, bytes, bytes, float]:
        """(status, head, body, seconds). A kept connection that the server has closed meanwhile is opened anew."""
        head = (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\nAccept: {accept}\r\n"
                f"X-CSRFToken: {self.token}\r\nReferer: http://127.0.0.1:{self.port}/\r\n")
        if method == "POST":
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        begun = time.perf_counter()
        for fresh in (False, True):
            try:
                if self.writer is None or fresh:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.writer.write(head.encode() + b"\r\n" + body)
                async with asyncio.timeout(PATIENCE):
                    told = await self.reader.readuntil(b"\r\n\r\n")
                    length = _LENGTH.search(told)
                    content = await self.reader.readexactly(int(length[1])) if length else b""
                return int(told[9:12]), told, content, time.perf_counter() - begun
            except (OSError, asyncio.IncompleteReadError):
                if fresh:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


class Learner:
    """One learner at the exam; `acknowledged`: place -> [count, value] of what the server said that it kept."""

    def __init__(self, plan: dict[str, Any], one: dict[str, Any], port: int) -> None:
        self.plan, self.one = plan, one
        self.phone = Phone(port, one["cookie"])
        self.chance = random.Random(one["attempt"])  # noqa: S311  (nothing secret hangs on it)
        self.seq = one["seq"]
        self.acknowledged: dict[int, list[Any]] = {}
        self.sent = self.repeated = self.waited = 0
        self.times: dict[str, list[float]] = {name: [] for name in ("page", "save", "clock", "end")}
        self.failed: list[str] = []

    async def open(self) -> None:
        """The page of the exam, with the token that each answer carries."""
        status, head, body, seconds = await self._tried("page", "GET", self.plan["sit"], accept="text/html")
        found = _TOKEN.search(body)
        if status != 200 or not found:
            raise RuntimeError(f"the exam's page answered {status}")
        self.phone.token = found[1].decode()
        self.phone.cookie += "".join(f"; {c.decode()}" for c in re.findall(rb"set-cookie: ([^;\r]+)", head, re.IGNORECASE))
        self.times["page"].append(seconds)

    async def answer(self, end: float, phase: float) -> None:
        """An answer every `every` seconds until `end`; every third time also the look at the clock that the page takes."""
        every, due, turn = self.plan["every"], time.monotonic() + phase, 0
        choices = self.one["answers"]
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.seq += 1
            at = turn % len(choices)
            value = self.chance.choice(choices[at])
            body = json.dumps({"attempt": self.one["attempt"], "answers": [{"at": at, "seq": self.seq, "value": value}]}).encode()
            for again in range(2 if self.chance.randrange(TWICE) == 0 else 1):
                status, _head, content, seconds = await self._tried("save", "POST", self.plan["save"], body)
                if status != 200:
                    self.failed.append(f"{status} {content[:80]!r}")
                    continue
                self.times["save"].append(seconds)
                self.sent += 1
                self.repeated += again
                self.acknowledged[at] = [self.seq, value]
                if json.loads(content)["kept"] != [{"at": at, "seq": self.seq}]:
                    self.failed.append(f"kept something else: {content[:80]!r}")
            if turn % 3 == 2:
                status, _head, _content, seconds = await self._tried("clock", "GET", self.plan["clock"])
                self.times["clock"].append(seconds)
            turn += 1
            due += every

    async def hand_in(self, phase: float) -> None:
        await asyncio.sleep(phase)
        body = urlencode({"csrf_token": self.phone.token, "attempt": self.one["attempt"], "seq": self.seq, "do": "submit"})
        begun, status = time.perf_counter(), 503
        while status == 503:  # very many hand in at once: the page says so, and does it again
            status, head, _content, _seconds = await self._tried("end", "POST", self.plan["sit"], body.encode(),
                                                                 "application/x-www-form-urlencoded", "text/html")
            if status == 503:
                self.waited += 1
                await asyncio.sleep(float((_RETRY.search(head) or [b"", b"3"])[1]))
        self.times["end"].append(time.perf_counter() - begun)
        if status != 302:
            self.failed.append(f"handing in: {status}")

    async def _tried(self, what: str, *request: Any, **options: Any) -> tuple[int, bytes, bytes, float]:
        """Ask until there is an answer, as the page's script does; the time of an answer that came late is all of it."""
        begun = time.perf_counter()
        for _try in range(5):
            try:
                status, head, body, _seconds = await self.phone.ask(*request, **options)
                return status, head, body, time.perf_counter() - begun
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self.failed.append(f"{what}: {type(error).__name__}")
                self.phone.close()
                self.phone.writer = None
                await asyncio.sleep(AGAIN)
        raise RuntimeError(f"{what}: the server does not answer")


async def bare(plan: dict[str, Any], learner: Learner, end: float, times: list[float]) -> None:
    """An empty request from somebody who is not signed in: the server and its framework without the work."""
    phone = Phone(learner.phone.port, learner.phone.cookie.partition("; ")[2].partition("; ")[2])  # the session of the token only
    phone.token = learner.phone.token
    while time.monotonic() < end:
        status, _head, _body, seconds = await phone.ask("POST", plan["save"])
        if status != 401:
            raise RuntimeError(f"the bare request answered {status}")
        times.append(seconds)
        await asyncio.sleep(0.25)
    phone.close()


async def storm(plan: dict[str, Any]) -> dict[str, Any]:
    learners = [Learner(plan, one, plan["ports"][n % len(plan["ports"])]) for n, one in enumerate(plan["learners"])]
    chance = random.Random(1)  # noqa: S311
    opening = asyncio.Semaphore(plan["opening"])

    async def opened(learner: Learner) -> None:
        async with opening:
            await learner.open()
    begun = time.monotonic()
    await asyncio.gather(*(opened(one) for one in learners))
    opened_in = time.monotonic() - begun
    end, nothing = time.monotonic() + plan["seconds"], list[float]()
    lag: list[float] = []

    async def late() -> None:
        """How late this process itself is: what it adds to every time."""
        while (now := time.monotonic()) < end:
            await asyncio.sleep(0.05)
            lag.append(time.monotonic() - now - 0.05)
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(plan["sign"]).write_text("storm")
    await asyncio.gather(bare(plan, learners[0], end, nothing), late(),
                         *(one.answer(end, chance.random() * plan["every"]) for one in learners))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    Path(plan["sign"]).write_text("over")
    await asyncio.gather(*(one.hand_in(chance.random() * plan["ending"]) for one in learners))
    for one in learners:
        one.phone.close()
    times = {name: [t for one in learners for t in one.times[name]] for name in ("page", "save", "clock", "end")}
    return {"times": times | {"bare": nothing, "lag": lag}, "opened_in": opened_in,
            "cpu": spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime,
            "failed": [word for one in learners for word in one.failed],
            "sent": sum(one.sent for one in learners), "repeated": sum(one.repeated for one in learners),
            "waited": sum(one.waited for one in learners),
            "acknowledged": {one.one["attempt"]: one.acknowledged for one in learners}}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    Path(given["result"]).write_text(json.dumps(asyncio.run(storm(given))))
