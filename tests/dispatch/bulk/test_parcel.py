"""The loop puts ends into parcels while the writer takes them out: each is taken once, and the parting once and last."""

from __future__ import annotations

import sys
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import pytest

from portal.channels.sms.lines.line import Letter
from portal.channels.sms.lines.switch import Switch
from portal.channels.sms.provider import ACCEPTED, FAILED
from portal.core.clock import utcnow
from portal.dispatch.bulk import writer as writers
from portal.dispatch.bulk.books import NONE
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import Pump
from portal.dispatch.bulk.writer import Writer
from portal.dispatch.lease import Lease
from tests.dispatch.offices import ToldLine

PARCELS, EACH = 300, 25


@pytest.fixture
def restless():
    """Threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Bench:
    """A pump and a writer without their threads."""

    def __init__(self) -> None:
        self.line, self.inbox = ToldLine(), deque[Parcel]()
        self.pump = Pump(Switch([self.line]), most=10**9, page=50, inbox=self.inbox, ring=lambda: None, hungry=lambda: None)
        self.pump._loop = SimpleNamespace(call_soon=lambda what: None)  # type: ignore[assignment]
        self.pump._lines = [self.line]
        app: Any = SimpleNamespace(extensions={"anlan": SimpleNamespace(lease_seconds=30)})
        self.writer = Writer(app, self.pump, self.pump._loop, self.inbox, None, set())  # type: ignore[arg-type]
        self.taken: dict[int, list[int]] = defaultdict(list)
        self.parted: list[int] = []

    def parcel(self, batch_id: int, size: int) -> Parcel:
        soon = utcnow() + timedelta(hours=1)
        lease = Lease(batch_id, 1, uuid.UUID(int=1), uuid.UUID(int=2), "sms", 0, "", "zh", 0, soon, NONE)
        made = Parcel(lease, Letter("words", soon, 1, ""), deque(), size, 1.0, in_flight=size)
        self.pump.parcels[batch_id] = made
        return made

    def answer(self, parcel: Parcel, n: int) -> None:
        """The loop's."""
        self.pump.answered((parcel, n, 0, "", ""), self.line, FAILED if n % 9 == 8 else ACCEPTED, "", "", False)

    def take(self) -> None:
        """The writer's."""
        for batch_id, one in self.writer._taken({}).items():
            assert batch_id not in self.parted
            self.taken[batch_id] += [row[0] for row in one.rows]
            if one.parting is not None:
                assert one.parting.left == 0
                self.parted.append(batch_id)


def before_line(number: int, of: set[CodeType], come: Callable[[], None], act: Callable[[], None]) -> bool:
    """Do `act`, and before the so-manieth line of these functions that is reached, `come`; whether it was reached."""
    seen = 0

    def look(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal seen
        if frame.f_code not in of:
            return None
        if event == "line":
            seen += 1
            if seen == number:
                sys.settrace(None)
                come()
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        act()
    finally:
        sys.settrace(before)
    return seen >= number


TAKEN = {Parcel.take.__code__, Writer._taken.__code__}
ANSWERED = {Pump.answered.__code__, Pump._tell.__code__, Pump._list.__code__, Pump._end.__code__}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("largest", [2, 2000])
def test_an_end_that_comes_between_two_lines_of_the_writer_is_taken_too(monkeypatch, largest, last):
    monkeypatch.setattr(writers, "LARGEST", largest)
    for number in range(1, 200):
        bench = Bench()
        parcel = bench.parcel(1, 5)
        for n in range(3):
            bench.answer(parcel, n)

        def come(bench=bench, parcel=parcel):
            for n in (3, 4)[: 1 + last]:
                bench.answer(parcel, n)
        reached = before_line(number, TAKEN, come, bench.take)
        if not reached:
            come()
        if not last:
            bench.answer(parcel, 4)
        while bench.inbox:
            bench.take()
        assert (bench.taken[1], bench.parted) == ([0, 1, 2, 3, 4], [1]), number
        if not reached:
            break
    assert number > 15


def test_a_writer_that_comes_between_two_lines_of_the_loop_leaves_nothing(monkeypatch):
    for number in range(1, 200):
        bench = Bench()
        parcel = bench.parcel(1, 2)

        def act(bench=bench, parcel=parcel):
            bench.answer(parcel, 0)
            bench.answer(parcel, 1)
        reached = before_line(number, ANSWERED, bench.take, act)
        while bench.inbox:
            bench.take()
        assert (bench.taken[1], bench.parted) == ([0, 1], [1]), number
        if not reached:
            break
    assert number > 15


def test_each_end_is_taken_once_and_the_parting_once_and_last_by_threads_that_never_rest(restless):
    bench, finished = Bench(), threading.Event()

    def loop() -> None:
        try:
            for batch_id in range(PARCELS):
                parcel = bench.parcel(batch_id, EACH)
                for n in range(EACH):
                    bench.answer(parcel, n)
        finally:
            finished.set()

    thread = threading.Thread(target=loop)
    thread.start()
    while True:
        last = finished.is_set()  # looked at first: what is told before it is there by now
        bench.take()
        if last and not bench.inbox:
            break
    thread.join()
    assert bench.taken == {n: list(range(EACH)) for n in range(PARCELS)}
    assert sorted(bench.parted) == list(range(PARCELS))
