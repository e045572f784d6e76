"""Shares follow the weights, fall with errors and slowness, drift back; who was told over a line is told over it again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING, LineState
from portal.channels.sms.lines.switch import LOOK, Switch


class FakeLine:
    kind, by_number = "fake", False

    def __init__(self, name: str, weight: float = 1.0) -> None:
        self.name, self.weight = name, weight
        self.free = 1 << 20
        self.said = LineState(name, "fake", CLOSED, 0, 100, 0.0, 0.05, 0.0, weight, 0.0)

    def room(self) -> int:
        return self.free

    def state(self) -> LineState:
        return self.said

    def is_(self, **changes: Any) -> None:
        self.said = replace(self.said, **changes)

    def open(self, *_: Any) -> None: ...

    def hand_over(self, *_: Any) -> None: ...

    async def close(self, seconds: float) -> None: ...


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(*weights: float) -> tuple[Switch, list[FakeLine], Clock]:
    clock = Clock()
    lines = [FakeLine(f"line-{n}", weight) for n, weight in enumerate(weights)]
    return Switch(lines, clock), lines, clock


def split(switch: Switch, count: int) -> Counter[str]:
    return Counter(line.name for _ in range(count) if (line := switch.pick("")))


@settings(max_examples=40)
@given(weights=st.lists(st.floats(0.1, 50), min_size=2, max_size=6))
def test_shares_follow_the_weights_evenly_from_the_first_message_on(weights: list[float]) -> None:
    for part in (1, 10, 200):
        switch, _lines, _clock = make(*weights)
        got = split(switch, part)
        for n, weight in enumerate(weights):
            assert abs(got[f"line-{n}"] - part * weight / sum(weights)) <= len(weights)


def test_a_line_without_room_is_passed_over_and_none_is_picked_where_none_has_room() -> None:
    switch, lines, _clock = make(1, 1)
    lines[0].free = 0
    assert split(switch, 50) == {"line-1": 50}
    lines[1].free = 0
    assert switch.pick("") is None
    alone, only, _clock = make(1)
    only[0].free = 0
    assert alone.pick("line-0") is None
    only[0].free = 1
    assert alone.pick("another") is only[0]


def test_who_was_told_over_a_line_is_told_over_it_as_long_as_it_is_up() -> None:
    switch, lines, clock = make(1, 1)
    assert {switch.pick("line-1").name for _ in range(20)} == {"line-1"}  # type: ignore[union-attr]
    lines[1].free = 0
    assert switch.pick("line-1") is None, "it is waited for"
    lines[1].is_(circuit=OPEN)
    clock.now += LOOK
    assert switch.pick("line-1").name == "line-0"  # type: ignore[union-attr]
    lines[1].is_(circuit=TRYING)
    clock.now += LOOK
    assert switch.pick("line-1").name == "line-0", "one message tries it, and the others do not wait for that"  # type: ignore[union-attr]
    lines[1].free = 1
    assert switch.pick("line-1").name == "line-1"  # type: ignore[union-attr]
    assert switch.pick("gone from the settings").name == "line-0"  # type: ignore[union-attr]


def test_a_line_that_asks_for_a_long_pause_is_not_waited_for() -> None:
    switch, lines, clock = make(1, 1)
    lines[1].is_(pause=30.0)
    lines[1].free = 0
    clock.now += LOOK
    assert switch.pick("line-1").name == "line-0"  # type: ignore[union-attr]


def test_errors_and_slowness_take_a_line_weight_at_once_and_it_drifts_back_when_they_end() -> None:
    switch, lines, clock = make(1, 1)
    for trouble in ({"troubles": 0.5}, {"latency": 3.0}):
        lines[0].is_(**trouble)
        clock.now += LOOK
        assert switch.shares()["line-0"] < 0.25
        assert split(switch, 100)["line-0"] < 30
        lines[0].is_(troubles=0.0, latency=0.05)
        shares = []
        for _ in range(60):
            clock.now += LOOK
            shares.append(switch.shares()["line-0"])
        assert shares == sorted(shares)
        assert shares[1] < 0.35, "little by little"
        assert shares[-1] > 0.48


def test_a_line_keeps_a_little_of_its_share_however_badly_it_does() -> None:
    switch, lines, clock = make(1, 1)
    lines[0].is_(troubles=1.0, latency=100.0)
    clock.now += LOOK
    assert 0 < switch.shares()["line-0"] < 0.05


@settings(max_examples=10)
@given(data=st.data(), weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=4))
def test_whatever_happens_to_lines_one_with_room_is_found_and_only_such(data: st.DataObject, weights: list[float]) -> None:
    switch, lines, clock = make(*weights)
    names = [line.name for line in lines]
    for _ in range(20):
        line = data.draw(st.sampled_from(lines))
        line.free = data.draw(st.integers(0, 2))
        line.is_(
            troubles=data.draw(st.floats(0, 1)),
            latency=data.draw(st.floats(0, 60)),
            circuit=data.draw(st.sampled_from([CLOSED, OPEN])),
        )
        clock.now += data.draw(st.floats(0, 2))
        picked = switch.pick(data.draw(st.sampled_from(["", *names])))
        assert picked is None or picked.room() > 0
        assert (switch.pick("") is None) == all(not line.free for line in lines)
