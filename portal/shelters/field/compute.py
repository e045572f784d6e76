"""The field itself: one search outwards from the doors of all suitable shelters gives every node its best one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portal.shelters.field.assign import Assignment, assign
from portal.shelters.field.made import (
    DOOR,
    FARTHEST,
    NO_TIME,
    NO_WAY,
    OPEN,
    PLAN,
    PROFILES,
    SPEEDS,
    STEP_FREE,
    STEPS_FACTOR,
    Door,
    Facts,
    Field,
    Layer,
    Place,
)
from portal.shelters.roads import effects
from portal.shelters.roads.effects import Applied
from portal.shelters.roads.graph import NOT_STEP_FREE, STEPS, Graph

#: Metres. A door farther than FAR from every way cannot be reached over the graph; it is joined to the nodes that are at most
#: FURTHER farther than the nearest, and to the nearest of the largest island, where the nearest one lies on a small island.
FAR, FURTHER, TO_MAINLAND = 300.0, 30.0, 150.0
_CANDIDATES, _JOINED = 24, 3
_NAMED = 100
_TOGETHER = 16  # searches at once
Floats = NDArray[np.float64]
#: From a door to a node: door, node, seconds on level ground at one metre per second.
Joint = tuple[int, int, float]


def compute(graph: Graph, facts: Facts, profiles: Sequence[str] = PROFILES) -> Field:
    """All layers of all families and profiles. What is the same for several families is computed once."""
    began = time.perf_counter()
    grounds, ground = _grounds(graph, facts)
    effects_took = time.perf_counter() - began
    times = Times(graph)
    joined = [_joints(graph, facts.doors, applied) for applied in grounds]
    done: dict[Any, tuple[Layer, dict[str, Any]]] = {}
    layers: dict[str, Layer] = {}
    told: dict[str, Any] = {}
    for family, number in ground.items():
        basis, used = _sources(facts.places, family)
        hint: dict[int, float] = {}
        for profile in profiles:
            joints = [j for j in joined[number] if facts.doors[j[0]].shelter in used and (
                profile != STEP_FREE or facts.doors[j[0]].step_free is True)]
            share = float(facts.shares.get(family, 1.0))
            key = (number, profile, basis, share, tuple(joints))
            if key not in done:
                search = (graph, times.of(grounds[number], profile), joints, SPEEDS[profile])
                done[key] = _layer(search, facts, basis, share, hint)
            layers[f"{family}.{profile}"], told[f"{family}.{profile}"] = done[key]
    summary = {
        "layers": told, "computed": len(done), "effects_seconds": round(effects_took, 4),
        "grounds": [_of_ground(applied) for applied in grounds], "families": ground,
        "shelters": _of_places(graph, facts, joined, ground)}
    return Field(layers, tuple(facts.places), tuple(facts.doors), ground, tuple(a.cuts for a in grounds),
                 tuple(_slowed(a) for a in grounds), facts.community, tuple(facts.communities), summary)


def _grounds(graph: Graph, facts: Facts) -> tuple[list[Applied], dict[str, int]]:
    """Effects that are the same for several families are applied once."""
    made: list[Applied] = []
    known: dict[str, int] = {}
    ground: dict[str, int] = {}
    for family, given in facts.effects.items():
        key = repr(list(given))
        if key not in known:
            known[key] = len(made)
            made.append(effects.apply(graph, given))
        ground[family] = known[key]
    return made, ground


class Times:
    """Seconds per arc of the search, by profile and effects."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._level: dict[str, Floats] = {}

    def of(self, applied: Applied, profile: str) -> Floats:
        if profile not in self._level:
            self._level[profile] = edge_seconds(self._graph, profile)
        arcs = self._graph.arcs
        seconds = (self._level[profile] * applied.factors)[arcs.edge]
        return np.where(arcs.passable, seconds, np.inf)


def edge_seconds(graph: Graph, profile: str) -> Floats:
    """Seconds that each edge takes while nothing slows it; infinite where the profile cannot pass."""
    seconds = graph.length / SPEEDS[profile]
    steps = (graph.flags & STEPS) != 0
    if profile == STEP_FREE:
        return np.where(steps | ((graph.flags & NOT_STEP_FREE) != 0), np.inf, seconds)
    return np.where(steps, seconds * STEPS_FACTOR, seconds)


def _sources(places: Sequence[Place], family: str) -> tuple[str, set[int]]:
    """Whether the layer is of shelters that are open, or a plan because none is, and which shelters are used. One that takes
    nobody more is none; one of which nobody said that it is suitable is none."""
    suitable = [n for n, place in enumerate(places) if family in place.families]
    opened = [n for n in suitable if places[n].state in ("open", "full")]
    wanted = ("open",) if opened else ("ready",)
    used = {n for n in suitable if places[n].state in wanted and places[n].room != 0}
    return (OPEN if opened else PLAN), used


def _joints(graph: Graph, doors: Sequence[Door], applied: Applied) -> list[Joint]:
    """Where doors meet the graph: never across ground on which nobody may walk."""
    found: list[Joint] = []
    for number, door in enumerate(doors):
        if applied.ground.holds(door.lon, door.lat):
            continue
        chosen: list[tuple[float, int]] = []
        on_mainland = False
        for metres, node in graph.finder.near(door.lon, door.lat, _CANDIDATES, FAR):
            further = metres - chosen[0][0] if chosen else 0.0
            wanted = further <= FURTHER and len(chosen) < _JOINED
            if not wanted and (on_mainland or further > TO_MAINLAND):
                break
            mainland = graph.component[node] == 0
            if (wanted or mainland) and not applied.ground.blocks(
                    door.lon, door.lat, float(graph.lon[node]), float(graph.lat[node])):
                chosen.append((metres, node))
                on_mainland = on_mainland or bool(mainland)
        found += [(number, node, metres) for metres, node in chosen]
    return found


def _layer(made_of: tuple[Graph, Floats, Sequence[Joint], float], facts: Facts, basis: str, share: float,
           hint: dict[int, float]) -> tuple[Layer, dict[str, Any]]:
    """One layer. `hint`: prices by shelter, in metres, of the family's layer before, replaced by this one's."""
    graph, arc_seconds, joints, speed = made_of
    used = sorted({facts.doors[j[0]].shelter for j in joints})
    at = {shelter: n for n, shelter in enumerate(used)}
    search = Search(graph, arc_seconds, joints, np.array([at[facts.doors[j[0]].shelter] for j in joints], np.int32), speed)
    room = np.array([np.inf if (free := facts.places[s].room) is None else float(free) for s in used])
    people = _still_to_come(facts.people * share, sum(facts.places[s].inside for s in used))
    got = assign(search, people, room, search.limit, np.array([hint.get(s, 0.0) for s in used]) / speed)
    hint.update(zip(used, (got.price * speed).tolist(), strict=True))
    there = (got.place >= 0) | got.tight
    hop = np.where(there, got.next, NO_WAY).astype(np.int32)
    whole = np.where(there, np.floor(np.where(np.isfinite(got.seconds), got.seconds, 0.0) + 0.5), NO_TIME)
    return Layer(basis, hop, whole.astype(np.uint16), got.tight), _of_layer(facts, got, people, used, basis)


def _still_to_come(expected: Floats, inside: int) -> Floats:
    """The people expected without those who are in the shelters already: these take no second place."""
    total = float(expected.sum())
    return expected * max(0.0, 1.0 - inside / total) if total > 0 else expected


class Search:
    """One search outwards from all doors at once. The doors hang on one further node, from which the search begins, so that
    each can have a price."""

    def __init__(self, graph: Graph, arc_seconds: Floats, joints: Sequence[Joint], place: NDArray[np.int32],
                 speed: float) -> None:
        self._count = graph.nodes
        self.limit = FARTHEST / speed
        self._arcs, self._seconds = graph.arcs, arc_seconds
        self._door = np.array([j[0] for j in joints], np.int32)
        self._node = np.array([j[1] for j in joints], np.int32)
        self._place = place
        # A door that stands on its node is still a step away from it.
        self._walk = np.maximum(np.array([j[2] for j in joints], float) / speed, 0.01)

    def __call__(self, price: Floats) -> tuple[Floats, NDArray[np.int32], NDArray[np.int32]]:
        """Cost, next hop (a node, or DOOR - d) and place of each node."""
        from scipy.sparse import csr_array  # only here: reading it takes a fifth of a second of each start
        from scipy.sparse.csgraph import dijkstra

        count = self._count
        walk = self._walk + price[self._place]
        # The cheapest door of each node that has one.
        order = np.lexsort((walk, self._node))
        first = order[np.unique(self._node[order], return_index=True)[1]] if len(order) else order
        first = first[np.isfinite(walk[first])]
        if not len(first):
            return np.full(count, np.inf), np.full(count, NO_WAY, np.int32), np.full(count, -1, np.int32)
        begin = self._arcs.start
        matrix = csr_array(
            (np.concatenate([self._seconds, walk[first]]), np.concatenate([self._arcs.to, self._node[first]]),
             np.append(begin, begin[-1] + len(first)).astype(np.int32)), shape=(count + 1, count + 1))
        cost, before = dijkstra(matrix, directed=True, indices=count, return_predecessors=True, limit=self.limit)
        cost, before = cost[:count], before[:count].astype(np.int32)
        cost = np.where(cost <= self.limit, cost, np.inf)
        hop = np.where(np.isfinite(cost), before, NO_WAY).astype(np.int32)
        roots = np.flatnonzero(hop == count)
        door_at = np.full(count, -1, np.int32)
        door_at[self._node[first]] = first
        hop[roots] = DOOR - self._door[door_at[roots]]
        place = np.where(np.isfinite(cost), self._place[door_at[_roots(before, count)]], -1).astype(np.int32)
        return cost, hop, place


    def alone(self, nodes: NDArray[np.int64]) -> Floats:
        """The cost of some nodes from each shelter by itself; a few shelters at a time, for the memory."""
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import dijkstra

        count, places = self._count, int(self._place.max(initial=-1)) + 1
        order = np.argsort(self._place, kind="stable")
        ends = np.searchsorted(self._place[order], np.arange(1, places + 1)) + self._arcs.start[-1]
        matrix = csr_array(
            (np.concatenate([self._seconds, self._walk[order]]), np.concatenate([self._arcs.to, self._node[order]]),
             np.concatenate([self._arcs.start, ends]).astype(np.int32)), shape=(count + places, count + places))
        costs = np.full((places, len(nodes)), np.inf)
        for begin in range(0, places, _TOGETHER):
            some = np.arange(begin, min(places, begin + _TOGETHER))
            costs[some] = dijkstra(matrix, directed=True, indices=count + some, limit=self.limit)[:, nodes]
        return costs


    def from_where(self, node: int) -> list[tuple[int, float]]:
        """The nodes from which one walks to a node, and the seconds that takes."""
        row = slice(int(self._arcs.start[node]), int(self._arcs.start[node + 1]))
        return list(zip(self._arcs.to[row].tolist(), self._seconds[row].tolist(), strict=True))

    def border(self, there: NDArray[np.bool_], here: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The nodes `there` to which one walks from a node `here`."""
        rows = np.repeat(np.arange(self._count), np.diff(self._arcs.start))
        return np.unique(rows[there[rows] & here[self._arcs.to] & np.isfinite(self._seconds)])

    def doors(self) -> list[tuple[int, float, int, int]]:
        """Where doors meet nodes: (node, seconds, hop, shelter)."""
        hops = (DOOR - self._door).tolist()
        return list(zip(self._node.tolist(), self._walk.tolist(), hops, self._place.tolist(), strict=True))


def _roots(before: NDArray[np.int32], source: int) -> NDArray[np.int32]:
    """The root of each node's tree, by jumping twice as far each time."""
    own = np.arange(len(before), dtype=np.int32)
    up = np.where((before == source) | (before < 0), own, before)
    while True:
        farther = up[up]
        if np.array_equal(farther, up):
            return up
        up = farther


def _slowed(applied: Applied) -> dict[int, float]:
    edges = np.flatnonzero((applied.factors > 1) & np.isfinite(applied.factors))
    return {int(e): float(applied.factors[e]) for e in edges}


def _of_ground(applied: Applied) -> dict[str, int]:
    return {"cuts": len(applied.cuts), "slows": applied.slows, "mended": applied.mended, "unreadable": applied.unreadable,
            "cut_edges": applied.cut_edges, "slowed_edges": applied.slowed_edges}


def _of_layer(facts: Facts, got: Assignment, people: Floats, used: Sequence[int], basis: str) -> dict[str, Any]:
    total = float(people.sum())
    return {
        "basis": basis, "shelters": len(used), "nodes_with_way": int(((got.place >= 0) | got.tight).sum()),
        "nodes_without_room": int(got.tight.sum()), "people": round(total), "searches": got.searches,
        "placed": round(float(got.load.sum())),
        "load": {facts.places[s].code: round(float(got.load[n]), 1) for n, s in enumerate(used)}}


def _of_places(graph: Graph, facts: Facts, joined: Sequence[Sequence[Joint]], ground: dict[str, int]) -> dict[str, Any]:
    """What is odd about shelters, by code: no door on the graph (`far`), all doors under an obstruction (`blocked`, by family),
    no room told (`room_unknown`), and how many in which state."""
    reached = [{facts.doors[j[0]].shelter for j in joints} for joints in joined]
    near = {d.shelter for d in facts.doors if graph.finder.near(d.lon, d.lat, 1, FAR)}
    with_door = {d.shelter for d in facts.doors}
    blocked = {family: sorted(facts.places[n].code for n in near - reached[number]) for family, number in ground.items()}
    return {
        "states": dict(Counter(p.state for p in facts.places)), "blocked": {f: codes for f, codes in blocked.items() if codes},
        "without_door": sorted(p.code for n, p in enumerate(facts.places) if n not in with_door)[:_NAMED],
        "far": sorted(facts.places[n].code for n in with_door - near)[:_NAMED],
        "room_unknown": sum(p.room is None for p in facts.places)}
