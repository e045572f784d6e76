"""The walkable graph: nodes on ways, and the straight pieces of way between them, as arrays.

Every bend of a way is a node, so that a route's line follows the street and a straight piece is all there is to an edge.
People on foot go both ways, but where `ONEWAY_FOOT` says otherwise.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import pi, sin, sqrt
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from portal.regions.geodesy import AXIS, FLATTENING

#: What an edge is, for words where it has no name and for how fast one walks on it.
KINDS = ("road", "footway", "path", "steps", "pedestrian", "crossing", "corridor", "service", "track")
STEPS_KIND = KINDS.index("steps")
#: Flags of an edge. NOT_STEP_FREE: known to be no way for wheels (steep, rough, or said so); steps have STEPS.
STEPS, BRIDGE, TUNNEL, ONEWAY_FOOT, NOT_STEP_FREE = 1, 2, 4, 8, 16
#: Decimals of coordinates: 0.1 m.
DECIMALS = 6
_ECCENTRICITY2 = FLATTENING * (2 - FLATTENING)
_RADIANS = pi / 180
_SHORTEST = 0.1
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


def scales(lat: ArrayLike) -> tuple[Floats, Floats]:
    """Metres per degree of longitude and of latitude at `lat` degrees on the ellipsoid of WGS 84 (its radii of curvature in the
    prime vertical and in the meridian; Snyder, Map Projections: A Working Manual, USGS 1395, eq. 4-18 to 4-20)."""
    phi = np.radians(np.asarray(lat, dtype=float))
    w2 = 1 - _ECCENTRICITY2 * np.sin(phi) ** 2
    w = np.sqrt(w2)
    return np.pi / 180 * AXIS / w * np.cos(phi), np.pi / 180 * AXIS * (1 - _ECCENTRICITY2) / (w2 * w)


def metres(lon1: ArrayLike, lat1: ArrayLike, lon2: ArrayLike, lat2: ArrayLike) -> Floats:
    """Metres between points that lie near each other (under a millimetre of error up to a kilometre)."""
    lat1, lat2 = np.asarray(lat1, dtype=float), np.asarray(lat2, dtype=float)
    kx, ky = scales((lat1 + lat2) / 2)
    x = (np.asarray(lon2, dtype=float) - np.asarray(lon1, dtype=float)) * kx
    y = (lat2 - lat1) * ky
    return np.sqrt(x * x + y * y)


def distance(lon1: float, lat1: float, lon2: float, lat2: float) -> float:
    """As :func:`metres`, of one pair: an array's way there takes ten times as long. The phone's script has the same lines."""
    sine = sin((lat1 + lat2) / 2 * _RADIANS)
    w2 = 1 - _ECCENTRICITY2 * sine * sine
    w = sqrt(w2)
    x = (lon2 - lon1) * (_RADIANS * AXIS / w * sqrt(1 - sine * sine))
    y = (lat2 - lat1) * (_RADIANS * AXIS * (1 - _ECCENTRICITY2) / (w2 * w))
    return sqrt(x * x + y * y)


@dataclass(frozen=True, eq=False)
class Graph:
    """`lon`, `lat`: WGS 84 degrees of each node. Edge `i` runs from node `a[i]` to `b[i]`, `length[i]` metres; its name is
    `names[name[i]]` as (zh, en), `names[0]` being none; `kind[i]` is an index of KINDS, `flags[i]` a sum of the flags.
    `summary`: what the import counted."""

    lon: Floats
    lat: Floats
    a: Ints
    b: Ints
    length: Floats
    name: Ints
    names: tuple[tuple[str, str], ...]
    kind: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def nodes(self) -> int:
        return len(self.lon)

    @property
    def edges(self) -> int:
        return len(self.a)

    @cached_property
    def arcs(self) -> Arcs:
        """Both directions of every edge, by node."""
        return Arcs.of(self)

    @cached_property
    def component(self) -> Ints:
        """The number of the island that each node lies on; 0 is the largest."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if not self.nodes:
            return np.zeros(0, np.int32)
        joined = coo_array((np.ones(self.edges, np.int8), (self.a, self.b)), shape=(self.nodes, self.nodes))
        count, labels = connected_components(joined, directed=False)
        order = np.argsort(-np.bincount(labels, minlength=count), kind="stable")
        rank = np.empty(count, np.int32)
        rank[order] = np.arange(count, dtype=np.int32)
        return rank[labels]

    @cached_property
    def edge_tree(self) -> shapely.STRtree:
        """The edges as lines, to be asked what touches them: made once, because it takes longer than all questions."""
        ends = np.stack([np.stack([self.lon[v], self.lat[v]], 1) for v in (self.a, self.b)], 1)
        return shapely.STRtree(shapely.linestrings(ends))

    @cached_property
    def finder(self) -> Finder:
        """Which nodes are near."""
        return Finder(self.lon, self.lat)

    def edge_between(self, u: int, v: int) -> int:
        """The edge that joins two neighbours. Raises KeyError when they are none."""
        arcs = self.arcs
        lo, hi = int(arcs.start[u]), int(arcs.start[u + 1])
        at = lo + int(np.searchsorted(arcs.to[lo:hi], v))
        if at >= hi or arcs.to[at] != v:
            raise KeyError((u, v))
        return int(arcs.edge[at])


@dataclass(frozen=True, eq=False)
class Arcs:
    """Row `u` is `start[u]:start[u + 1]`: neighbours `to`, in rising order, over the edges `edge`. `passable`: whether one may
    walk from the neighbour to `u`, for the search runs from the shelters outwards."""

    start: Ints
    to: Ints
    edge: Ints
    passable: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: Graph) -> Arcs:
        number = np.arange(graph.edges, dtype=np.int32)
        u = np.concatenate([graph.a, graph.b])
        v = np.concatenate([graph.b, graph.a])
        oneway = (graph.flags & ONEWAY_FOOT) != 0
        # Walking goes from a to b: the search may step from b to a, not from a to b.
        passable = np.concatenate([~oneway, np.ones(graph.edges, bool)])
        order = np.lexsort((v, u))
        start = np.zeros(graph.nodes + 1, np.int32)
        np.cumsum(np.bincount(u, minlength=graph.nodes), out=start[1:])
        return cls(start, v[order].astype(np.int32), np.concatenate([number, number])[order], passable[order])


class Finder:
    """Finds the nodes near a place. Positions are laid flat at the middle latitude of the graph for the search, and what it
    finds is put in order by true distance."""

    def __init__(self, lon: Floats, lat: Floats) -> None:
        from scipy.spatial import cKDTree

        self._lon, self._lat = lon, lat
        self._scale = np.array([float(v) for v in scales(float(lat.mean()) if len(lat) else 0.0)])
        self._tree = cKDTree(np.stack([lon, lat], 1) * self._scale) if len(lon) else None

    def near(self, lon: float, lat: float, count: int, within: float) -> list[tuple[float, int]]:
        """Up to `count` nodes as (metres, node), the nearest first; of equal ones the lower number."""
        if self._tree is None:
            return []
        # The flat search is wrong by the difference of latitudes: look a little farther, and measure then.
        _far, found = self._tree.query((lon * self._scale[0], lat * self._scale[1]), k=count, distance_upper_bound=within * 1.02)
        last = len(self._lon)
        here = [n for n in (found.tolist() if count > 1 else [int(found)]) if n < last]
        away = ((distance(lon, lat, float(self._lon[n]), float(self._lat[n])), n) for n in here)
        return sorted((m, n) for m, n in away if m <= within)


def make(lon: ArrayLike, lat: ArrayLike, a: ArrayLike, b: ArrayLike, *, name: ArrayLike | None = None,
         names: Sequence[tuple[str, str]] = (("", ""),), kind: ArrayLike | None = None, flags: ArrayLike | None = None,
         summary: dict[str, Any] | None = None) -> Graph:
    """A graph of raw arrays: coordinates rounded to DECIMALS, lengths measured, pieces from a node to itself dropped, and of
    several pieces between the same two nodes the easiest kept. Raises ValueError for what is no graph."""
    x, y = (np.round(np.asarray(v, dtype=float), DECIMALS) for v in (lon, lat))
    at, to = (np.asarray(v, dtype=np.int64) for v in (a, b))
    count = len(at)
    label, sort, flag = (np.zeros(count, np.int64) if v is None else np.asarray(v, np.int64) for v in (name, kind, flags))
    _check(x, y, at, to, label, sort, names)
    # The easiest of parallel pieces: without steps, for wheels, for both directions; then the named one.
    hard = (flag & STEPS) * 8 + (flag & NOT_STEP_FREE) // 4 + (flag & ONEWAY_FOOT) // 4
    order = np.lexsort((label == 0, hard, np.maximum(at, to), np.minimum(at, to)))
    low, high = np.minimum(at, to)[order], np.maximum(at, to)[order]
    first = np.ones(count, bool)
    first[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    kept = np.sort(order[first & (low != high)])
    at, to = at[kept], to[kept]
    length = np.maximum(metres(x[at], y[at], x[to], y[to]), _SHORTEST)
    found = {"merged": int(count - len(kept))} | (summary or {})
    return Graph(x, y, at.astype(np.int32), to.astype(np.int32), length, label[kept].astype(np.int32),
                 tuple((str(zh), str(en)) for zh, en in names), sort[kept].astype(np.uint8), flag[kept].astype(np.uint8), found)


def _check(x: Floats, y: Floats, a: NDArray[np.int64], b: NDArray[np.int64], name: NDArray[np.int64], kind: NDArray[np.int64],
           names: Sequence[tuple[str, str]]) -> None:
    if len(x) != len(y) or len({len(a), len(b), len(name), len(kind)}) != 1:
        raise ValueError("the arrays of a graph have different lengths")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (np.abs(x) <= 180).all() and (np.abs(y) <= 90).all()):
        raise ValueError("a node lies nowhere on Earth")
    if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= len(x)):
        raise ValueError("an edge names a node that is not there")
    if not len(names) or tuple(names[0]) != ("", ""):
        raise ValueError("the first name of a graph is empty")
    if len(a) and (name.min() < 0 or name.max() >= len(names) or kind.min() < 0 or kind.max() >= len(KINDS)):
        raise ValueError("an edge has a name or a kind that is not there")


def divided(graph: Graph, longest: float) -> Graph:
    """The graph with further nodes on pieces longer than `longest` metres, so that the nearest node is near everywhere on
    a way."""
    pieces = np.maximum(1, np.ceil(graph.length / longest)).astype(np.int64)
    whole, parts = np.flatnonzero(pieces == 1), np.flatnonzero(pieces > 1)
    new = pieces[parts] - 1
    first = graph.nodes + np.concatenate([[0], np.cumsum(new)])
    edge = np.repeat(parts, new)
    step = np.arange(len(edge)) - np.repeat(first[:-1] - graph.nodes, new) + 1
    share = step / pieces[edge]
    lon = graph.lon[graph.a[edge]] * (1 - share) + graph.lon[graph.b[edge]] * share
    lat = graph.lat[graph.a[edge]] * (1 - share) + graph.lat[graph.b[edge]] * share
    number = graph.nodes + np.arange(len(edge))
    begins = np.where(step == 1, graph.a[edge], number - 1)
    last = first[1:] - 1
    a = np.concatenate([graph.a[whole], begins, last])
    b = np.concatenate([graph.b[whole], number, graph.b[parts]])
    of = np.concatenate([whole, edge, parts])
    return make(np.concatenate([graph.lon, lon]), np.concatenate([graph.lat, lat]), a, b, name=graph.name[of],
                names=graph.names, kind=graph.kind[of], flags=graph.flags[of], summary=graph.summary)


def to_bytes(graph: Graph) -> bytes:
    """The graph in the form in which the database keeps it: a compressed archive of arrays, nothing that could run."""
    head = json.dumps({"form": 1, "names": graph.names, "summary": graph.summary}, ensure_ascii=False).encode()
    target = io.BytesIO()
    scale = 10**DECIMALS
    np.savez_compressed(
        target, head=np.frombuffer(head, np.uint8), x=np.rint(graph.lon * scale).astype(np.int32),
        y=np.rint(graph.lat * scale).astype(np.int32), a=graph.a, b=graph.b, name=graph.name, kind=graph.kind, flags=graph.flags)
    return target.getvalue()


def from_bytes(data: bytes) -> Graph:
    """The graph that :func:`to_bytes` wrote. Raises ValueError when it is none."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            parts = {key: stored[key] for key in ("head", "x", "y", "a", "b", "name", "kind", "flags")}
        head = json.loads(parts["head"].tobytes())
        scale = 10**DECIMALS
        return make(parts["x"] / scale, parts["y"] / scale, parts["a"], parts["b"], name=parts["name"],
                    names=[tuple(pair) for pair in head["names"]], kind=parts["kind"], flags=parts["flags"],
                    summary=head["summary"])
    except (OSError, KeyError, TypeError, EOFError) as error:
        raise ValueError(f"this is no stored graph: {error}") from error
