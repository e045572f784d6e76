"""What a process says of itself: made from its sending office, kept as JSON, read again by whoever watches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from datetime import datetime
from typing import Any, Protocol

from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING, LineState

#: Kinds of processes.
WORKER, SCHEDULER, RUN, WEB = "worker", "scheduler", "run", "web"
#: Those that send, and those that keep the time.
SENDERS, KEEPERS = (WORKER, RUN), (SCHEDULER, RUN)
#: What a broker may be to a process that asked it.
NONE, UP, DOWN = "", "up", "down"

_COUNTS = ("waiting", "in_flight", "unwritten", "accepted", "failed", "retried", "lost_leases", "keeper_restarts")


class OfficeState(Protocol):
    """What is asked of the office that sends text messages. `lanes`: parcels in hand by lane; `lease_age`: seconds since the
    oldest lease in hand was taken; counts are since the process began. `keeper_restarts`: how often the process that asks the
    database for this one had to be begun anew."""

    @property
    def lanes(self) -> Mapping[int, int]: ...
    @property
    def waiting(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def unwritten(self) -> int: ...
    @property
    def lease_age(self) -> float: ...
    @property
    def accepted(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def retried(self) -> int: ...
    @property
    def lost_leases(self) -> int: ...
    @property
    def keeper_restarts(self) -> int: ...
    @property
    def lines(self) -> Iterable[LineState]: ...


@dataclass(frozen=True)
class Process:
    """A process as it last said of itself. `leading`: it keeps the time for all. `broker`: what the broker
    is to it, for `broker_for` seconds. `keeper_lately`: those of `keeper_restarts` that the journal counts as of late."""

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime
    leading: bool = False
    broker: str = NONE
    broker_for: float = 0.0
    lanes: Mapping[int, int] = member(default_factory=dict)
    waiting: int = 0
    in_flight: int = 0
    unwritten: int = 0
    lease_age: float = 0.0
    accepted: int = 0
    failed: int = 0
    retried: int = 0
    lost_leases: int = 0
    keeper_restarts: int = 0
    keeper_lately: int = 0
    lines: tuple[LineState, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line over all processes that use it. `circuit`: the best of theirs; `shut`: how many of `users` may not use it now;
    `pause`: seconds until the first of them tries again; the others as in LineState, summed or weighed by what each carries."""

    name: str
    kind: str
    circuit: str
    users: int
    shut: int
    in_flight: int
    window: int
    rate: float
    latency: float
    troubles: float
    weight: float
    pause: float
    last_error: str


def of_office(state: OfficeState) -> dict[str, Any]:
    """As JSON."""
    return {
        "lanes": {str(lane): count for lane, count in state.lanes.items()},
        **{name: getattr(state, name) for name in _COUNTS},
        "lease_age": round(state.lease_age, 1),
        "lines": [_line(line) for line in state.lines],
    }


def process(name: str, kind: str, started_at: datetime, seen_at: datetime, state: Mapping[str, Any]) -> Process:
    """Read what :func:`of_office` made; what an older or newer release left out or added is passed over."""
    numbers = {key: state.get(key, 0) for key in (*_COUNTS, "lease_age", "keeper_lately")}
    known = LineState.__dataclass_fields__
    lines = tuple(LineState(**{key: value for key, value in line.items() if key in known}) for line in state.get("lines", ())
                  if known.keys() - line.keys() <= {"last_error"})
    return Process(
        name, kind, started_at, seen_at, leading=bool(state.get("leading")), broker=str(state.get("broker", NONE)),
        broker_for=float(state.get("broker_for", 0)), lines=lines,
        lanes={int(lane): count for lane, count in state.get("lanes", {}).items()}, **numbers)


def lines(processes: Iterable[Process]) -> list[Line]:
    """Each line over these processes, by name."""
    found: dict[str, list[LineState]] = {}
    for one in processes:
        for line in one.lines:
            found.setdefault(line.name, []).append(line)
    return [_together(name, states) for name, states in sorted(found.items())]


def _together(name: str, states: list[LineState]) -> Line:
    carried = [state.rate + 1e-3 for state in states]  # one that carries nothing says little of the carrier
    whole = sum(carried)
    shut = [state for state in states if state.circuit == OPEN]
    circuit = next((c for c in (CLOSED, TRYING) if any(state.circuit == c for state in states)), OPEN)

    def mean(values: Iterable[float]) -> float:
        return sum(value * share for value, share in zip(values, carried, strict=True)) / whole

    return Line(
        name, states[0].kind, circuit, len(states), len(shut), sum(s.in_flight for s in states), sum(s.window for s in states),
        sum(s.rate for s in states), mean(s.latency for s in states), mean(s.troubles for s in states),
        mean(s.weight for s in states), min((s.pause for s in states if s.pause > 0), default=0.0),
        next((s.last_error for s in [*shut, *states] if s.last_error), ""))


def _line(line: LineState) -> dict[str, Any]:
    return {
        "name": line.name, "kind": line.kind, "circuit": line.circuit, "in_flight": line.in_flight, "window": line.window,
        "rate": round(line.rate, 2), "latency": round(line.latency, 4), "troubles": round(line.troubles, 4),
        "weight": round(line.weight, 4), "pause": round(line.pause, 1), "last_error": line.last_error[:40],
    }
