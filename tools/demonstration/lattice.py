"""Streets: a bent lattice along the river, dense where people live, sparse on the hills."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Point
from shapely.strtree import STRtree

from tools.demonstration.ground import Community, River

SPACING = 165.0
TURN = math.radians(38.0)
REACH = 62  # lattice lines on each side of the middle
ARTERY, COLLECTOR = 8, 4  # every so many lines
WITHIN = 20.0  # metres that a street stays inside the district
BANK = 42.0  # metres between a river's middle and the nearest corner

Spot = tuple[int, int]


@dataclass
class Edge:
    """A piece of way between two nodes. `line`: what names it and joins it with its neighbours."""

    a: int
    b: int
    highway: str
    line: tuple[Any, ...]
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Net:
    """Nodes in metres and the edges between them; `community[i]` is the index of node i's community."""

    xy: list[tuple[float, float]]
    community: list[int]
    built: list[bool]
    spot: dict[Spot, int]
    edges: list[Edge]

    def add(self, x: float, y: float, community: int, built: bool = True) -> int:
        self.xy.append((x, y))
        self.community.append(community)
        self.built.append(built)
        return len(self.xy) - 1

    def between(self, a: int, b: int, share: float, side: float = 0.0) -> tuple[float, float]:
        (ax, ay), (bx, by) = self.xy[a], self.xy[b]
        length = math.hypot(bx - ax, by - ay) or 1.0
        return ax + (bx - ax) * share - (by - ay) / length * side, ay + (by - ay) * share + (bx - ax) / length * side

    def length(self, a: int, b: int) -> float:
        return math.dist(self.xy[a], self.xy[b])


def _place(i: int, j: int, chance: random.Random) -> tuple[float, float]:
    u, v = i * SPACING, j * SPACING
    u, v = (u + 60 * math.sin(v / 900) + 35 * math.sin(v / 410 + 1) + 25 * math.sin(u / 700),
            v + 60 * math.sin(u / 1050 + 2) + 35 * math.sin(u / 380) + 25 * math.sin(v / 640))
    shake = 0.0 if i % ARTERY == 0 and j % ARTERY == 0 else 20.0
    u, v = u + chance.uniform(-shake, shake), v + chance.uniform(-shake, shake)
    return u * math.cos(TURN) - v * math.sin(TURN), u * math.sin(TURN) + v * math.cos(TURN)


def _off_the_water(x: float, y: float, rivers: list[River]) -> tuple[float, float]:
    for river in rivers:
        near = river.line.interpolate(river.line.project(Point(x, y)))
        apart = math.hypot(x - near.x, y - near.y)
        if 0.01 < apart < BANK:
            x, y = near.x + (x - near.x) / apart * BANK, near.y + (y - near.y) / apart * BANK
    return x, y


def _corners(outline: shapely.Geometry, communities: list[Community], rivers: list[River], chance: random.Random) -> Net:
    net = Net([], [], [], {}, [])
    inner = outline.buffer(-WITHIN)
    tree = STRtree([c.outline for c in communities])
    for i in range(-REACH, REACH + 1):
        for j in range(-REACH, REACH + 1):
            x, y = _off_the_water(*_place(i, j, chance), rivers)
            point = Point(x, y)
            if inner.contains(point) and len(found := tree.query(point, "within")):
                net.spot[i, j] = net.add(x, y, int(found[0]), False)
    return net


def _settle(net: Net, communities: list[Community], rivers: list[River], chance: random.Random) -> None:
    """Mark the corners of built-up land: around each community's heart and along the water, as much as its people need."""
    for number, community in enumerate(communities):
        own = [n for n, c in enumerate(net.community) if c == number]
        angle = chance.uniform(0, math.pi)

        def far(n: int, heart: tuple[float, float] = community.heart, angle: float = angle) -> float:
            dx, dy = net.xy[n][0] - heart[0], net.xy[n][1] - heart[1]
            water = min(r.line.distance(Point(net.xy[n])) for r in rivers)
            bump = 1 + 0.25 * math.sin(2 * (math.atan2(dy, dx) - angle))
            return math.hypot(dx, dy) * bump + 0.25 * min(water, 1500.0)

        own.sort(key=far)
        for n in own[: max(9, round(community.built_km2 * 1e6 / SPACING**2))]:
            net.built[n] = True


def _level(line: int) -> int:
    return 0 if line % ARTERY == 0 else 1 if line % COLLECTOR == 0 else 2


def _hilly(net: Net, n: int) -> bool:
    x, y = net.xy[n]
    return not net.built[n] and y + 500 * math.sin(x / 1700) < -3100 + max(0.0, x - 2500) * 0.6


def _streets(net: Net, chance: random.Random) -> None:
    for (i, j), a in net.spot.items():
        for along, (di, dj), line in (("v", (0, 1), i), ("u", (1, 0), j)):
            b = net.spot.get((i + di, j + dj))
            if b is None:
                continue
            level, both, one = _level(line), net.built[a] and net.built[b], net.built[a] or net.built[b]
            here = j if along == "v" else i
            if level == 0:
                keep = not (_hilly(net, a) and _hilly(net, b))
            elif level == 1:
                keep = one
            else:
                keep = both and chance.random() > 0.11
            if keep:
                highway = ("primary" if (line // ARTERY) % 2 == 0 else "secondary", "tertiary", "residential")[level]
                block = (line, here // (ARTERY * (6, 3, 1)[level]))
                net.edges.append(Edge(a, b, highway, (along, level, *block)))


def _over_water(net: Net, rivers: list[River], chance: random.Random) -> None:
    """Split what crosses a river into road, bridge, road; side streets mostly end at the bank."""
    kept: list[Edge] = []
    for edge in net.edges:
        path = LineString([net.xy[edge.a], net.xy[edge.b]])
        crossed = [r for r in rivers if r.line.intersects(path)]
        if not crossed:
            kept.append(edge)
            continue
        walk_only = edge.highway == "residential"
        if walk_only and chance.random() > 0.12:
            continue
        meeting = crossed[0].line.intersection(path)
        meeting = meeting if meeting.geom_type == "Point" else meeting.centroid
        at, length = path.project(meeting), path.length
        community = net.community[edge.a]
        banks = []
        for end, where in ((edge.a, at - 30.0), (edge.b, at + 30.0)):
            if 12.0 < where < length - 12.0:
                banks.append(net.add(*net.between(edge.a, edge.b, where / length), community))
            else:
                banks.append(end)
        tags = {"bridge": "yes", "layer": "1", "water": crossed[0].zh}
        highway = "footway" if walk_only else edge.highway
        if banks[0] != edge.a:
            kept.append(Edge(edge.a, banks[0], highway, edge.line))
        kept.append(Edge(banks[0], banks[1], highway, edge.line, tags))
        if banks[1] != edge.b:
            kept.append(Edge(banks[1], edge.b, highway, edge.line))
    net.edges[:] = kept


def _bends(net: Net, chance: random.Random) -> None:
    """Some streets bend between their corners, and from some bends an alley leads into the block."""
    bent: list[Edge] = []
    for edge in net.edges:
        share = {"primary": 0.4, "secondary": 0.4, "tertiary": 0.3, "residential": 0.3}.get(edge.highway, 0.0)
        if edge.tags or net.length(edge.a, edge.b) < 90 or chance.random() > share:
            bent.append(edge)
            continue
        at, side = chance.uniform(0.35, 0.65), chance.uniform(-9, 9)
        middle = net.add(*net.between(edge.a, edge.b, at, side), net.community[edge.a], net.built[edge.a])
        bent += [Edge(edge.a, middle, edge.highway, edge.line), Edge(middle, edge.b, edge.highway, edge.line)]
        if edge.highway == "residential" and chance.random() < 0.4:
            depth = chance.choice((-1, 1)) * chance.uniform(45, 75)
            tip = net.add(*net.between(edge.a, edge.b, at, side + depth), net.community[edge.a])
            bent.append(Edge(middle, tip, "living_street", ("alley", middle)))
    net.edges[:] = bent


def lay(outline: shapely.Geometry, communities: list[Community], rivers: list[River], chance: random.Random) -> Net:
    """The streets of the whole district, not yet connected with each other everywhere."""
    net = _corners(outline, communities, rivers, chance)
    _settle(net, communities, rivers, chance)
    _streets(net, chance)
    _over_water(net, rivers, chance)
    _bends(net, chance)
    return net


def components(net: Net) -> np.ndarray:
    """For each node the number of its connected component; the largest is 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = np.array([e.a for e in net.edges]), np.array([e.b for e in net.edges])
    size = len(net.xy)
    _, labels = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    order = np.argsort(-np.bincount(labels), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[labels])
