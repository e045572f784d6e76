"""The window grows while the carrier bears it, shrinks when it does not, and stays within its bounds whatever comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.window import CALM, START, Window

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("answers"), st.integers(0, 500), st.floats(0.0001, 30), st.booleans()),
        st.tuples(st.just("trouble"), st.floats(0, 30)),
    ),
    max_size=80,
)


@settings(max_examples=40)
@given(most=st.integers(1, 4000), events=EVENTS)
def test_whatever_comes_at_least_one_may_be_in_flight_and_never_more_than_the_settings_allow(
    most: int, events: list[tuple[object, ...]]
) -> None:
    window, now = Window(most), 0.0
    for event in events:
        now += 0.1
        if event[0] == "answers":
            window.learn(now, event[1], event[2], event[3])  # type: ignore[arg-type]
        else:
            window.too_many(now, now - event[1])  # type: ignore[operator]
        assert 1 <= window.size <= most


def rounds(window: Window, now: float, count: int, latency: float) -> float:
    for _ in range(count):
        now += latency
        window.learn(now, window.size, latency, True)
    return now


def test_it_doubles_until_it_is_as_large_as_it_may_be() -> None:
    window = Window(800)
    assert window.size == START
    rounds(window, 0.0, 6, 0.05)
    assert window.size == 800


def test_who_does_not_use_it_does_not_make_it_larger() -> None:
    window = Window(800)
    for n in range(50):
        window.learn(n * 0.05, 10, 0.05, False)
    assert window.size == START


def test_refusals_of_what_was_in_flight_together_make_it_smaller_once_and_it_grows_slowly_from_there() -> None:
    window = Window(800)
    now = rounds(window, 0.0, 8, 0.05)
    for _ in range(500):
        window.too_many(now + CALM, now)
    assert window.size == 560
    rounds(window, now + CALM, 1, 0.05)
    assert 560 < window.size <= 616


def test_answers_that_take_ever_longer_make_it_smaller_and_later_the_new_slowness_counts_as_normal() -> None:
    window = Window(400)
    now = rounds(window, 0.0, 40, 0.05)
    assert window.size == 400
    now = rounds(window, now, 20, 2.0)
    assert window.size < 200
    small = window.size
    rounds(window, now, 60, 2.0)
    assert window.size > small


def test_milliseconds_more_are_our_own_doing_and_change_nothing() -> None:
    window = Window(400)
    now = rounds(window, 0.0, 30, 0.001)
    rounds(window, now, 30, 0.02)
    assert window.size == 400


def test_a_steady_one_stays_as_it_is() -> None:
    window = Window(300, steady=True)
    window.too_many(1.0, 1.0)
    assert window.size == 300


def test_a_carrier_that_grew_slower_without_our_doing_keeps_most_of_the_window() -> None:
    window = Window(800)
    now = rounds(window, 0.0, 40, 0.05)
    rounds(window, now, 30, 0.6)
    assert window.size > 400


def test_after_one_trouble_the_whole_window_is_back_within_seconds() -> None:
    window = Window(800)
    window.too_many(1.0, 1.0)
    rounds(window, 1.0, 40, 0.05)
    assert window.size == 800
