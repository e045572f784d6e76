"""The field of one community in one small file, for phones that must find the way without a network.

JSON of: `x`, `y` (millionths of a degree, each from the node that its first link leads to, else from the node before; the first
from 0, 0); `n` (one digit per node: its links), `to` (per link: node minus target), `way` (per link: position in `ways`);
`layers` of key → position in `trees`, and what to say without a way; a tree is one character per node: a digit is the link to
follow, `-` no way, `?` not told here, any other (from U+00C0) the door where one arrives. Nodes come in the order of
the first tree from its doors outwards, so that numbers are small. `tight` of a tree: one `1` per node for which no
place could be kept, else `0`, or nothing where all are `0`. `cuts` and `slow` by `ground`: where nobody walks, and links that
take longer. The times of a way are summed up along it. `words`: the phrases in both languages. See site/static/field.js,
which reads it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from portal.shelters.field.made import DOOR, SPEEDS, STEPS_FACTOR
from portal.shelters.field.phrases import phrases
from portal.shelters.field.routes import OUTSIDE
from portal.shelters.field.steps import Way
from portal.shelters.roads.graph import STEPS, scales

if TYPE_CHECKING:
    from portal.shelters.field.view import FieldView

#: Metres around a community whose nodes are in its file too, for who lives at its edge.
MARGIN = 120.0
_SCALE = 1_000_000
_FIRST_DOOR = 0xC0
_ELSEWHERE = -(2**31)
_MOST_LINKS, _MOST_CORNERS = 10, 400
Ints = NDArray[np.int64]


def community_file(view: FieldView, code: str) -> bytes:
    """The file as UTF-8. Raises KeyError for a community without a node of the graph."""
    trees, keys = _trees(view)
    own = _own(view, code)
    # On a way that leaves the community only its own tree is followed: what others do there is not in the file.
    trees = [np.where(_followed(own, following), following, _ELSEWHERE) for following in trees]
    nodes = _ordered(view, own | np.any([following != _ELSEWHERE for following in trees], axis=0), trees)
    position = np.full(view.graph.nodes, -1, np.int64)
    position[nodes] = np.arange(len(nodes))
    links = _Links(view, nodes, position, trees)
    said = {
        "form": 1, "version": view.version, "made": view.made_at.isoformat(timespec="seconds"), "code": code,
        "speed": SPEEDS, "steps": STEPS_FACTOR, "outside": OUTSIDE,
        **links.coordinates(), "n": links.counts, "to": links.to, "way": links.way, "ways": links.ways,
        "trees": links.trees, "tight": _tight(view, nodes, keys), "doors": links.doors(), "places": _places(view),
        "layers": {key: {"tree": number, "basis": view.basis(key), "ground": view.made.ground[key.partition(".")[0]],
                         **_without(view, key)} for key, number in keys.items()},
        "cuts": [_rings(cuts, _box(view, nodes)) for cuts in view.made.cuts],
        "slow": [links.slow(slowed) for slowed in view.made.slowed],
        "words": {language: phrases(language) for language in ("zh", "en")},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _trees(view: FieldView) -> tuple[list[Any], dict[str, int]]:
    """The different layers, the one that reaches most first, and which of them each key has."""
    found: dict[int, Any] = {id(layer): layer for layer in view.made.layers.values()}
    order = sorted(found.values(), key=lambda layer: -int((layer.next != -1).sum()))
    at = {id(layer): number for number, layer in enumerate(order)}
    return [layer.next for layer in order], {key: at[id(layer)] for key, layer in view.made.layers.items()}


def _tight(view: FieldView, nodes: Ints, keys: dict[str, int]) -> list[str]:
    told = {number: view.made.layers[key].tight[nodes] for key, number in keys.items()}
    return ["".join(map(str, told[number].astype(int).tolist())) if told[number].any() else "" for number in sorted(told)]


def _own(view: FieldView, code: str) -> NDArray[np.bool_]:
    """The community's nodes, and those around it."""
    graph = view.graph
    own = view.community_nodes[code]
    if not len(own):
        raise KeyError(code)
    from scipy.spatial import cKDTree  # only here: reading it takes a fifth of a second of each start

    kx, ky = (float(v) for v in scales(float(graph.lat[own].mean())))
    flat = np.stack([graph.lon * kx, graph.lat * ky], 1)
    away, _nearest = cKDTree(flat[own]).query(flat, distance_upper_bound=MARGIN)
    return np.isfinite(away)


def _followed(own: NDArray[np.bool_], following: Any) -> NDArray[np.bool_]:
    """These nodes with all on their ways to the doors."""
    wanted = own.copy()
    new = np.flatnonzero(wanted)
    while len(new):
        ahead = np.unique(following[new])
        new = ahead[ahead >= 0]
        new = new[~wanted[new]]
        wanted[new] = True
    return wanted


def _ordered(view: FieldView, wanted: NDArray[np.bool_], trees: list[Any]) -> Ints:
    """The nodes in the order of the first tree: each after the one that it leads to, branch by branch."""
    nodes = np.flatnonzero(wanted)
    following = trees[0] if trees else np.full(view.graph.nodes, -1)
    after: dict[int, list[int]] = {}
    roots = []
    for node, ahead in zip(nodes.tolist(), following[nodes].tolist(), strict=True):
        if ahead >= 0:
            after.setdefault(ahead, []).append(node)
        else:
            roots.append(node)
    order, waiting = [], roots[::-1]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += after.get(node, ())
    return np.array(order, np.int64)


class _Links:
    """The next hops of all trees as numbered links of each node."""

    def __init__(self, view: FieldView, nodes: Ints, position: Ints, trees: list[Any]) -> None:
        self._view, self._nodes = view, nodes
        self._first: list[int] = []
        self._edges: list[int] = []
        self._doors: dict[int, int] = {}
        self._ways: dict[tuple[Way, bool], int] = {}
        self.to: list[int] = []
        self.way: list[int] = []
        counts, said = [], [[] for _ in trees]  # type: list[str], list[list[str]]
        ahead = [following[nodes].tolist() for following in trees]
        for number, node in enumerate(nodes.tolist()):
            targets: dict[int, int] = {}
            for tree, hops in zip(said, ahead, strict=True):
                tree.append(self._character(hops[number], targets))
            counts.append(str(len(targets)))
            self._first.append(next((int(position[t]) for t in targets), -1))
            for target in targets:
                self._add(node, target, number - int(position[target]))
        self.counts, self.trees = "".join(counts), ["".join(tree) for tree in said]
        self.ways = [[way.zh, way.en, way.kind, int(slow)] for way, slow in self._ways]

    def _character(self, hop: int, targets: dict[int, int]) -> str:
        if hop >= 0:
            if len(targets) >= _MOST_LINKS and hop not in targets:
                return "-"  # a crossing of more than ten ways that all lead somewhere: there is none
            return str(targets.setdefault(hop, len(targets)))
        if hop == _ELSEWHERE:
            return "?"
        if hop <= DOOR:
            return chr(_FIRST_DOOR + self._doors.setdefault(DOOR - hop, len(self._doors)))
        return "-"

    def _add(self, node: int, target: int, back: int) -> None:
        edge = self._view.graph.edge_between(node, target)
        on_steps = bool(self._view.graph.flags[edge] & STEPS)
        self._edges.append(edge)
        self.to.append(back)
        self.way.append(self._ways.setdefault((self._view.way(edge), on_steps), len(self._ways)))

    def coordinates(self) -> dict[str, list[int]]:
        graph, nodes = self._view.graph, self._nodes
        first = np.array(self._first, np.int64)
        # The node that the first link leads to comes earlier in the first tree only.
        base = np.where((first >= 0) & (first < np.arange(len(nodes))), first, np.arange(len(nodes)) - 1)
        told = {}
        for key, values in (("x", graph.lon), ("y", graph.lat)):
            whole = np.rint(values[nodes] * _SCALE).astype(np.int64)
            told[key] = (whole - np.where(base >= 0, whole[np.maximum(base, 0)], 0)).tolist()
        return told

    def slow(self, slowed: dict[int, float]) -> dict[str, float]:
        """Link → how many times as long."""
        return {str(n): slowed[edge] for n, edge in enumerate(self._edges) if edge in slowed}

    def doors(self) -> list[list[Any]]:
        """Place, longitude, latitude, names, hours of each door."""
        all_ = self._view.made.doors
        return [[all_[d].shelter, all_[d].lon, all_[d].lat, all_[d].zh, all_[d].en, all_[d].hours] for d in self._doors]


def _places(view: FieldView) -> list[list[Any]]:
    """Code, names, longitude, latitude, status and when it was observed, of all shelters of the field."""
    return [[p.code, p.zh, p.en, p.lon, p.lat, p.status, p.status_at] for p in view.made.places]


def _without(view: FieldView, layer: str) -> dict[str, Any]:
    """What to say where there is no way, and which shelters may be named then."""
    family = layer.partition(".")[0]
    return {"else": view.otherwise(layer), "suit": [
        n for n, p in enumerate(view.made.places) if family in p.families and p.state != "out" and p.lon is not None]}


def _box(view: FieldView, nodes: Ints) -> Any:
    """Around the nodes, with what may stand between somebody and the nearest of them."""
    graph, wide = view.graph, OUTSIDE / 90_000
    return shapely.box(graph.lon[nodes].min() - wide, graph.lat[nodes].min() - wide, graph.lon[nodes].max() + wide,
                       graph.lat[nodes].max() + wide)


def _rings(cuts: Any, box: Any) -> list[list[list[int]]]:
    """The outer and inner rings of the ground in the box, each as x, y, x, y … in millionths, from one corner to the next."""
    rings = []
    for ground in cuts:
        if not ground.intersects(box):
            continue
        for part in shapely.get_parts(shapely.intersection(ground, box)):
            if part.geom_type == "Polygon":
                rings.append([_deltas(ring) for ring in (part.exterior, *part.interiors)])
    return rings


def _deltas(ring: Any) -> list[int]:
    at = np.rint(shapely.get_coordinates(ring) * _SCALE).astype(np.int64)
    if len(at) > _MOST_CORNERS:
        at = np.rint(shapely.get_coordinates(shapely.simplify(ring, 1e-5)) * _SCALE).astype(np.int64)
    return np.diff(at, axis=0, prepend=0).ravel().tolist()
