"""Ways for walkers only: parks, squares, greenways along the water, passages through blocks, steps, trails over the hills."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree
from shapely.geometry import LineString, Polygon

from tools.demonstration.ground import Community, River
from tools.demonstration.lattice import Edge, Net, Spot, components
from tools.demonstration.names import Names

STRIDE = 120.0
GREENWAY = 30.0  # metres from the middle of the water
ISLAND = 15  # a part with fewer nodes is dropped, a larger one gets a road


@dataclass(frozen=True)
class Ground:
    """An open ground that can take people: its kind, name, outline, and the nodes at its gates."""

    kind: str
    zh: str
    en: str
    community: int
    outline: Polygon
    gates: tuple[int, ...]


def grounds(net: Net, communities: list[Community], names: Names, chance: random.Random) -> list[Ground]:
    """One open ground for each community, a second for the two largest: parks over four blocks where many live, squares and
    sports grounds in one."""
    by_people = sorted(range(len(communities)), key=lambda c: -communities[c].people)
    with_park = {*by_people[:17]}
    made: list[Ground] = []
    taken: set[Spot] = set()
    for number, community in enumerate([*range(len(communities)), *by_people[:2]]):
        kind = "公园" if community in with_park and number < len(communities) else ("体育场", "广场")[number % 2]
        made.append(_ground(net, community, communities[community], kind, names, taken, chance))
    return made


def _ground(
    net: Net, index: int, community: Community, kind: str, names: Names, taken: set[Spot], chance: random.Random
) -> Ground:
    used = {e.a for e in net.edges} | {e.b for e in net.edges}
    size = 2 if kind == "公园" else 1
    best: list[tuple[float, Spot]] = []
    for (i, j), n in net.spot.items():
        block = [(i + di, j + dj) for di in range(size + 1) for dj in range(size + 1)]
        if net.community[n] != index or any(s not in net.spot or s in taken for s in block):
            continue
        inner_ok = all(net.spot[s] in used and net.community[net.spot[s]] == index for s in block)
        outline = _outline(net, i, j, size)
        dry = outline.is_valid and (size == 1 or ((i + 1) % 4 and (j + 1) % 4))
        if inner_ok and dry and community.outline.contains(outline):
            best.append((math.dist(net.xy[n], community.heart) + chance.uniform(0, 300), (i, j)))
    if not best and size == 2:
        return _ground(net, index, community, "广场", names, taken, chance)
    if not best:
        raise ValueError(f"no room for a ground in {community.zh}")
    i, j = min(best)[1]
    taken.update((i + di, j + dj) for di in range(-1, size + 2) for dj in range(-1, size + 2))
    base = names.base()
    outline = _outline(net, i, j, size).buffer(-18, join_style="mitre")
    gates = _paths(net, index, i, j, size, base, kind)
    return Ground(kind, *Names.of(base, kind), index, outline, gates)


def _outline(net: Net, i: int, j: int, size: int) -> Polygon:
    ring = [(i + d, j) for d in range(size)] + [(i + size, j + d) for d in range(size)]
    ring += [(i + size - d, j + size) for d in range(size)] + [(i, j + size - d) for d in range(size)]
    return Polygon([net.xy[net.spot[s]] for s in ring])


def _paths(net: Net, index: int, i: int, j: int, size: int, base: tuple[str, str], kind: str) -> tuple[int, ...]:
    """Paths inside from corner gates to the middle; in a park the streets through it become paths."""
    corners = [net.spot[i, j], net.spot[i + size, j], net.spot[i + size, j + size], net.spot[i, j + size]]
    line = ("ground", base, kind)
    if size == 2:
        middle = net.spot[i + 1, j + 1]
        for edge in net.edges:
            if middle in (edge.a, edge.b) and edge.highway == "residential":
                edge.highway, edge.line = "footway", line
    else:
        middle = net.add(sum(net.xy[c][0] for c in corners) / 4, sum(net.xy[c][1] for c in corners) / 4, index)
    gates = []
    for number, corner in enumerate(corners):
        gate = net.add(*net.between(corner, middle, 0.16), index)
        on_the_way = net.add(*net.between(corner, middle, 0.6, 12.0 * (-1) ** number), index)
        net.edges += [Edge(corner, gate, "footway", line), Edge(gate, on_the_way, "footway", line),
                      Edge(on_the_way, middle, "footway" if number else "path", line)]
        gates.append(gate)
    return tuple(gates)


def passages(net: Net, rivers: list[River], chance: random.Random) -> None:
    """Footways through one built-up block in twelve, some with steps."""
    for (i, j), a in list(net.spot.items()):
        far = net.spot.get((i + 1, j + 1))
        if far is None or not (net.built[a] and net.built[far]) or chance.random() > 0.085:
            continue
        if any(r.line.distance(LineString([net.xy[a], net.xy[far]])) < 40 for r in rivers):
            continue
        one = net.add(*net.between(a, far, 0.4, chance.uniform(-12, 12)), net.community[a])
        two = net.add(*net.between(a, far, 0.55, chance.uniform(-12, 12)), net.community[a])
        middle = "steps" if chance.random() < 0.4 else "footway"
        line = ("passage", a)
        net.edges += [Edge(a, one, "footway", line), Edge(one, two, middle, (*line, middle)), Edge(two, far, "footway", line)]


def greenways(net: Net, rivers: list[River]) -> None:
    """A path along each bank where people live near, joined to what reaches the bank."""
    for river in rivers:
        for side in (GREENWAY, -GREENWAY):
            bank = river.line.offset_curve(side)
            line = bank if bank.geom_type == "LineString" else max(bank.geoms, key=lambda part: part.length)
            _along(net, line, river, ("greenway", river.zh, side > 0))


def _along(net: Net, bank: LineString, river: River, name: tuple[Any, ...]) -> None:
    streets = [n for e in net.edges if e.highway != "motorway" for n in (e.a, e.b)]
    tree = cKDTree(np.array([net.xy[n] for n in streets]))
    before = None
    for at in np.arange(STRIDE / 2, bank.length, STRIDE):
        point = bank.interpolate(at)
        distance, nearest = tree.query((point.x, point.y))
        if distance > 260:
            before = None
            continue
        street = streets[int(nearest)]
        here = net.add(point.x, point.y, net.community[street])
        if before is not None:
            net.edges.append(Edge(before, here, "footway", name))
        before = here
        if distance < 100 and not river.line.intersects(LineString([net.xy[here], net.xy[street]])):
            kind = "steps" if int(at / STRIDE) % 4 == 1 else "footway"
            net.edges.append(Edge(here, street, kind, ("bank", here)))


def trails(net: Net, communities: list[Community], chance: random.Random) -> None:
    """Winding trails with steps from the southern streets up into the hills: ways that end there."""
    south = [n for n in net.spot.values() if net.built[n] and net.xy[n][1] < -2600]
    chance.shuffle(south)
    starts: list[int] = []
    for n in south:
        if all(math.dist(net.xy[n], net.xy[s]) > 1300 for s in starts):
            starts.append(n)
    for number, start in enumerate(starts[:9]):
        x, y = net.xy[start]
        before, community = start, net.community[start]
        for step in range(1, chance.randint(8, 14)):
            x, y = x + 70 * math.sin(step * 1.7 + number), y - 65
            if not communities[community].outline.buffer(-30).contains(LineString([(x, y), (x, y - 1)])):
                break
            here = net.add(x, y, community)
            net.edges.append(Edge(before, here, "steps" if step % 3 == 0 else "path", ("trail", number, step % 3 == 0)))
            before = here


def join(net: Net) -> None:
    """Give every larger part of the net that is cut off a winding hill road to the main part; drop the small ones."""
    for number in range(40):
        parts = components(net)
        sizes = np.bincount(parts)
        large = [p for p in range(1, len(sizes)) if sizes[p] >= ISLAND]
        if not large:
            break
        _hill_road(net, parts, large[-1], number)
    parts = components(net)
    net.edges[:] = [e for e in net.edges if parts[e.a] == 0]


def _hill_road(net: Net, parts: np.ndarray, part: int, number: int) -> None:
    xy = np.array(net.xy)
    main, other = np.flatnonzero(parts == 0), np.flatnonzero(parts == part)
    distance, nearest = cKDTree(xy[main]).query(xy[other])
    at = int(np.argmin(distance))
    a, b = int(other[at]), int(main[nearest[at]])
    length = net.length(a, b)
    pieces = max(1, round(length / 110))
    before = a
    for step in range(1, pieces):
        share = step / pieces
        side = min(90.0, length / 8) * math.sin(math.pi * share) * math.sin(step * 1.3)
        here = net.add(*net.between(a, b, share, side), net.community[a if share < 0.5 else b], False)
        net.edges.append(Edge(before, here, "tertiary", ("hill", number)))
        before = here
    net.edges.append(Edge(before, b, "tertiary", ("hill", number)))
