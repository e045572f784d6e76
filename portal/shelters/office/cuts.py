"""What an obstruction cuts: ways by name, shelters under it, and people who lose their way. Asked before it is saved."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from shapely.geometry import Point, shape

from portal.regions import lookup
from portal.shelters.field import facts as gathering
from portal.shelters.field.compute import compute
from portal.shelters.field.made import NO_TIME, Facts
from portal.shelters.registry import store
from portal.shelters.registry.suitability import families
from portal.shelters.roads import effects, obstructions
from portal.shelters.roads import store as roads
from portal.shelters.roads.effects import Effect
from portal.shelters.roads.graph import Graph

#: Ways and shelters that are named one by one.
NAMED = 12
#: Seconds by which a way must become longer to be told as a detour.
DETOUR = 120


@dataclass
class Loss:
    """What people of one hazard family lose: how many no longer reach a shelter (no way, or no room where the ways lead now), and
    how many walk clearly farther; the communities (codes) of the former."""

    family: str
    lost: int = 0
    longer: int = 0
    communities: list[str] = field(default_factory=list)


@dataclass
class Cuts:
    """`graph`: whether there are roads at all to compare with. `ways`: (zh, en) of named ways that it touches; `covered`:
    shelters (names zh, en) whose ground it takes, and `more_covered` others; `counted`: whether people were counted."""

    graph: bool = False
    edges: int = 0
    metres: int = 0
    ways: list[tuple[str, str]] = field(default_factory=list)
    more_ways: int = 0
    covered: list[tuple[str, str]] = field(default_factory=list)
    more_covered: int = 0
    losses: list[Loss] = field(default_factory=list)
    counted: bool = False


def preview(columns: dict[str, Any], now: datetime, replaced: uuid.UUID | None = None, *, people: bool = True) -> Cuts:
    """What checked columns would do at `now`, beside all that is in force; `replaced`: the obstruction that they change.
    `people`: also who loses the way, for which the field is computed twice (seconds, on a large graph)."""
    effect = Effect(columns["geometry"], columns["radius"], columns["effect"], columns["factor"])
    found = Cuts()
    _find_covered(found, effect)
    graph = roads.current()
    if graph is None:
        return found
    found.graph = True
    touched = np.flatnonzero(effects.apply(graph, [effect]).factors > 1)
    found.edges, found.metres = len(touched), round(float(graph.length[touched].sum()))
    named = sorted({graph.names[n] for n in graph.name[touched] if n})
    found.ways, found.more_ways = named[:NAMED], max(0, len(named) - NAMED)
    if people and len(touched):
        found.counted = True
        found.losses = _losses(graph, effect, columns["families"], now, replaced)
    return found


def _find_covered(found: Cuts, effect: Effect) -> None:
    try:
        ground, _mended = effects.ground_of(effect)
    except ValueError:
        return
    west, south, east, north = ground.bounds
    for shelter in store.listing():
        if shelter.longitude is None or shelter.latitude is None:
            continue
        inside = west <= shelter.longitude <= east and south <= shelter.latitude <= north
        if (inside and ground.intersects(Point(shelter.longitude, shelter.latitude))) or (
                shelter.boundary and shape(shelter.boundary).intersects(ground)):
            found.covered.append((shelter.name_zh, shelter.name_en or shelter.name_zh))
    found.covered, found.more_covered = found.covered[:NAMED], max(0, len(found.covered) - NAMED)


def _losses(graph: Graph, effect: Effect, wanted: list[str], now: datetime, replaced: uuid.UUID | None) -> list[Loss]:
    """Per family the people whom it takes the way from; families for which that is the same are told once, by the first."""
    facts, _next = gathering.gather(graph, now)
    counting = [key for key in families() if not wanted or key in wanted]
    rows = [row for row in obstructions.in_force(now) if row.id != replaced]
    before = {key: [Effect(r.geometry, r.radius, r.effect, r.factor) for r in rows if not r.families or key in r.families]
              for key in counting}
    old, new = _times(graph, facts, before), _times(graph, facts, {key: [*given, effect] for key, given in before.items()})
    found: list[Loss] = []
    for key in counting:
        had, has = old[key] != NO_TIME, new[key] != NO_TIME
        lost = had & ~has
        longer = had & has & (new[key].astype(int) - old[key].astype(int) > DETOUR)
        loss = Loss(key, round(float(facts.people[lost].sum())), round(float(facts.people[longer].sum())))
        numbers = np.unique(facts.community[lost])
        loss.communities = [facts.communities[n] for n in numbers if n >= 0]
        if loss.lost or loss.longer:
            found.append(loss)
    return found


def _times(graph: Graph, facts: Facts, given: dict[str, list[Effect]]) -> dict[str, Any]:
    made = compute(graph, replace(facts, effects=given, shares={key: facts.shares[key] for key in given}))
    return {key: made.layers[f"{key}.walk"].seconds for key in given}


def community_names(codes: list[str], language: str) -> list[str]:
    names = lookup.names(codes)
    return [names.get(code, {}).get(language, code) for code in codes]
