"""A made-up town with shelters, and an independent way to find what the field must say of it."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime
from math import inf

import numpy as np

from portal.shelters.field.compute import compute
from portal.shelters.field.made import Door, Facts, Place
from portal.shelters.field.view import FieldView
from portal.shelters.roads.effects import Effect
from portal.shelters.roads.graph import ONEWAY_FOOT, STEPS, Graph, make
from tests.shelters.grid import STEP_LAT, STEP_LON, grid

FAMILY = "water"


def shelter(number: int, at: tuple[float, float], *, room: int | None = 1000, state: str = "open", families=(FAMILY,)) -> Place:
    return Place(number, f"S-{number}", f"{number}号避难场所", f"Shelter {number}", *at, tuple(families), state, room)


def door(position: int, at: tuple[float, float], step_free: bool | None = True, number: int = 0) -> Door:
    return Door(position, 100 + position * 10 + number, *at, step_free, "东门", "East Gate")


def facts(graph: Graph, places, doors, *, effects=(), people=None, share: float = 1.0, families=(FAMILY,)) -> Facts:
    people = np.zeros(graph.nodes) if people is None else np.asarray(people, float)
    return Facts(dict.fromkeys(families, share), places, doors, {f: list(effects) for f in families}, people,
                 np.zeros(graph.nodes, np.int16), ("440310001001",))


def view(graph: Graph, made_of: Facts) -> FieldView:
    return FieldView(1, datetime(2026, 7, 1, tzinfo=UTC), graph, compute(graph, made_of))


def at_node(graph: Graph, node: int, *, east: float = 0.0, north: float = 0.0) -> tuple[float, float]:
    """Near a node: `east` and `north` in blocks."""
    return float(graph.lon[node]) + east * STEP_LON, float(graph.lat[node]) + north * STEP_LAT


def block(west: float, south: float, east: float, north: float, graph: Graph, effect: str = "cuts",
          factor: float = 1.0) -> Effect:
    """A rectangle, in blocks from the first node."""
    x, y = float(graph.lon[0]), float(graph.lat[0])
    w, e, s, n = x + west * STEP_LON, x + east * STEP_LON, y + south * STEP_LAT, y + north * STEP_LAT
    return Effect({"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}, 0.0, effect, factor)


def rough(seed: int, columns: int = 7, rows: int = 6) -> Graph:
    """A town without some streets, with steps and ways that are walked in one direction only; it may fall into islands."""
    rng = np.random.default_rng(seed)
    whole = grid(columns, rows)
    kept = np.flatnonzero(rng.random(whole.edges) < 0.8)
    flags = np.where(rng.random(len(kept)) < 0.1, STEPS, 0) | np.where(rng.random(len(kept)) < 0.1, ONEWAY_FOOT, 0)
    return make(whole.lon + rng.normal(0, 1e-4, whole.nodes), whole.lat + rng.normal(0, 1e-4, whole.nodes), whole.a[kept],
                whole.b[kept], flags=flags, name=whole.name[kept], names=whole.names)


def reference(graph: Graph, edge_seconds, starts: dict[int, float]) -> list[float]:
    """Seconds from every node to the best of `starts` (node → seconds from there): Dijkstra as the textbook has it."""
    away: list[list[tuple[int, float]]] = [[] for _ in range(graph.nodes)]
    for a, b, flags, seconds in zip(graph.a.tolist(), graph.b.tolist(), graph.flags.tolist(), edge_seconds, strict=True):
        away[b].append((a, seconds))
        if not flags & ONEWAY_FOOT:
            away[a].append((b, seconds))
    best = [inf] * graph.nodes
    heap = []
    for node, seconds in starts.items():
        best[node] = seconds
        heapq.heappush(heap, (seconds, node))
    while heap:
        seconds, node = heapq.heappop(heap)
        if seconds > best[node]:
            continue
        for other, more in away[node]:
            if (total := seconds + more) < best[other]:
                best[other] = total  # nothing in these towns is too far
                heapq.heappush(heap, (total, other))
    return best
