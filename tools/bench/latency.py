"""A gateway that takes 50 ms for each message: how near a worker comes to what its window allows, over TLS too; and how workers
add up where each is held to a pace."""

from __future__ import annotations

from pathlib import Path

from tools.bench import gateways
from tools.bench.gateways import Gateway
from tools.bench.handover import hand_over
from tools.bench.rig import Rig
from tools.bench.rows import AT_LEAST, Row, compared

DELAY = 0.05
#: Window, and per cent of the people that are told: enough for some seconds.
WINDOWS = ((100, 1), (800, 10))
WINDOW = 800
TLS_BOUND = 0.75  # "within 25 % of plain"
PACE = 1500.0  # messages a second of each worker
STEADY = (0.15, 0.95)  # the part of a run in which the window is open and no batch is the last


def measure(rig: Rig, folder: Path) -> list[Row]:
    rows, plain = list[Row](), 0.0
    with gateways.slow(folder, delay=DELAY, safe=True) as gateway:
        for window, share in WINDOWS:
            steady, whole, note = _run(rig, gateway, gateway.url, window, share)
            rows.append(compared(f"gateway answering after 50 ms, {window} in flight", steady, "/s", "in flight ÷ 0.05 s",
                                 window / DELAY, AT_LEAST, 0.9, f"once the window is open; first to last {whole:,.0f}/s; {note}"))
            plain = steady
        safe, whole, note = _run(rig, gateway, gateway.safe_url, WINDOW, WINDOWS[-1][1], authority=gateway.authority)
        rows.append(compared(f"the same over TLS, {WINDOW} in flight", safe, "/s", "plain", plain, AT_LEAST, TLS_BOUND,
                             f"first to last {whole:,.0f}/s; {note}"))
    return rows


def _run(rig: Rig, gateway: Gateway, url: str, window: int, share: int, authority: str = "") -> tuple[float, float, str]:
    """Messages a second at the gateway in the steady part, from first to last, and what the gateway saw."""
    with rig.workers(1, url, authority=authority, max_in_flight=window) as workers:
        timed = hand_over(rig, gateway, workers, share)
        state = gateway.state()
    between = state["area"] / max(1e-9, state["last_at"] - state["first_at"])
    steady = gateways.rate_between(state, *STEADY, timed.sent.accepted) or timed.sent.rate  # of few there is no steady part
    return steady, timed.sent.rate, f"{between:,.0f} in flight on average, {state['peak']:,} at most"


def scaling(rig: Rig, folder: Path) -> list[Row]:
    """1, 2 and 4 workers, each held to the same pace."""
    rates: dict[int, float] = {}
    with gateways.slow(folder, delay=DELAY) as gateway:
        for many in (1, 2, 4):
            with rig.workers(many, gateway.url, sms_rate=PACE, batch_size=250) as workers:
                timed = hand_over(rig, gateway, workers, many)
                rates[many] = gateways.rate_between(gateway.state(), *STEADY, timed.sent.accepted) or timed.sent.rate
    return [
        compared(f"{many} worker processes, 50 ms gateway, each held to {PACE:,.0f}/s", rates[many], "/s", "1 worker process",
                 rates[1], AT_LEAST, bound, f"{rig.many(many):,} messages")
        for many, bound in ((2, 1.9), (4, 3.6))
    ]
