"""What other rooms ask of the regions. Every answer is of the tree as the database has it now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from portal.regions import codes
from portal.regions.geodesy import DECIMALS, to_polygon
from portal.regions.search import find
from portal.regions.snapshot import Node, Snapshot, current, held

__all__ = [
    "Node",
    "at_point",
    "at_points",
    "box",
    "children",
    "communities_under",
    "current",
    "get",
    "held",
    "names",
    "outline",
    "overlap",
    "population_of",
    "search",
    "topmost",
    "touched_by",
    "tree",
]


def tree(root: str) -> Node | None:
    """The region with everything below it, or None when there is no such region."""
    return current().nodes.get(root)


def get(code: str) -> Node | None:
    """The region of this code."""
    return current().nodes.get(code)


def names(wanted: Iterable[str]) -> dict[str, dict[str, str]]:
    """`{code: {"zh": …, "en": …}}` of those that are known."""
    nodes = current().nodes
    return {code: {"zh": nodes[code].name_zh, "en": nodes[code].name_en} for code in wanted if code in nodes}


def children(code: str) -> list[Node]:
    """The regions one level below, by code."""
    node = get(code)
    return list(node.children) if node else []


def topmost(wanted: Iterable[str]) -> list[str]:
    """The codes without those that lie in another of them; sorted, each once. Raises ValueError for what is
    no code."""
    kept: list[str] = []
    for code in sorted(set(wanted)):
        codes.level_of(code)
        # A region sorts right before what it contains, so only the last kept one can contain this one.
        if not kept or not codes.contains(kept[-1], code):
            kept.append(code)
    return kept


def communities_under(wanted: Iterable[str]) -> list[str]:
    """The communities in these regions, sorted, each once."""
    snapshot = current()
    return [
        code
        for top in topmost(wanted)
        for code in snapshot.below(top)
        if snapshot.nodes[code].level == "community"
    ]


def population_of(wanted: Iterable[str]) -> int:
    """People in these regions, nobody twice; a region without a figure counts as the sum of its children."""
    nodes = current().nodes
    return sum(nodes[code].population or 0 for code in topmost(wanted) if code in nodes)


def box(code: str) -> tuple[float, float, float, float] | None:
    """(west, south, east, north) of a region: of its boundary, else of what lies below it; None without
    any."""
    snapshot = current()
    node = snapshot.nodes.get(code)
    if node and node.box:
        return node.box
    boxes = [b for c in snapshot.below(code) if (b := snapshot.nodes[c].box)]
    if not boxes:
        return None
    wests, souths, easts, norths = zip(*boxes, strict=True)
    return min(wests), min(souths), max(easts), max(norths)


def at_point(lon: float, lat: float) -> str | None:
    """The community in which a point lies; on a shared edge the one with the lower code."""
    return at_points([(lon, lat)])[0]


def at_points(points: Sequence[tuple[float, float]]) -> list[str | None]:
    """The community of each point, in their order."""
    if not points:
        return []
    snapshot = current()
    xs, ys = np.array(points, dtype=float).T.copy()
    inside = np.isfinite(xs) & np.isfinite(ys)
    answer: list[str | None] = [None] * len(points)
    if not inside.any():
        return answer
    near = snapshot.near(xs[inside].min(), ys[inside].min(), xs[inside].max(), ys[inside].max())
    open_ = np.flatnonzero(inside)
    for code in near:
        if not len(open_):
            break
        west, south, east, north = snapshot.nodes[code].box  # type: ignore[misc]
        x, y = xs[open_], ys[open_]
        maybe = np.flatnonzero((x >= west) & (x <= east) & (y >= south) & (y <= north))
        if not len(maybe) or (geometry := snapshot.geometries([code]).get(code)) is None:
            continue
        hit = maybe[snapshot.covering(geometry, x[maybe], y[maybe])]
        for index in open_[hit]:
            answer[index] = code
        open_ = np.delete(open_, hit)
    return answer


def _touching(snapshot: Snapshot, drawn: BaseGeometry) -> dict[str, BaseGeometry]:
    found = snapshot.geometries(snapshot.near(*drawn.bounds))
    shapely.prepare(drawn)
    # A common edge or corner alone shares no ground.
    return {code: g for code, g in sorted(found.items()) if drawn.intersects(g) and not drawn.touches(g)}


def touched_by(area: dict[str, Any]) -> list[str]:
    """The communities that share ground with a checked area (see :mod:`portal.regions.area`), sorted."""
    return list(_touching(current(), shape(to_polygon(area))))


def overlap(area: dict[str, Any], code: str | None = None) -> Any:
    """The fraction (0 to 1) of each touched community that a checked area covers, by code; with `code`, that
    one's fraction alone. Areas are compared in degrees, which at the size of a community changes no per
    mille."""
    drawn = shape(to_polygon(area))
    found = {
        c: min(1.0, drawn.intersection(g).area / g.area)
        for c, g in _touching(current(), drawn).items()
        if code in (None, c)
    }
    return found if code is None else found.get(code, 0.0)


def outline(wanted: Iterable[str]) -> dict[str, Any] | None:
    """GeoJSON Polygon or MultiPolygon around these regions (their own boundaries, or their children's
    joined), outer rings counter-clockwise; None where no boundary is known."""
    snapshot = current()
    parts: list[BaseGeometry] = []
    for code in topmost(wanted):
        parts += _boundaries(snapshot, code)
    if not parts:
        return None
    joined = shapely.orient_polygons(shapely.union_all(parts))
    return _rounded(mapping(joined))


def _boundaries(snapshot: Snapshot, code: str) -> list[BaseGeometry]:
    node = snapshot.nodes.get(code)
    if node is None:
        return []
    if node.box and (own := snapshot.geometries([code])):
        return list(own.values())
    return [part for child in node.children for part in _boundaries(snapshot, child.code)]


def _rounded(geometry: dict[str, Any]) -> dict[str, Any]:
    def walk(value: Any) -> Any:
        return [walk(v) for v in value] if isinstance(value, (list, tuple)) else round(float(value), DECIMALS)

    return {"type": geometry["type"], "coordinates": walk(geometry["coordinates"])}


def search(text: str, language: str = "zh", *, root: str | None = None, limit: int = 20) -> list[Node]:
    """Regions that `text` may mean, best first: by code, Chinese name, pinyin (with or without tones and
    spaces, or initials) or English name; below `root` only, where one is given."""
    snapshot = current()
    order = snapshot.below(root) if root else snapshot.order
    return find(text, (snapshot.nodes[code] for code in order), language, limit)
