"""Whatever is asked when, no more begins than the rate allows; and what the carrier refuses is learned from."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms.lines.pace import BURST, NO_LIMIT, SLOWEST, Pace

RATES = st.floats(0.5, 5000)
STEPS = st.lists(st.floats(0, 0.4), min_size=1, max_size=60)


@settings(max_examples=40)
@given(rate=RATES, steps=STEPS, cost=st.integers(1, 10))
def test_over_any_time_no_more_begins_than_the_rate_allows_one_burst_and_one_message_more(
    rate: float, steps: list[float], cost: int
) -> None:
    pace, now, begun = Pace(rate), 100.0, [(100.0, 0.0)]
    for step in steps:
        now += step
        for _ in range(min(pace.room(now), 3000)):
            pace.take(cost)
            begun.append((now, begun[-1][1] + cost))
    for start, before in begun[:: max(1, len(begun) // 20)]:
        most = rate * (now - start) + max(1.0, rate * BURST) * cost + cost  # before it knows what one costs
        assert begun[-1][1] - before <= most + 1e-6


@settings(max_examples=40)
@given(rate=RATES, cost=st.integers(1, 10))
def test_whoever_waits_as_long_as_told_may_begin_and_none_starves(rate: float, cost: int) -> None:
    pace, now = Pace(rate), 5.0
    begun = 0
    for _ in range(200):
        if room := pace.room(now):
            pace.take(cost)
            begun += 1
            assert room >= 1
        else:
            wait = pace.wait(now)
            assert 0 < wait <= (cost + 1) / rate + 1e-6
            now += wait + 1e-9
    assert begun >= 90, "each second look finds room at least"


def test_without_a_limit_there_is_always_room_and_no_wait() -> None:
    pace = Pace()
    pace.take(10)
    assert pace.room(1.0) == NO_LIMIT
    assert pace.wait(1.0) == 0


@settings(max_examples=30)
@given(rate=st.sampled_from([0.0, 3.0, 400.0]), refusals=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 20_000)), max_size=30))
def test_each_refusal_makes_it_slower_never_slower_than_the_slowest_nor_faster_than_the_settings(
    rate: float, refusals: list[tuple[float, float]]
) -> None:
    pace, now = Pace(rate), 1.0
    for wait, speed in refusals:
        now += wait
        pace.room(now)
        before = pace.limit
        pace.too_many(now, speed)
        assert not before or pace.limit <= max(SLOWEST, before)
        assert pace.limit >= min(SLOWEST, rate or SLOWEST)
        assert not rate or pace.limit <= rate


def sent_in(pace: Pace, start: float, seconds: float, carrier: float) -> tuple[int, int]:
    """Messages that a carrier takes which bears `carrier` a second, and how many it refuses."""
    taken = refused = 0
    allowance, last, now = 1.0, start, start
    while now < start + seconds:
        allowance = min(max(1.0, carrier / 10), allowance + (now - last) * carrier)
        last = now
        for _ in range(min(pace.room(now), 50)):
            pace.take(1)
            if allowance >= 1:
                allowance -= 1
                taken += 1
            else:
                refused += 1
                pace.too_many(now, carrier)
                break
        now += 0.005
    return taken, refused


def test_a_carrier_that_bears_forty_a_second_gets_nearly_forty_and_refuses_few() -> None:
    taken, refused = sent_in(Pace(), 10.0, 60.0, 40.0)
    assert taken > 0.75 * 40 * 60
    assert refused < 0.02 * taken


def test_after_a_storm_of_refusals_it_is_fast_again_within_half_a_minute() -> None:
    pace, now = Pace(), 50.0
    for _ in range(60):
        pace.too_many(now, 0.0)
        now += 1.0
    assert pace.limit < 2
    end = now + 30
    while now < end:
        now += 0.05
        pace.room(now)
    assert pace.limit == 0 or pace.limit > 10_000
