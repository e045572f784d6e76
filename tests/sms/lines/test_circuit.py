"""A line that answers nothing but errors is left alone, tried one by one, and used again at the first good answer."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.circuit import LONGEST_PAUSE, LONGEST_RUN, REFUSED_PAUSE, RUN, SPAN, Circuit
from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING


def opened(seed: int = 1) -> Circuit:
    circuit = Circuit(random.Random(seed))
    for n in range(RUN):
        circuit.trouble(0.9 + SPAN * n, 0.9 + SPAN * n)
    assert circuit.state == OPEN
    return circuit


def test_a_run_of_errors_opens_it_and_errors_between_good_answers_do_not() -> None:
    circuit = Circuit()
    for n in range(10 * RUN):
        assert not circuit.trouble(n, n)
        if n % (RUN - 1) == 0:
            circuit.well(n)
    assert circuit.state == CLOSED
    assert [circuit.trouble(n, n) for n in range(500, 500 + RUN)].count(True) == 1
    assert circuit.state == OPEN


def test_connections_that_break_at_the_same_moment_do_not_open_it_unless_they_are_very_many() -> None:
    circuit = Circuit()
    assert not any(circuit.trouble(5.0, 5.0) for _ in range(LONGEST_RUN - 1))
    assert circuit.state == CLOSED
    assert circuit.trouble(5.0, 5.0)


def test_when_it_is_open_nothing_begins_until_the_pause_is_over_and_then_one() -> None:
    circuit = opened()
    assert circuit.room(circuit.until - 0.001, 100) == 0
    assert circuit.room(circuit.until, 100) == 1
    assert circuit.state == TRYING
    circuit.begun()
    assert circuit.room(circuit.until + 1, 100) == 0
    circuit.well(circuit.until)
    assert circuit.state == CLOSED
    assert circuit.room(circuit.until + 1, 100) == 100


def test_what_was_in_flight_when_it_opened_says_nothing_new() -> None:
    circuit = opened()
    until = circuit.until
    assert not any(circuit.trouble(until - 0.1, 0.9) for _ in range(100))
    circuit.well(0.9)
    assert circuit.state == OPEN
    assert circuit.until == until


def test_each_vain_probe_makes_the_pause_longer_up_to_ten_seconds() -> None:
    circuit, pauses = opened(), []
    for _ in range(12):
        now = circuit.until
        assert circuit.room(now, 5) == 1
        circuit.begun()
        assert not circuit.trouble(now, now), "which is no news"
        assert circuit.state == OPEN
        pauses.append(circuit.until - now)
    assert all(later > 1.1 * earlier for earlier, later in pairwise(pauses[:3]))
    assert 0.75 * LONGEST_PAUSE <= pauses[-1] <= 1.25 * LONGEST_PAUSE


def test_a_refused_account_opens_it_at_once_for_longer_and_is_told_once() -> None:
    circuit = Circuit(random.Random(3))
    assert [circuit.refused(10.0) for _ in range(5)] == [True, False, False, False, False]
    assert circuit.until - 10 >= 0.75 * REFUSED_PAUSE


def test_many_processes_do_not_knock_at_the_same_moment() -> None:
    assert len({round(opened(seed).until, 4) for seed in range(50)}) > 40


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["trouble", "well", "refused", "begin"]), st.floats(0, 20), st.floats(0, 5)), max_size=120
    )
)
def test_whatever_comes_it_lets_messages_through_again_after_the_longest_pause(steps: list[tuple[str, float, float]]) -> None:
    circuit, now = Circuit(random.Random(1)), 0.0
    in_flight: list[float] = []
    for what, wait, _took in steps:
        now += wait
        if what == "begin":
            if circuit.room(now, 10):
                circuit.begun()
                in_flight.append(now)
            continue
        began = in_flight.pop() if in_flight else now
        if what == "trouble":
            circuit.trouble(now, began)
        elif what == "refused":
            circuit.refused(now)
        else:
            circuit.well(began)
    if circuit.state == OPEN:
        assert circuit.until - now <= 1.25 * LONGEST_PAUSE
        assert circuit.room(circuit.until, 10) == 1
