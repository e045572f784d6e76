"""The tree as one process remembers it: nodes in memory, boundaries on demand.

One application keeps one snapshot. Before each use a single small query reads the stamp and the number of
regions; where they differ from the snapshot's, it is built anew. So an import by another process is seen at
the next question. All writes go through the importer, which renews the stamp; the count also notices rows
that came by other ways.

Names and boxes of all regions are kept (a province of 30,000: some 30 MB); geometries are kept for the
`MAX_GEOMETRIES` last used and read again when needed.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from flask import current_app, has_request_context, request
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select

from portal.core.db import db
from portal.regions import codes
from portal.regions.models import Region, RegionStamp

MAX_GEOMETRIES = 4096
_CHUNK = 500
_OF_REQUEST = "anlan.regions"
_held: ContextVar[Snapshot | None] = ContextVar("anlan.regions", default=None)
_COLUMNS = (
    Region.code,
    Region.parent_code,
    Region.level,
    Region.name_zh,
    Region.name_en,
    Region.pinyin,
    Region.population,
    Region.demonstration,
    Region.west,
    Region.south,
    Region.east,
    Region.north,
)


@dataclass(frozen=True)
class Node:
    """One region with everything below it. `population` is its own figure, or the sum of its children's where
    it has none, or None where nothing is known; `box` is (west, south, east, north) or None without a
    boundary."""

    code: str
    level: str
    name_zh: str
    name_en: str
    pinyin: str
    population: int | None
    demonstration: bool
    box: tuple[float, float, float, float] | None
    children: tuple[Node, ...] = field(default=(), repr=False)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first, by code."""
        yield self
        for child in self.children:
            yield from child.walk()


class Snapshot:
    """All regions at one stamp. Safe to share between threads."""

    def __init__(self, token: tuple[str | None, int], rows: Iterable[Any]) -> None:
        self.token = token
        self.nodes: dict[str, Node] = {}
        self._geometries: OrderedDict[str, BaseGeometry] = OrderedDict()
        # GEOS builds a prepared geometry's index at its first use: not two threads at once.
        self._lock = threading.RLock()
        self.roots = self._build(rows)
        self.order = sorted(self.nodes)

    def _build(self, rows: Iterable[Any]) -> tuple[Node, ...]:
        """Nodes from rows of `_COLUMNS` sorted from the highest code to the lowest: children come before
        parents."""
        waiting: dict[str | None, list[Node]] = {}
        for row in rows:
            children = tuple(reversed(waiting.pop(row.code, [])))
            population = row.population
            known = [c.population for c in children if c.population is not None]
            if population is None and known:
                population = sum(known)
            box = None if row.west is None else (row.west, row.south, row.east, row.north)
            node = Node(
                row.code,
                row.level,
                row.name_zh,
                row.name_en,
                row.pinyin,
                population,
                row.demonstration,
                box,
                children,
            )
            self.nodes[row.code] = node
            waiting.setdefault(row.parent_code, []).append(node)
        return tuple(sorted((n for nodes in waiting.values() for n in nodes), key=lambda n: n.code))

    @cached_property
    def placed(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the communities that have a boundary, ascending, and their boxes (n × 4)."""
        found = [n for code in self.order if (n := self.nodes[code]).level == "community" and n.box]
        boxes = np.array([n.box for n in found], dtype=float).reshape(-1, 4)
        return np.array([n.code for n in found], dtype=object), boxes

    def near(self, west: float, south: float, east: float, north: float) -> list[str]:
        """Communities whose box meets this one, ascending."""
        found, box = self.placed
        mask = (box[:, 0] <= east) & (box[:, 2] >= west) & (box[:, 1] <= north) & (box[:, 3] >= south)
        return list(found[mask])

    def below(self, code: str) -> list[str]:
        """Known codes of a subtree, itself included, ascending; also where `code` itself is not known."""
        low, high = codes.code_range(code)
        first, last = np.searchsorted(self._order_array, [low, high + "~"])
        return self.order[first:last]

    @cached_property
    def _order_array(self) -> np.ndarray:
        return np.array(self.order, dtype="U13")

    def geometries(self, wanted: Iterable[str]) -> dict[str, BaseGeometry]:
        """Prepared boundaries of those that have one."""
        found: dict[str, BaseGeometry] = {}
        missing = []
        with self._lock:
            for code in wanted:
                if (geometry := self._geometries.get(code)) is not None:
                    self._geometries.move_to_end(code)
                    found[code] = geometry
                elif code in self.nodes and self.nodes[code].box:
                    missing.append(code)
        for start in range(0, len(missing), _CHUNK):
            rows = db.session.execute(
                select(Region.code, Region.boundary).where(Region.code.in_(missing[start : start + _CHUNK]))
            )
            for code, boundary in rows:
                if boundary:
                    found[code] = self._keep(code, shape(boundary))
        return found

    def _keep(self, code: str, geometry: BaseGeometry) -> BaseGeometry:
        with self._lock:
            shapely.prepare(geometry)
            self._geometries[code] = geometry
            while len(self._geometries) > MAX_GEOMETRIES:
                self._geometries.popitem(last=False)
        return geometry

    def covering(self, geometry: BaseGeometry, xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        """Which of the points lie in `geometry` or on its edge."""
        with self._lock:
            return shapely.intersects_xy(geometry, xs, ys)


def current() -> Snapshot:
    """The tree as the database has it now. One request sees one tree, asked for once, and so does what runs under
    :func:`held`; elsewhere take it once for a loop of many questions."""
    if (own := _held.get()) is not None:
        return own
    if not has_request_context():
        return _newest()
    found: Snapshot | None = request.environ.get(_OF_REQUEST)
    if found is None:
        found = request.environ[_OF_REQUEST] = _newest()
    return found


@contextlib.contextmanager
def held() -> Iterator[Snapshot]:
    """Within it this thread sees the tree as it is at the beginning, and asks for it once."""
    mark = _held.set(_newest())
    try:
        yield current()
    finally:
        _held.reset(mark)


def _newest() -> Snapshot:
    token = tuple(
        db.session.execute(
            select(
                select(RegionStamp.stamp).where(RegionStamp.id == 1).scalar_subquery(),
                select(func.count()).select_from(Region).scalar_subquery(),
            )
        ).one()
    )
    kept = current_app.extensions.get("regions")
    if kept is None or kept.token != token:
        rows = db.session.execute(
            select(*_COLUMNS).order_by(Region.code.desc()).execution_options(yield_per=_CHUNK)
        )
        kept = current_app.extensions["regions"] = Snapshot(token, rows)
    return kept
