"""The invented district's ways as an OpenStreetMap file."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import osmium
from osmium.osm.mutable import Node, Way
from shapely.geometry import LineString

from tools.demonstration import ground, lattice, walks
from tools.demonstration.lattice import Edge, Net
from tools.demonstration.names import Names
from tools.demonstration.walks import Ground

SEED = 20_261_125
MARK = "演示数据，纯属虚构 demonstration, invented"
WHEN = "2026-11-25T00:00:00Z"
EXPRESSWAY = ("澜东高速", "Landong Expressway")


@dataclass(frozen=True)
class Town:
    """All of it. `ways`: (nodes, tags) of each way; `names`: those that are still free."""

    net: Net
    grounds: list[Ground]
    communities: list[ground.Community]
    rivers: list[ground.River]
    names: Names
    ways: list[tuple[list[int], dict[str, str]]]

    def streets(self) -> dict[int, list[tuple[str, str]]]:
        """For each node the names (zh, en) of the streets there that have one, each once."""
        found: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for run, tags in self.ways:
            for n in run if "name" in tags else ():
                if (name := (tags["name"], tags["name:en"])) not in found[n]:
                    found[n].append(name)
        return found


def town() -> Town:
    """The same every time."""
    chance = random.Random(SEED)  # noqa: S311 - only the same each time
    names = Names(random.Random(SEED + 1))  # noqa: S311 - likewise
    outline, communities = ground.regions()
    rivers = ground.rivers()
    net = lattice.lay(outline, communities, rivers, chance)
    open_grounds = walks.grounds(net, communities, names, chance)
    walks.passages(net, rivers, chance)
    walks.greenways(net, rivers)
    walks.trails(net, communities, chance)
    walks.join(net)
    return Town(net, open_grounds, communities, rivers, names, _ways(net, names))


class Namer:
    """Names lines as they come: the whole of an artery has one, a lane its own, some footways none."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[Any, tuple[str, str] | None] = {}
        self._series: dict[Any, tuple[tuple[str, str], int]] = {}

    def of(self, line: tuple[Any, ...], highway: str) -> tuple[str, str] | None:
        key = line[:2] if line[0] == "greenway" else line[:2] if line[0] == "trail" else line
        if (line[0] == "trail") and highway == "steps":
            key = (*key, "steps")
        if key not in self._known:
            self._known[key] = self._new(line, highway)
        return self._known[key]

    def _new(self, line: tuple[Any, ...], highway: str) -> tuple[str, str] | None:
        names, kind = self._names, line[0]
        if kind in ("u", "v"):
            if line[1] == 0:
                return names.one("大道" if highway == "primary" else "路")
            return names.one("路") if line[1] == 1 else self._of_series((kind, line[3], int(line[2]) // 8), "街")
        if kind == "alley":
            return self._of_series(("alley", int(line[1]) // 24), "巷")
        if kind == "ground":
            return Names.of(line[1], "步道") if line[2] == "公园" else None
        if kind == "greenway":
            zh = str(line[1])
            river = {"澜水河": "Lanshui", "石泉溪": "Shiquan", "榕湾溪": "Rongwan"}[zh]
            return f"{zh}绿道", f"{river} Greenway"
        if kind == "trail":
            return names.one("石阶" if highway == "steps" else "古道")
        return names.one("山路") if kind == "hill" else None

    def _of_series(self, key: object, kind: str) -> tuple[str, str]:
        """Neighbours share a name and are numbered, nine at most."""
        base, number = self._series.get(key, (None, 9))
        if number == 9 or base is None:
            base, number = self._names.base(), 0
        self._series[key] = base, number + 1
        return Names.numbered(base, kind, number + 1)


def _chains(edges: list[Edge]) -> list[list[int]]:
    """The edges of one line as runs of nodes, each run one way."""
    at: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        at[edge.a].append(edge)
        at[edge.b].append(edge)
    left = {id(e): e for e in edges}
    runs: list[list[int]] = []
    ends = [n for n in sorted(at) if len(at[n]) == 1] + sorted(at)
    for start in ends:
        while _first(at[start], left):
            runs.append(_run(start, at, left))
    return runs


def _run(start: int, at: dict[int, list[Edge]], left: dict[int, Edge]) -> list[int]:
    run, edge = [start], _first(at[start], left)
    while edge:
        del left[id(edge)]
        run.append(edge.b if edge.a == run[-1] else edge.a)
        edge = _first(at[run[-1]] if len(at[run[-1]]) == 2 else [], left)
    return run


def _first(edges: list[Edge], left: dict[int, Edge]) -> Edge | None:
    return next((e for e in edges if id(e) in left), None)


def _ways(net: Net, names: Names) -> list[tuple[list[int], dict[str, str]]]:
    """(nodes, tags) of every way, in a settled order."""
    namer = Namer(names)
    bridges: dict[Any, tuple[str, str]] = {}
    groups: dict[tuple[Any, ...], list[Edge]] = defaultdict(list)
    for number, edge in enumerate(net.edges):
        alone = number if edge.tags else -1
        groups[(edge.line, edge.highway, alone)].append(edge)
    made = []
    for (line, highway, _alone), edges in groups.items():
        tags = {"highway": str(highway)}
        if name := namer.of(line, str(highway)):
            tags |= {"name": name[0], "name:zh": name[0], "name:en": name[1]}
        if highway == "steps":
            tags |= {"wheelchair": "no", "step_count": "24"}
        if edges[0].tags:
            bridge = bridges.setdefault(line, names.one("桥"))
            tags |= {"bridge": "yes", "layer": "1", "bridge:name": bridge[0], "bridge:name:en": bridge[1]}
        if highway == "primary":
            tags["sidewalk"] = "both"
        made += [(run, tags) for run in _chains(edges)]
    return made


def write(path: Path, town: Town) -> dict[str, int]:
    """Write the file; how many nodes and ways that one can walk on it holds."""
    net, walkable = town.net, town.ways
    used = sorted({n for run, _ in walkable for n in run})
    ids = {n: number for number, n in enumerate(used, 1)}
    places = [ground.degrees(*net.xy[n]) for n in used]
    lines: list[tuple[list[tuple[float, float]], dict[str, str]]] = [
        (list(r.line.coords), {"waterway": "river", "name": r.zh, "name:en": r.en}) for r in town.rivers]
    lines += [([*g.outline.exterior.coords], {"leisure": "park", "name": g.zh, "name:en": g.en}) for g in town.grounds]
    lines.append((_expressway(net), {"highway": "motorway", "foot": "no", "oneway": "yes", "layer": "2", "bridge": "yes",
                                     "name": EXPRESSWAY[0], "name:en": EXPRESSWAY[1]}))
    drawn: list[tuple[list[int], dict[str, str]]] = []
    for points, tags in lines:
        closed = points[0] == points[-1]
        first = len(places) + 1
        places += [ground.degrees(*p) for p in (points[:-1] if closed else points)]
        drawn.append(([*range(first, len(places) + 1), *([first] if closed else [])], tags))
    header = osmium.io.Header()
    header.set("generator", f"Anlan tools.demonstration: {MARK}")
    with osmium.SimpleWriter(str(path), header=header, overwrite=True) as writer:
        for number, place in enumerate(places, 1):
            writer.add_node(Node(id=number, location=place, version=1, timestamp=WHEN))
        for number, (nodes, tags) in enumerate([*(([ids[n] for n in run], t) for run, t in walkable), *drawn], 1):
            writer.add_way(Way(id=number, nodes=nodes, tags=tags | {"source": MARK}, version=1, timestamp=WHEN))
    return {"nodes": len(used), "ways": len(walkable)}


def _expressway(net: Net) -> list[tuple[float, float]]:
    """Over everything from west to east; nobody walks there, and it meets no street."""
    line = LineString([(-6500, -2400), (-3000, -900), (500, 900), (3600, 2100), (6800, 5400)])
    return [(p.x, p.y) for p in (line.interpolate(d) for d in range(0, int(line.length), 250))]
