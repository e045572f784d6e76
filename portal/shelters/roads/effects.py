"""What obstructions do to the edges of a graph: which are cut, and how many times as long the others take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from portal.shelters.models import CUTS, SLOWS
from portal.shelters.roads.graph import Graph, scales

#: No way is slowed to more than this many times its time; what is worse is cut.
SLOWEST = 20.0
#: Metres around a point or a line that says none: half of a street's width.
LEAST_RADIUS = 5.0
#: Metres; more is a slip of the pen.
MOST_RADIUS = 50_000.0
_QUARTER = 8  # corners of a quarter circle


@dataclass(frozen=True)
class Effect:
    """One obstruction: a GeoJSON geometry in WGS 84, `radius` metres around it where it is a point or a line, `effect` cuts or
    slows, and how many times as long a slowed way takes."""

    geometry: dict[str, Any]
    radius: float
    effect: str
    factor: float = 1.0


@dataclass(frozen=True, eq=False)
class Applied:
    """`factors`: per edge, 1 where nothing is, infinite where cut. `cuts`: the ground where nobody may walk (WGS 84).
    `mended`, `unreadable`: how many shapes crossed themselves, and how many could not be used at all."""

    factors: NDArray[np.float64]
    cuts: tuple[BaseGeometry, ...] = ()
    slows: int = 0
    mended: int = 0
    unreadable: int = 0
    cut_edges: int = 0
    slowed_edges: int = 0

    @cached_property
    def ground(self) -> Ground:
        return Ground(self.cuts)


class Ground:
    """Where nobody may walk."""

    def __init__(self, cuts: Sequence[BaseGeometry]) -> None:
        self._tree = shapely.STRtree(list(cuts)) if cuts else None

    def blocks(self, lon1: float, lat1: float, lon2: float, lat2: float) -> bool:
        """Whether the straight line between two points touches it."""
        if self._tree is None:
            return False
        line = shapely.linestrings([[lon1, lat1], [lon2, lat2]])
        return len(self._tree.query(line, predicate="intersects")) > 0

    def blocked(self, lines: NDArray[Any]) -> NDArray[np.bool_]:
        """The same for an array of shapes."""
        answer = np.zeros(len(lines), bool)
        if self._tree is not None and len(lines):
            answer[self._tree.query(lines, predicate="intersects")[0]] = True
        return answer

    def holds(self, lon: float, lat: float) -> bool:
        return self._tree is not None and len(self._tree.query(shapely.points(lon, lat), predicate="intersects")) > 0


def ground_of(effect: Effect) -> tuple[BaseGeometry, bool]:
    """The ground that an effect covers (WGS 84), and whether its shape had to be mended. Raises ValueError for what is no
    shape."""
    try:
        given = shape(effect.geometry)
    except Exception as error:  # shapely raises many kinds for broken GeoJSON
        raise ValueError(f"the shape cannot be read: {error}") from error
    if given.is_empty or not np.isfinite(shapely.get_coordinates(given)).all():
        raise ValueError("the shape is empty or lies nowhere")
    # A point that crosses nothing needs no mending; a bow tie does, and keeps both of its wings.
    mended = not given.is_valid
    if mended:
        given = shapely.make_valid(given)
    flat = given.geom_type in ("Polygon", "MultiPolygon")
    radius = min(MOST_RADIUS, max(0.0 if flat else LEAST_RADIUS, float(effect.radius)))
    return (_widened(given, radius) if radius else given), mended


def _widened(given: BaseGeometry, radius: float) -> BaseGeometry:
    """`given` with `radius` metres around it, measured on the ground where it lies."""
    middle = given.envelope.centroid
    kx, ky = (float(v) for v in scales(middle.y))

    def to_ground(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return (at - [middle.x, middle.y]) * [kx, ky]

    def to_degrees(at: NDArray[np.float64]) -> NDArray[np.float64]:
        return at / [kx, ky] + [middle.x, middle.y]

    # Corners inside a circle cut it short by 0.5 %; the polygon goes around it instead.
    wide = shapely.buffer(shapely.transform(given, to_ground), radius / np.cos(np.pi / 4 / _QUARTER), quad_segs=_QUARTER)
    return shapely.transform(wide, to_degrees)


def apply(graph: Graph, effects: Sequence[Effect]) -> Applied:
    """The factors that `effects` give the edges. A piece of way is cut or slowed when it touches the ground of an effect; of
    several that slow the slowest counts. Shapes that cannot be read are left out and counted."""
    factors = np.ones(graph.edges)
    grounds: list[BaseGeometry] = []
    kept: list[Effect] = []
    mended = unreadable = 0
    for effect in effects:
        try:
            ground, was_mended = ground_of(effect)
        except ValueError:
            unreadable += 1
            continue
        grounds.append(ground)
        kept.append(effect)
        mended += was_mended
    cuts = tuple(g for g, e in zip(grounds, kept, strict=True) if e.effect == CUTS)
    if grounds and graph.edges:
        hit, edge = graph.edge_tree.query(grounds, predicate="intersects")
        slows = np.array([e.effect == SLOWS for e in kept])
        factor = np.array([np.inf if e.effect == CUTS else min(SLOWEST, max(1.0, float(e.factor))) for e in kept])
        np.maximum.at(factors, edge, factor[hit])
        slow_count = int(slows.sum())
    else:
        slow_count = 0
    return Applied(factors, cuts, slow_count, mended, unreadable, int(np.isinf(factors).sum()),
                   int(((factors > 1) & np.isfinite(factors)).sum()))

