"""The loop puts ends into parcels while the writer takes them out: each is taken once, and the parting once and last."""

from __future__ import annotations

import sys
import threading
import uuid
from collections import deque
from datetime import timedelta
from types import SimpleNamespace
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


@pytest.mark.parametrize("largest", [3, 2000])
def test_each_end_is_taken_once_and_the_parting_once_and_last(restless, monkeypatch, largest):
    monkeypatch.setattr(writers, "LARGEST", largest)  # a parcel that is taken in pieces goes back to its place
    line, inbox, finished = ToldLine(), deque[Parcel](), threading.Event()
    pump = Pump(Switch([line]), most=10**9, page=50, inbox=inbox, ring=lambda: None, hungry=lambda: None)
    pump._loop = SimpleNamespace(call_soon=lambda what: None)  # type: ignore[assignment]
    pump._lines = [line]
    app: Any = SimpleNamespace(extensions={"anlan": SimpleNamespace(lease_seconds=30)})
    writer = Writer(app, pump, pump._loop, inbox, None, set())  # type: ignore[arg-type]
    soon = utcnow() + timedelta(hours=1)
    letter = Letter("words", soon, 1, "")

    def loop() -> None:
        try:
            for batch_id in range(PARCELS):
                lease = Lease(batch_id, 1, uuid.UUID(int=1), uuid.UUID(int=2), "sms", 0, "", "zh", 0, soon, NONE)
                parcel = Parcel(lease, letter, deque(), EACH, 1.0, in_flight=EACH)
                pump.parcels[batch_id] = parcel
                for n in range(EACH):
                    pump.answered((parcel, n, 0, "", ""), line, FAILED if n % 9 == 8 else ACCEPTED, "", "", False)
        finally:
            finished.set()

    taken: dict[int, list[int]] = {n: [] for n in range(PARCELS)}
    parted: list[int] = []
    thread = threading.Thread(target=loop)
    thread.start()
    while True:
        last = finished.is_set()  # looked at first: what is told before it is there by now
        for batch_id, one in writer._taken({}).items():
            assert batch_id not in parted
            taken[batch_id] += [row[0] for row in one.rows]
            if one.parting is not None:
                assert one.parting.left == 0
                parted.append(batch_id)
        if last and not inbox:
            break
    thread.join()
    assert taken == {n: list(range(EACH)) for n in range(PARCELS)}
    assert sorted(parted) == list(range(PARCELS))
