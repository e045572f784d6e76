"""A boundary as GeoJSON gives it: what is wrong with it, in plain words, or its one form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

import shapely
from shapely.geometry import MultiPolygon, Polygon

from portal.regions.geodesy import DECIMALS, NOTHING

#: Box around China's land and seas (west, south, east, north). Its longitudes and latitudes do not overlap,
#: so that swapped coordinates are always seen.
CHINA = (73.0, 3.0, 136.0, 54.0)
WORLD = (-180.0, -90.0, 180.0, 90.0)
_AT = re.compile(r"(.*)\[(-?[\d.eE+-]+) (-?[\d.eE+-]+)\]")
Point = tuple[float, float]
Box = tuple[float, float, float, float]


class BadBoundary(Exception):
    """Why a boundary cannot be taken."""


@dataclass(frozen=True)
class Boundary:
    """A valid boundary: GeoJSON Polygon or MultiPolygon of six decimals, outer rings counter-clockwise; its
    box (west, south, east, north); and what is odd about it."""

    geojson: dict[str, Any]
    box: Box
    warnings: tuple[str, ...]


def check_boundary(geometry: Any) -> Boundary:
    """The boundary in its one form. Raises BadBoundary with the first thing that is wrong."""
    if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        found = str(kind)[:40] if kind else "missing"
        raise BadBoundary(f"the geometry is {found}; a boundary is a Polygon or a MultiPolygon")
    parts = geometry.get("coordinates")
    parts = [parts] if geometry["type"] == "Polygon" else parts
    if not isinstance(parts, list) or not parts or not all(isinstance(p, list) and p for p in parts):
        raise BadBoundary("the geometry has no rings")
    rings = [
        [_ring(ring, _where(i, j, len(parts))) for j, ring in enumerate(part)] for i, part in enumerate(parts)
    ]
    points = [point for part in rings for ring in part for point in ring]
    _check_axes(points)
    polygons = [_polygon(part) for part in rings]
    whole = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    if not whole.is_valid:
        raise BadBoundary(_plain(shapely.is_valid_reason(whole)))
    whole = shapely.orient_polygons(whole)
    odd = () if _within(whole.bounds, CHINA) else ("the boundary lies outside China",)
    return Boundary(json.loads(shapely.to_geojson(whole)), whole.bounds, odd)


def _where(part: int, ring: int, parts: int) -> str:
    name = "the outer ring" if ring == 0 else f"hole {ring}"
    return f"{name} of part {part + 1}" if parts > 1 else name


def _ring(ring: Any, where: str) -> list[Point]:
    if not isinstance(ring, list):
        raise BadBoundary(f"{where} is not a list of positions")
    points = [_point(position, n, where) for n, position in enumerate(ring, 1)]
    if len(points) < 4:
        raise BadBoundary(f"{where} has {len(points)} positions; a closed ring needs at least 4")
    if points[0] != points[-1]:
        raise BadBoundary(f"{where} is not closed: repeat its first position {_show(points[0])} at the end")
    return points


def _point(position: Any, number: int, where: str) -> Point:
    if not isinstance(position, list) or len(position) < 2:
        raise BadBoundary(f"position {number} of {where} is not [longitude, latitude]")
    for value in position[:2]:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadBoundary(f"position {number} of {where} holds something that is not a number")
        # A whole number of hundreds of digits is legal JSON and too large for a float.
        if (isinstance(value, int) and abs(value) > 10**9) or not isfinite(value):
            raise BadBoundary(
                f"position {number} of {where} holds a number that is not finite or far too large"
            )
    return round(float(position[0]), DECIMALS), round(float(position[1]), DECIMALS)


def _check_axes(points: list[Point]) -> None:
    box = _box(points)
    turned = (box[1], box[0], box[3], box[2])
    in_world = _within(box, WORLD)
    if _within(turned, CHINA) or (not in_world and _within(turned, WORLD)):
        raise BadBoundary(
            f"latitude and longitude are swapped: {_show(points[0])} must be {_show(points[0][::-1])} "
            "(GeoJSON has the longitude first)"
        )
    if not in_world:
        outside = next(p for p in points if not _within(_box([p]), WORLD))
        raise BadBoundary(
            f"{_show(outside)} is not on Earth: longitudes go to 180 and latitudes to 90 degrees"
        )


def _polygon(rings: list[list[Point]]) -> Polygon:
    polygon = Polygon(rings[0], rings[1:])
    if polygon.convex_hull.area < NOTHING:  # its own area is zero for a symmetric bow tie too
        raise BadBoundary(f"the ring at {_show(rings[0][0])} encloses nothing")
    return polygon


def _plain(reason: str) -> str:
    found = _AT.match(reason)
    what = (found.group(1) if found else reason).strip().lower()
    at = f" near {_show((float(found.group(2)), float(found.group(3))))}" if found else ""
    if "self-intersection" in what:
        return f"the boundary crosses or touches itself{at}"
    return f"the rings do not fit together{at}: {what}"


def _show(point: Point) -> str:
    return f"[{point[0]:.6g}, {point[1]:.6g}]"


def _box(points: list[Point]) -> Box:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _within(inner: Box, outer: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
