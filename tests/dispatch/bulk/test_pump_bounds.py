"""What a line of ours does wrong, and what comes too late, ends in the pump."""

from __future__ import annotations

import pytest

from portal.channels.sms.lines.line import Letter
from portal.core.clock import utcnow
from portal.dispatch.bulk.pump import SILENCE
from tests.dispatch.bulk.test_pump import House
from tests.dispatch.offices import ToldLine


def test_what_a_line_never_answers_is_let_go_of_as_perhaps_sent():
    line = ToldLine(lambda to, ref: None, most=2)
    house = House(line)
    parcel = house.add(0, 2)
    house.loop.run(SILENCE / 2)
    assert house.pump.parcels
    house.loop.run(SILENCE)
    house.write()
    assert house.ended == [parcel]
    assert (parcel.parting.left, set(parcel.parting.unsure), parcel.parting.error) == (2, {1000, 1001}, "silent")
    for token in line._silent:  # it speaks after all
        line._answer(token, "accepted", "", "", False)
    house.rest()
    assert not house.rows
    assert house.pump.in_flight == house.pump.unsettled == parcel.in_flight == 0


def test_nothing_is_begun_of_what_expired_while_it_was_opened():
    line = ToldLine()
    house = House(line)
    house.pump._clock = lambda: house.loop.now
    late = house.add(0, 0)
    late.letter, late.parting, late.left = Letter("暴雨", utcnow()), None, 1
    late.queue.append((late, 1000, 1, "+861000", "1/1000"))
    house.pump.add(late, [])
    assert not line.taken
    assert late.parting.left == 1


def test_what_is_over_hides_nothing_that_has_its_number():
    house = House(ToldLine(lambda to, ref: None, most=1))
    old, new = house.add(0, 1), house.add(0, 1)
    house.pump.parcels = {1: new}  # leased anew while an answer to the first lease was awaited
    old.in_flight = 0
    house.pump._end(old)
    assert house.pump.parcels == {1: new}


@pytest.mark.parametrize("fault", ["takes back", "raises"])
def test_a_line_that_does_not_know_its_room_stops_the_pump_for_a_moment_only(fault):
    says = iter([3, 0] if fault == "takes back" else [3, None])

    class Line(ToldLine):
        def room(self):
            said = next(says, 5)
            if said is None:
                raise RuntimeError("a defect")
            return said

    house = House(line := Line())
    try:
        house.add(0, 2)
    except RuntimeError:
        assert fault == "raises"
    assert not line.taken
    house.rest()
    assert len(house.rows) == 2
