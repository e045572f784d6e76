"""Progress as pages show it: bars with numbers, drills and real rounds on sheets of their own, the late ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portal.shelters.models import ARRIVED, CONTACTED, ON_THE_WAY, REFUSED, TRANSFER_STATES, UNREACHABLE, WAITING
from portal.shelters.transfers.store import Progress

#: From what is done to what is not: the order in the bar. All states, or somebody would be lost from sight.
ORDER = (ARRIVED, ON_THE_WAY, CONTACTED, WAITING, UNREACHABLE, REFUSED)



@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar: `x` and `width` in thousandths."""

    state: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """Communities whose rounds are all real, or all drills."""

    exercise: bool
    rows: list[Progress]
    by_state: dict[str, int]
    households: int
    people: int
    arrived_people: int
    late: int


def sheets(found: Sequence[Progress], now: datetime) -> list[Sheet]:
    """The real rounds, then the drills; a sheet without communities is left out."""
    made = []
    for exercise in (False, True):
        rows = [p for p in found if p.round is not None and p.exercise == exercise]
        if rows:
            rows.sort(key=lambda p: (not p.late(now), -p.open, p.region_code))
            by_state = {s: sum(p.by_state.get(s, 0) for p in rows) for s in TRANSFER_STATES}
            made.append(Sheet(exercise, rows, by_state, sum(p.households for p in rows), sum(p.people for p in rows),
                              sum(p.arrived_people for p in rows), sum(p.late(now) for p in rows)))
    return made


def bar(progress: Progress | Sheet) -> list[Part]:
    """The bar of all households; each state that somebody is in is wide enough to be seen."""
    found, done, whole = [], 0, max(1, progress.households)
    for state in ORDER:
        if n := progress.by_state.get(state, 0):
            start, end = done * 1000 // whole, (done + n) * 1000 // whole
            found.append(Part(state, start, max(8, end - start)))
            done += n
    return found
