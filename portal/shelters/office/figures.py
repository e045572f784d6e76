"""The figures of the dashboard: places against people, ways against people, and head counts over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import lazyload

from portal import current_settings
from portal.core.db import db
from portal.identity.models import Account
from portal.regions import lookup
from portal.regions.snapshot import Node
from portal.shelters.field.view import FieldView
from portal.shelters.living import reports
from portal.shelters.models import UNSAFE, Shelter
from portal.shelters.registry import freshness, store, suitability
from portal.shelters.registry.store import Capacity
from portal.shelters.transfers import rights as transfer_rights
from portal.shelters.transfers import store as transfer_store

#: Square metres of effective shelter area for each inhabitant at which the district aims.
TARGET_M2 = 1.5
STEP, SINCE = timedelta(hours=1), timedelta(hours=48)
_NOTHING = Capacity(0, 0, 0, 0.0, 0)


@dataclass(frozen=True)
class Row:
    """One community. `share`: of its people, how many have a way to a shelter (0 to 1), None where the field knows no way in
    it at all; `tight`: the share who have a way and for whom no place could be kept; `minutes`: the middle of the ways;
    `uncovered`: people who reach no shelter. `expected`: the share of people who are expected to come, of whom `unplaced` find
    no place kept for them."""

    node: Node
    street: Node | None
    capacity: Capacity
    share: float | None
    minutes: float | None
    tight: float = 0.0
    expected: float = 1.0

    @property
    def people(self) -> int | None:
        return self.node.population

    @property
    def m2(self) -> float | None:
        """Square metres of shelter for each inhabitant; None where the people or every area are unknown."""
        if not self.people or (self.capacity.shelters and not self.capacity.area_m2):
            return None
        return self.capacity.area_m2 / self.people

    @property
    def uncovered(self) -> int | None:
        return None if self.share is None or self.people is None else round(self.people * (1 - self.share))

    @property
    def unplaced(self) -> int:
        return round((self.people or 0) * self.expected * self.tight)

    @property
    def verdict(self) -> str:
        """Against the target: `met`, `below`, `none` (no shelter) or `unknown`."""
        if not self.capacity.shelters:
            return "none"
        if self.m2 is None:
            return "unknown"
        return "met" if self.m2 >= TARGET_M2 else "below"


@dataclass(frozen=True)
class Live:
    """What is open now: sums over shelters whose state is fresh. `unsafe`: those that nobody may enter; `stale`: those that were
    active when somebody last said so; `people`: counted heads; `uncounted`: open shelters of which nobody counted; `free`:
    free places as far as they are known."""

    open: list[Shelter]
    unsafe: list[Shelter]
    stale: list[Shelter]
    people: int
    uncounted: int
    free: int


def rows(district: str, view: FieldView | None, layer: str) -> list[Row]:
    """Every community of the district, by code."""
    capacities = store.capacity_by_community([district])
    covered = view.communities(layer) if view and layer in view.layers else {}
    family = suitability.families().get(layer.partition(".")[0])
    expected = family.expected if family else 1.0
    found = []
    for code in lookup.communities_under([district]):
        node = lookup.get(code)
        if node is not None:
            street, capacity = lookup.get(code[:9] + "000"), capacities.get(code, _NOTHING)
            ways = covered.get(code)
            share, minutes, tight = (ways.share, ways.median_minutes, ways.tight) if ways else (None, None, 0.0)
            found.append(Row(node, street, capacity, share, minutes, tight, expected))
    return found


def in_use() -> int:
    """How many shelters are in use."""
    return db.session.scalar(select(func.count()).select_from(Shelter).where(Shelter.retired_at.is_(None))) or 0


def live(now: datetime) -> Live:
    """Active ones with a fresh state, unsafe ones, stale ones, and the sums of the first. Asked again and again by every desk,
    so only these rows are read, without their entrances."""
    shelters = list(db.session.scalars(
        select(Shelter).where(Shelter.retired_at.is_(None), Shelter.status.in_((*freshness.ACTIVE, UNSAFE)))
        .order_by(Shelter.region_code, Shelter.code).options(lazyload(Shelter.entrances))))
    active = [s for s in shelters if s.status in freshness.ACTIVE]
    fresh = [s for s in active if not freshness.is_stale(s, now)]
    return Live(
        fresh, [s for s in shelters if s.status == UNSAFE], [s for s in active if freshness.is_stale(s, now)],
        sum(s.occupancy or 0 for s in fresh), sum(1 for s in fresh if s.occupancy is None),
        sum(freshness.free_places(s, now) or 0 for s in fresh))


def occupancy(now: datetime) -> list[tuple[datetime, int, int]]:
    """(moment, people, shelters counted) each full hour of the last two days: at each, the newest count of every shelter that
    has one by then and is not empty again. Empty when nobody counted."""
    series = reports.occupancy_series(
        list(db.session.scalars(select(Shelter.id).where(Shelter.retired_at.is_(None)))), now - SINCE)
    if not series:
        return []
    at = now.replace(minute=0, second=0, microsecond=0) - SINCE + STEP
    known: dict[int, int] = {}
    found: list[tuple[datetime, int, int]] = []
    position = 0
    while at <= now + STEP:
        moment = min(at, now)
        while position < len(series) and series[position][0] <= moment:
            _at, shelter_id, people = series[position]
            if people is None:
                known.pop(shelter_id, None)
            else:
                known[shelter_id] = people
            position += 1
        if known:
            found.append((moment, sum(known.values()), len(known)))
        at += STEP
    return found


@dataclass(frozen=True)
class Transfers:
    """Transfers under way in what somebody may see: people of the rounds and of them who arrived; `late`: communities past
    their deadline. Drills are summed up only where no real round is under way."""

    exercise: bool
    people: int
    arrived: int
    late: int


def transfer_sums(account: Account, now: datetime) -> Transfers | None:
    """None where the account sees no transfers or none are under way."""
    seen = transfer_rights.seen_of(account, [current_settings().district])
    under_way = [p for p in transfer_store.progress(seen) if p.round is not None]
    shown = [p for p in under_way if not p.exercise] or under_way
    if not shown:
        return None
    return Transfers(shown[0].exercise, sum(p.people for p in shown), sum(p.arrived_people for p in shown),
                     sum(p.late(now) for p in shown))
