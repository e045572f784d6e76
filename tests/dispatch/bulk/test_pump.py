"""The pump alone, on a clock of the test's own: everybody has one end, the urgent go first, nothing runs past a bound."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections import Counter, deque
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.line import NOT_TAKEN, OPEN, Letter
from portal.channels.sms.lines.switch import Switch
from portal.channels.sms.provider import ACCEPTED, FAILED, RETRY
from portal.core.clock import utcnow
from portal.dispatch.bulk.parcel import Parcel
from portal.dispatch.bulk.pump import PATIENCE, Pump
from portal.dispatch.lease import Lease
from tests.dispatch.offices import ToldLine

MOST = 12


class Clockwork:
    """As much of an event loop as a pump asks for."""

    def __init__(self) -> None:
        self.now, self._calls, self._serial = 0.0, [], itertools.count()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds, call, *values):
        heapq.heappush(self._calls, (self.now + seconds, next(self._serial), call, values))

    def call_soon(self, call, *values):
        self.call_later(0, call, *values)

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._calls and self._calls[0][0] <= until:
            at, _serial, call, values = heapq.heappop(self._calls)
            self.now = max(self.now, at)
            call(*values)
        self.now = until


class House:
    """A pump with its lines and a writer that keeps what it is told."""

    def __init__(self, *lines: ToldLine) -> None:
        self.loop, self.inbox = Clockwork(), deque()
        self.rows, self.ended, self.parcels = [], [], []
        self.pump = Pump(Switch(lines, self.loop.time), most=MOST, page=3, inbox=self.inbox, ring=lambda: None,
                         hungry=lambda: None, clock=self.loop.time)
        self.pump.open(self.loop, lines)

    def add(self, lane: int, size: int, *, carrier: str = "", seconds: float = 1e6) -> Parcel:
        number = len(self.parcels) + 1
        ids = list(range(number * 1000, number * 1000 + size))
        lease = Lease(number, 1, uuid.uuid4(), uuid.uuid4(), "sms", lane, "440310001001", "zh", 0, utcnow() + timedelta(hours=1),
                      np.array(ids, dtype="<i8"), carrier)
        parcel = Parcel(lease, Letter("暴雨", lease.expires_at), deque(), size, self.loop.now + seconds)
        parcel.queue.extend((parcel, i, 1, f"+86{i}", f"{number}/{i}") for i in ids)
        self.parcels.append(parcel)
        self.pump.add(parcel, [])
        return parcel

    def write(self) -> None:
        n = 0
        while self.inbox:
            parcel = self.inbox.popleft()
            rows, parting = parcel.take(1000)
            self.rows += [(parcel, *row) for row in rows]
            if parting is not None:
                self.ended.append(parcel)
            n += len(rows) + (parting is not None)
        self.pump.written(n)

    def rest(self) -> None:
        for _ in range(200):
            self.loop.run(0.5)
            self.write()


ANSWERS = st.sampled_from([(ACCEPTED, "", "N", False)] * 6 + [(FAILED, "30006", "", False), (RETRY, "timeout", "", True),
                                                             (RETRY, "30001", "", False), (NOT_TAKEN, "20429", "", False)])


@settings(max_examples=40, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=40), st.lists(st.one_of(
    st.tuples(st.just("add"), st.integers(0, 4), st.integers(0, 30)), st.tuples(st.just("run"), st.floats(0, 0.4)),
    st.tuples(st.just("write")), st.tuples(st.just("halt"), st.integers(1, 4))), max_size=25), st.booleans())
def test_everybody_has_one_end_or_is_left_and_the_urgent_go_first(answers, acts, two_lines):
    said = itertools.cycle([*answers, (ACCEPTED, "", "N", False)])
    halted: set[int] = set()
    house: House

    def says(to, ref):
        batch = int(ref.partition("/")[0])
        assert batch not in halted
        assert house.pump.unsettled <= MOST
        mine = house.parcels[batch - 1]
        assert all(mine.order <= other.order for other in house.pump.parcels.values() if other.queue)
        return next(said)

    lines = [ToldLine(says, name=name, most=5, seconds=0.05) for name in ("a", "b")[: 1 + two_lines]]
    house = House(*lines)
    for act in acts:
        if act[0] == "add":
            house.add(act[1], act[2])
        elif act[0] == "run":
            house.loop.run(act[1])
        elif act[0] == "write":
            house.write()
        elif act[1] <= len(house.parcels):
            halted.add(act[1])
            house.pump.halt([act[1]])
    house.rest()
    assert house.pump.waiting == house.pump.in_flight == house.pump.unsettled == 0
    assert not house.pump.parcels
    assert Counter(id(parcel) for parcel in house.ended) == Counter(map(id, house.parcels))
    ends = Counter((row[0].lease.batch_id, row[1]) for row in house.rows)
    assert set(ends.values()) <= {1}
    for parcel in house.parcels:
        reached = {recipient for batch, recipient in ends if batch == parcel.lease.batch_id}
        assert parcel.parting.left == len(parcel.lease.pending) - len(reached)
        assert not reached & set(parcel.parting.unsure)


def test_what_one_carrier_did_not_take_goes_to_the_other_at_once():
    down = ToldLine(lambda to, ref: (NOT_TAKEN, "connection", "", False), name="down")
    well = ToldLine(name="well")
    house = House(down, well)
    house.add(0, 20)
    house.rest()
    assert {row[5] for row in house.rows} == {"well"}
    assert len(house.rows) == 20
    assert house.ended[0].parting.left == 0


def test_what_belongs_to_a_carrier_goes_over_it_and_holds_up_nothing_else():
    slow, other = ToldLine(lambda to, ref: None, name="slow", most=1), ToldLine(name="other")
    house = House(slow, other)
    house.add(0, 5, carrier="slow")
    house.add(3, 5, carrier="other")
    house.rest()
    assert [row[5] for row in house.rows] == ["other"] * 5
    assert len(slow.taken) == 1


def test_a_parcel_is_given_back_with_the_reason_where_no_line_is_up():
    line = ToldLine()
    line.circuit = OPEN
    house = House(line)
    house.add(0, 5)
    house.loop.run(PATIENCE / 2)
    assert not house.inbox
    house.loop.run(PATIENCE)
    house.write()
    assert house.ended[0].parting.left == 5
    assert house.ended[0].parting.error == "down"


def test_nothing_is_begun_of_a_lease_that_may_be_anothers():
    line = ToldLine(most=1, seconds=0.3)
    house = House(line)
    house.add(0, 50, seconds=1.0)
    house.rest()
    assert 1 <= len(line.taken) <= 5
    assert house.ended[0].parting.left == 50 - len(house.rows)


def test_a_process_that_stood_still_begins_nothing_before_it_has_looked():
    line = ToldLine(lambda to, ref: None, most=5)
    house = House(line)
    house.add(0, 50, seconds=20.0)
    house.loop.now += 30.0  # nothing ran meanwhile
    line._says = lambda to, ref: (ACCEPTED, "", "", False)
    for token in list(line._silent):
        line._answer(token, ACCEPTED, "", "", False)
    assert len(line.taken) == 5
    house.rest()
    assert len(line.taken) == 5
    assert house.ended[0].parting.left == 45


def test_the_end_of_the_process_gives_back_what_was_not_begun():
    line = ToldLine(most=2, seconds=0.3)
    house = House(line)
    parcel = house.add(0, 50)
    house.loop.run(0.1)
    house.pump.stop()
    house.rest()
    assert parcel.parting.back
    assert len(line.taken) == 2 == len(house.rows)


def test_a_line_that_fails_in_our_own_code_costs_a_try_and_stops_nothing(caplog):
    broken = iter([True, False])

    class Line(ToldLine):
        def hand_over(self, letter, to, ref, token):
            if next(broken, False):
                raise RuntimeError("a defect")
            super().hand_over(letter, to, ref, token)

    house = House(Line())
    house.add(0, 3)
    house.rest()
    assert len(house.rows) == 2
    assert house.ended[0].parting.left == 1
    assert "a defect" in caplog.text


def test_who_leaves_is_taken_out_of_what_waits():
    line = ToldLine(lambda to, ref: None, most=2)
    house = House(line)
    parcel = house.add(0, 4)
    assert house.pump.next_up(1.0) == [(1, 1002), (1, 1003)]
    house.pump.drop([(1, 1002), (1, 1003), (1, 1000), (9, 1)])
    house.write()
    assert [(row[1], row[2]) for row in house.rows] == [(1002, "opted_out"), (1003, "opted_out")]
    assert parcel.left == 2
    assert len(line.taken) == 2
