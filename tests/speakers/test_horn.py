"""What a horn does with orders, in whatever order, number and company they arrive."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.speakers.bridge import STOP, TEST, Command
from portal.channels.speakers.horn import MAX_WAITING, Horn, Play, Say, Silence
from portal.channels.speakers.memory import MAX_REMEMBERED, Memory, MemoryFile
from portal.channels.speakers.protocol import CLOCK_SKEW, encode, number_at
from portal.core.clock import utcnow
from tests.speakers.conftest import KEY, STRANGER
from tests.speakers.conftest import order as order_at

SECOND = timedelta(seconds=1)
BASE = utcnow()


def order(**overrides: object) -> Command:
    return order_at(BASE, **overrides)


class Bench:
    """A horn on a table: what it plays and says is written down; time is ours."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.now = BASE
        self.number = number_at(self.now)
        self.horn = Horn("horn-1", KEY.public_key(), memory or Memory(), self.now)
        self.said: list[tuple[str, str, str]] = []
        self.played: list[str] = []
        self.sounding: Play | None = None

    def wire(self, command: Command, *, address: str = "horn-1", key=KEY) -> bytes:
        self.number += 1
        return encode(command, self.number, address, key)

    def give(self, *commands: Command) -> None:
        for command in commands:
            self.feed(self.wire(command))

    def feed(self, payload: bytes) -> None:
        self._do(self.horn.receive(payload, self.now))

    def finish(self, code: str = "") -> None:
        assert self.sounding is not None
        token, self.sounding = self.sounding.token, None
        self._do(self.horn.ended(token, code, self.now))

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._do(self.horn.tick(self.now))

    def reboot(self) -> None:
        self.horn = Horn("horn-1", KEY.public_key(), Memory.from_json(self.horn.memory.to_json()), self.now)
        self.sounding = None
        self.wait(0)

    def _do(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, Say):
                self.said.append((effect.answer.command_id, effect.answer.status, effect.answer.code))
            elif isinstance(effect, Silence):
                assert self.sounding is not None, "told to stop while nothing sounds"
                self.sounding = None
            else:
                assert self.sounding is None, "two at once"
                self.sounding = effect
                self.played.append(effect.command.id)

    def words(self, command: Command) -> list[str]:
        return [status for id_, status, _ in self.said if id_ == command.id]

    def last(self) -> tuple[str, str]:
        return self.said[-1][1:]


def test_an_order_is_heard_played_and_finished() -> None:
    bench, a = Bench(), order()
    bench.give(a)
    bench.finish()
    assert bench.words(a) == ["heard", "playing", "finished"]


def test_a_player_that_fails_is_reported_with_its_reason() -> None:
    bench = Bench()
    bench.give(order())
    bench.finish("amplifier")
    assert bench.last() == ("failed", "amplifier")


def test_a_repetition_is_answered_again_and_obeyed_once() -> None:
    bench, a = Bench(), order()
    bench.give(a, a)
    bench.finish()
    bench.give(a)
    assert bench.played == [a.id]
    assert bench.words(a) == ["heard", "playing", "heard", "playing", "finished", "heard", "finished"]


def test_a_command_for_another_device_is_refused() -> None:
    bench = Bench()
    bench.feed(bench.wire(order(), address="horn-2"))
    assert (bench.last(), bench.played) == (("refused", "address"), [])


def test_a_strangers_command_is_refused_and_its_id_not_believed() -> None:
    bench = Bench()
    bench.feed(bench.wire(order(), key=STRANGER))
    assert bench.said == [("", "refused", "signature")]
    assert bench.horn.refused == 1


def test_a_command_that_comes_late_is_dropped() -> None:
    bench = Bench()
    payload = bench.wire(order(lasts=5))
    bench.now += 6 * SECOND
    bench.feed(payload)
    assert (bench.last(), bench.played) == (("expired", "late"), [])


def test_a_command_from_the_future_is_refused() -> None:
    bench = Bench()
    ahead = bench.now + CLOCK_SKEW + SECOND
    bench.give(order(issued_at=ahead, start_at=ahead, expires_at=ahead + 60 * SECOND))
    assert bench.last() == ("refused", "clock")


def test_a_captured_command_is_refused_after_a_restart_too() -> None:
    bench, a = Bench(), order()
    captured = bench.wire(a)
    bench.feed(captured)
    bench.finish()
    bench.reboot()
    bench.feed(captured)
    assert bench.played == [a.id]


def test_what_is_forgotten_stays_refused() -> None:
    bench = Bench()
    first = bench.wire(order())
    bench.feed(first)
    bench.finish()
    for _ in range(MAX_REMEMBERED + 1):
        bench.give(order(action=STOP, stops=("nobody",)))
    before = list(bench.played)
    bench.feed(first)
    assert (bench.last(), bench.played) == (("refused", "old"), before)
    assert len(bench.horn.memory.taken) <= MAX_REMEMBERED


def test_a_horn_without_a_memory_refuses_what_was_sent_before_it_woke(tmp_path: Path) -> None:
    old = Bench()
    old.now -= timedelta(minutes=10)
    old.number = number_at(old.now)
    captured = old.wire(order(issued_at=old.now, lasts=3600))
    for content in (None, "{broken", "[]"):
        path = tmp_path / f"state-{content}.json"
        if content:
            path.write_text(content)
        bench = Bench(MemoryFile(path).load(BASE))
        bench.feed(captured)
        assert bench.last() == ("refused", "old")
        bench.give(order())
        assert bench.sounding is not None, "a fresh command is obeyed all the same"


def test_a_clock_that_lost_its_battery_does_not_revive_what_expired() -> None:
    bench, a = Bench(), order(lasts=5)
    captured = bench.wire(a)
    bench.now += 60 * SECOND
    bench.give(order(action=STOP, stops=("nobody",), issued_at=bench.now, lasts=600))
    bench.now = datetime(1970, 1, 2, tzinfo=bench.now.tzinfo)
    bench.reboot()
    bench.feed(captured)
    assert (bench.last(), bench.played) == (("expired", "late"), [])


def test_red_cuts_blue_off_and_blue_is_played_again() -> None:
    bench, blue, red = Bench(), order(tier="blue"), order(tier="red")
    bench.give(blue, red)
    assert bench.played == [blue.id, red.id]
    bench.finish()
    bench.finish()
    assert bench.played == [blue.id, red.id, blue.id]
    assert bench.words(blue) == ["heard", "playing", "preempted", "playing", "finished"]


def test_blue_waits_for_red() -> None:
    bench, blue, red = Bench(), order(tier="blue"), order(tier="red")
    bench.give(red, blue)
    bench.finish()
    assert bench.played == [red.id, blue.id]


def test_a_drill_of_any_tier_does_not_cut_off_a_real_warning_of_any_tier() -> None:
    bench, real, drill = Bench(), order(tier="blue"), order(tier="red", exercise=True)
    bench.give(real, drill)
    bench.finish()
    assert bench.played == [real.id, drill.id]
    assert "preempted" not in bench.words(real)


def test_a_real_warning_ends_an_exercise_of_its_tier() -> None:
    bench, drill, real = Bench(), order(exercise=True), order()
    bench.give(drill, real)
    bench.finish()
    assert bench.played == [drill.id, real.id]
    assert bench.words(drill)[-1] == "preempted"


def test_equals_do_not_cut_each_other_off_and_the_earlier_start_comes_first() -> None:
    bench, a = Bench(), order()
    late, early = order(start_at=bench.now - SECOND), order(start_at=bench.now - 2 * SECOND)
    bench.give(a, late, early)
    bench.finish()
    bench.finish()
    assert bench.played == [a.id, early.id, late.id]


def test_a_test_gives_way_to_everything() -> None:
    bench, trial, white = Bench(), order(action=TEST), order(tier="white")
    bench.give(trial, white)
    assert bench.sounding.command.id == white.id


def test_what_was_cut_off_is_not_resumed_after_its_expiry() -> None:
    bench, blue, red = Bench(), order(tier="blue", lasts=5), order()
    bench.give(blue, red)
    bench.wait(6)
    bench.finish()
    assert (bench.played, bench.words(blue)[-1]) == ([blue.id, red.id], "expired")


def test_playing_ends_at_expiry() -> None:
    bench, a = Bench(), order(lasts=5)
    bench.give(a)
    assert bench.horn.next_due(bench.now) == a.expires_at
    bench.wait(5)
    assert (bench.sounding, bench.last()) == (None, ("expired", ""))


def test_an_order_waits_for_its_start() -> None:
    bench = Bench()
    a = order(start_at=bench.now + 3 * SECOND)
    bench.give(a)
    assert (bench.played, bench.words(a)) == ([], ["heard"])
    bench.wait(3)
    assert bench.played == [a.id]


def test_a_stop_ends_what_it_names_and_nothing_else() -> None:
    bench, a, b = Bench(), order(), order()
    bench.give(a, b, order(action=STOP, stops=(a.id,)))
    assert bench.words(a)[-1] == "stopped"
    assert bench.sounding.command.id == b.id


def test_a_stop_that_overtakes_its_start_still_stops_it() -> None:
    bench, a = Bench(), order()
    start = bench.wire(a)
    bench.give(order(action=STOP, stops=(a.id,)))
    bench.reboot()
    bench.feed(start)
    bench.give(a)  # a worker that had not heard of the stop repeats it, with a newer number
    assert (bench.played, bench.words(a)) == ([], ["heard", "stopped", "heard", "stopped"])


def test_a_stop_without_names_ends_everything_ordered_before_it() -> None:
    bench, a, b = Bench(), order(), order(tier="blue")
    late = order()
    bench.now += SECOND
    bench.give(a, b, order(action=STOP, issued_at=bench.now), late)
    assert (bench.sounding, bench.words(a)[-1], bench.words(b)[-1], bench.words(late)[-1]) == (None, *["stopped"] * 3)
    after = order(issued_at=bench.now + SECOND)
    bench.give(after)
    assert bench.sounding.command.id == after.id


def test_the_end_of_an_exercise_does_not_silence_a_real_warning() -> None:
    bench, real = Bench(), order()
    bench.now += SECOND
    bench.give(real, order(action=STOP, exercise=True, issued_at=bench.now))
    assert bench.sounding.command.id == real.id


def test_an_update_ends_what_it_replaces_when_it_begins() -> None:
    bench, a = Bench(), order()
    update = order(stops=(a.id,), tier="blue", start_at=bench.now + 5 * SECOND)
    bench.give(a, update)
    assert bench.sounding.command.id == a.id
    bench.wait(5)
    assert bench.sounding.command.id == update.id
    assert bench.words(a)[-1] == "stopped"


def test_the_queue_is_bounded_and_the_lowest_gives_way() -> None:
    bench = Bench()
    bench.give(order(), *(order(tier="yellow") for _ in range(MAX_WAITING)))
    low, high = order(tier="blue"), order(tier="orange")
    bench.give(low)
    assert bench.last() == ("refused", "busy")
    bench.give(high)
    assert bench.words(high) == ["heard"]
    assert Counter(status for _, status, _ in bench.said)["failed"] == 1
    bench.finish()
    bench.give(low)
    assert bench.words(low) == ["refused", "heard"], "a busy horn obeys when it is asked again"


def test_a_power_cut_in_the_middle_does_not_silence_the_warning() -> None:
    bench, a = Bench(), order()
    bench.give(a)
    bench.reboot()
    assert bench.played == [a.id, a.id]
    for _ in range(5):
        bench.reboot()
    assert bench.last() == ("failed", "restarts"), "but what brings it down every time is given up"


def test_an_end_that_comes_after_the_next_has_begun_is_not_mistaken_for_its_own() -> None:
    bench, blue, red = Bench(), order(tier="blue"), order()
    bench.give(blue)
    token = bench.sounding.token
    bench.give(red)
    bench._do(bench.horn.ended(token, "", bench.now))
    assert (bench.sounding.command.id, bench.words(red)) == (red.id, ["heard", "playing"])


def test_the_memory_survives_the_disk(tmp_path: Path) -> None:
    bench = Bench()
    bench.give(order(), order(action=STOP, stops=("x",)), order(action=STOP))
    file = MemoryFile(tmp_path / "deep" / "state.json")
    file.save(bench.horn.memory)
    assert file.load(BASE) == replace(bench.horn.memory, dirty=False)


ACTS = ("give", "replay", "finish", "fail", "wait", "reboot")
STREAM = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(ACTS)), max_size=40)
TIERS_OF_SIX = st.lists(st.sampled_from(("blue", "red")), min_size=6, max_size=6)


@settings(max_examples=150, deadline=None)
@given(STREAM, TIERS_OF_SIX, st.lists(st.booleans(), min_size=6, max_size=6))
def test_any_order_and_any_doubling_obeys_each_at_most_once(stream: list, tiers: list, drills: list) -> None:
    bench = Bench()
    commands = [order(id=f"c{i}", tier=tiers[i], exercise=drills[i], lasts=30 + i) for i in range(5)]
    commands.append(order(id="c5", action=STOP, stops=("c0", "c3")))
    captured: list[bytes] = []
    for which, act in stream:
        if act == "give":
            captured.append(bench.wire(commands[which]))
            bench.feed(captured[-1])
        elif act == "replay" and captured:
            bench.feed(captured[which % len(captured)])
        elif act in ("finish", "fail") and bench.sounding:
            bench.finish("x" if act == "fail" else "")
        elif act == "wait":
            bench.wait(7)
        elif act == "reboot":
            bench.reboot()
        if bench.sounding:
            assert bench.sounding.command.expires_at > bench.now, "sounds after its expiry"
    plays = Counter(bench.played)
    reboots = sum(1 for _, act in stream if act == "reboot")
    for command in commands:
        # It begins once, and again only after it was cut off by a higher one or by a restart.
        cut = sum(1 for i, s, _ in bench.said if (i, s) == (command.id, "preempted"))
        assert plays[command.id] <= 1 + cut + reboots
    if ("c5", "finished", "") in bench.said:
        afterwards = bench.said[bench.said.index(("c5", "finished", "")):]
        assert not {("c0", "playing", ""), ("c3", "playing", "")} & set(afterwards), "sounds although it was stopped"


@given(st.permutations(list(range(4))), st.lists(st.integers(0, 3), max_size=6))
def test_without_restarts_and_cuts_every_permutation_plays_each_once(arrival: list, doubles: list) -> None:
    bench = Bench()
    wires = [bench.wire(order(id=f"c{i}")) for i in range(4)]
    for i in [*arrival, *doubles]:
        bench.feed(wires[i])
    while bench.sounding:
        bench.finish()
    for i in doubles:
        bench.feed(wires[i])
    assert sorted(bench.played) == ["c0", "c1", "c2", "c3"]
    assert bench.played[0] == f"c{arrival[0]}"


@pytest.mark.parametrize("tone", ["attention", "none"])
def test_the_wish_for_a_tone_reaches_the_player(tone: str) -> None:
    bench = Bench()
    bench.give(order(tone=tone))
    assert bench.sounding.command.tone == tone
