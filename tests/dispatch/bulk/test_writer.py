"""Who writes what came of messages, the loop or the writer's thread: nothing is left lying, and neither hinders the other."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Collection
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal.channels.sms.lines.line import Letter
from portal.channels.sms.provider import ACCEPTED, INVALID
from portal.core.clock import utcnow
from portal.dispatch.bulk import writer as module
from portal.dispatch.bulk.books import NONE
from portal.dispatch.bulk.keeper import Keeper
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.writer import Writer
from portal.dispatch.lease import Lease, Parting, Results


class Told(Keeper):
    """A keeper without a process. `asked`: what the loop asked, and how it is told; `written`: what the thread had it write."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Results], Callable[[set[int] | None], None]]] = []
        self.written: list[tuple[int, int, bool]] = []
        self.takes: Callable[[], bool] = lambda: True

    def record_soon(self, loop: Any, results: Collection[Results], heard: Callable[[set[int] | None], None]) -> bool:
        if self.takes():
            self.asked.append((list(results), heard))
            return True
        return False

    def record(self, results: Collection[Results], again: bool = False) -> set[int]:
        self.written += [(one.lease.batch_id, len(one.rows), again) for one in results]
        return set()


class Loop:
    """What is to be called soon is called at once: there is but one thread here."""

    def call_soon_threadsafe(self, what: Callable[..., object], *values: object) -> None:
        what(*values)


class Bench:
    def __init__(self, app: Any) -> None:
        self.keeper, self.inbox, self.settled = Told(), deque[Parcel](), 0
        self.pump = SimpleNamespace(parcels={}, halt=lambda ids: None, renewed=lambda ids, until: None, written=self._written)
        self.writer = Writer(app, self.pump, Loop(), self.inbox, self.keeper, set())  # type: ignore[arg-type]

    def _written(self, n: int) -> None:
        self.settled += n

    def parcel(self, batch_id: int, recipients: Collection[int], status: str = ACCEPTED) -> Parcel:
        until = utcnow() + timedelta(hours=1)
        lease = Lease(batch_id, 1, uuid.uuid4(), uuid.uuid4(), "sms", 0, "440310001001", "zh", 0, until, NONE)
        made = Parcel(lease, Letter("", lease.expires_at, 1, ""), deque(), 0, 1e9, parting=Parting())
        made.ends += [(i, status, "", "", "told", 1) for i in recipients]
        made.listed = True
        self.inbox.append(made)
        return made


@pytest.fixture
def bench(context) -> Bench:
    return Bench(context)


def test_what_does_not_go_into_one_transaction_goes_into_the_next_whoever_was_answered_twice_for(bench, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 5)
    bench.parcel(1, [1, 2])
    bench.parcel(2, [7, 7, 7, 8, 9, 10, 11])
    written = 0
    bench.writer.ring()
    while bench.keeper.asked:
        results, heard = bench.keeper.asked.pop()
        written += sum(len(one.rows) for one in results)
        heard(set())
    assert written == 2 + 5
    assert bench.settled == written + 2  # and that two batches are at their end
    assert not bench.inbox


def test_the_loop_asks_once_at_a_time_and_again_for_what_came_meanwhile(bench):
    bench.parcel(1, [1])
    bench.writer.ring()
    bench.parcel(2, [2])
    bench.writer.ring()
    bench.writer.ring()
    ((_, heard),) = bench.keeper.asked
    heard(set())
    (_, (results, heard)) = bench.keeper.asked
    assert [one.lease.batch_id for one in results] == [2]
    heard(set())
    assert len(bench.keeper.asked) == 2
    bench.writer.ending = True
    assert bench.writer._all_is_written()


@pytest.mark.parametrize("how", ["no answer", "nobody to ask", "a defect"])
def test_what_the_loop_cannot_have_written_the_thread_writes_and_the_loop_goes_on(bench, how):
    def takes() -> bool:
        if how == "a defect":
            raise ValueError(how)
        return how == "no answer"

    bench.keeper.takes = takes
    bench.writer.ending = True
    bench.parcel(1, [1, 2])
    bench.writer.ring()
    if how == "no answer":
        assert not bench.writer._all_is_written()
        bench.keeper.asked.pop()[1](None)
    assert not bench.writer._all_is_written()
    bench.parcel(2, [3])
    bench.writer.ring()  # it does not come between
    assert not bench.keeper.asked
    bench.writer.step()
    assert bench.keeper.written == [(1, 2, True), (2, 1, False)]
    assert bench.settled == 2 + 1 + 2
    assert bench.writer._all_is_written()
    bench.keeper.takes = lambda: True
    bench.parcel(3, [4])
    bench.writer.ring()
    assert len(bench.keeper.asked) == 1


def test_a_fault_while_it_is_settled_leaves_the_loop_able_to_write(bench):
    def fails(n: int) -> None:
        raise ValueError("a defect")

    bench.pump.written = fails
    bench.parcel(1, [1])
    bench.writer.ring()
    with pytest.raises(ValueError, match="a defect"):
        bench.keeper.asked.pop()[1](set())
    bench.parcel(2, [2])
    bench.writer.ring()
    assert len(bench.keeper.asked) == 1


def test_what_has_been_on_its_way_for_long_is_held_for_longer(bench):
    bench.parcel(1, [1])
    bench.writer.ring()
    assert bench.writer.long_in_hand() == []
    bench.writer._since -= bench.writer._lease_seconds
    assert [lease.batch_id for lease in bench.writer.long_in_hand()] == [1]
    bench.keeper.asked.pop()[1](None)
    assert [lease.batch_id for lease in bench.writer.long_in_hand()] == [1]
    bench.writer.step()
    assert bench.writer.long_in_hand() == []


def test_while_many_refusals_wait_to_be_acted_on_nothing_more_is_written(bench, monkeypatch):
    noted: list[int] = []
    monkeypatch.setattr(module.store, "mark_invalid", noted.extend)
    for n in range(module.MOST_REFUSALS):
        bench.parcel(n, [n], INVALID)
        bench.writer.ring()
        bench.keeper.asked.pop()[1](set())
    bench.parcel(99, [99])
    bench.writer.ring()
    assert not bench.keeper.asked
    bench.writer.step()
    assert noted == list(range(module.MOST_REFUSALS))
    assert bench.keeper.written == [(99, 1, False)]
    bench.parcel(100, [100])
    bench.writer.ring()
    assert len(bench.keeper.asked) == 1
