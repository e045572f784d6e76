"""What a person draws on the map: a polygon or a circle, checked and brought into one form.

``{"type": "Polygon", "coordinates": [[[lon, lat], …]]}`` with one closed ring, counter-clockwise, or
``{"type": "Circle", "center": [lon, lat], "radius": metres}``; WGS 84, six decimals (about 0.1 m).
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, NoReturn

import shapely
from flask_babel import lazy_gettext as _l
from shapely.geometry import Polygon

from portal import current_settings
from portal.core.errors import Invalid
from portal.regions import lookup
from portal.regions.geodesy import DECIMALS, NOTHING, to_polygon

__all__ = ["MAX_POINTS", "MAX_RADIUS", "MIN_RADIUS", "check_area", "to_polygon"]

MAX_POINTS = 500
#: Metres. Under ten, the corners of a circle would fall together at six decimals.
MIN_RADIUS, MAX_RADIUS = 10.0, 100_000.0
Box = tuple[float, float, float, float]
_AT = re.compile(r"\[(-?[\d.eE+-]+) (-?[\d.eE+-]+)\]")


def check_area(obj: Any, within: Box | None = None, field: str = "target.area") -> dict[str, Any]:
    """The area in its one form, or Invalid with what is wrong and how to mend it.

    It must share ground with the box `within` (west, south, east, north); by default that of the portal's
    district, where its boundary is known. An open ring is closed; repeated points are dropped.
    """
    if not isinstance(obj, dict):
        _refuse(field, _l("The drawn area cannot be read. Draw it again on the map."))
    within = within or lookup.box(current_settings().district)
    if obj.get("type") == "Polygon":
        return _check_polygon(obj.get("coordinates"), within, field)
    if obj.get("type") == "Circle":
        return _check_circle(obj, within, field)
    if obj.get("type") == "MultiPolygon":
        _refuse(
            field,
            _l(
                "The area has several parts. Draw one polygon that holds them all, or choose regions instead."
            ),
        )
    return _refuse(field, _l("The drawn area must be one polygon or one circle."))


def _check_polygon(coordinates: Any, within: Box | None, field: str) -> dict[str, Any]:
    listed = isinstance(coordinates, (list, tuple))
    if not listed or not all(isinstance(ring, (list, tuple)) for ring in coordinates):
        _refuse(field, _l("The drawn area cannot be read. Draw it again on the map."))
    rings: list[Any] = list(coordinates)
    if len(rings) > 1:
        _refuse(field, _l("The area has a hole. Draw it without one: everyone inside the outline is warned."))
    given = rings[0] if rings else []
    if len(given) > MAX_POINTS + 1:
        _refuse_many(field, len(given))
    ring: list[list[float]] = []
    for point in given:
        if (position := _position(point, field)) not in ring[-1:]:
            ring.append(position)
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    if len(ring) < 3:
        _refuse(field, _l("The area has too few points: a polygon needs at least three different ones."))
    if len(ring) > MAX_POINTS:
        _refuse_many(field, len(ring))
    _check_place(ring, within, field)
    polygon = Polygon(ring)
    if polygon.convex_hull.area < NOTHING:  # its own area is zero for a symmetric bow tie too
        _refuse(field, _l("All points of the area lie on one line, so it holds nothing. Draw it again."))
    if not polygon.is_valid:
        _refuse_crossing(polygon, field)
    closed = [list(p) for p in shapely.orient_polygons(polygon).exterior.coords]
    return {"type": "Polygon", "coordinates": [closed]}


def _check_circle(obj: dict[str, Any], within: Box | None, field: str) -> dict[str, Any]:
    radius = _number(obj.get("radius"), field)
    if not MIN_RADIUS <= radius <= MAX_RADIUS:
        _refuse(
            field,
            _l(
                "The radius of the circle must be between %(least)s metres and %(most)s kilometres.",
                least=int(MIN_RADIUS),
                most=int(MAX_RADIUS / 1000),
            ),
        )
    centre = _position(obj.get("center"), field)
    if not within:
        _check_place([centre], None, field)
    area = {"type": "Circle", "center": centre, "radius": round(radius, 1)}
    if within and _in_world([centre]) and _meets(to_polygon(area)["coordinates"][0], within):
        return area
    _check_place([centre], within, field)
    return area


def _refuse(field: str, message: Any) -> NoReturn:
    raise Invalid.one(field, message)


def _refuse_many(field: str, count: int) -> NoReturn:
    _refuse(
        field,
        _l(
            "The area has %(count)s points; at most %(most)s are allowed. Draw a simpler outline.",
            count=count,
            most=MAX_POINTS,
        ),
    )


def _refuse_crossing(polygon: Polygon, field: str) -> NoReturn:
    if found := _AT.search(shapely.is_valid_reason(polygon)):
        lon, lat = (f"{float(v):.5f}" for v in found.groups())
        _refuse(
            field,
            _l(
                "The outline of the area crosses itself near longitude %(lon)s, latitude %(lat)s. Move "
                "the points so that no two edges cross.",
                lon=lon,
                lat=lat,
            ),
        )
    _refuse(field, _l("The outline of the area crosses itself. Move the points so that no two edges cross."))


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(field, _l("The area holds something that is not a number. Draw it again."))
    # A whole number of hundreds of digits is legal JSON and too large for a float.
    if (isinstance(value, int) and abs(value) > 10**12) or not isfinite(value):
        _refuse(field, _l("The area holds a number that is not finite. Draw it again."))
    return float(value)


def _position(point: Any, field: str) -> list[float]:
    if not isinstance(point, (list, tuple)) or len(point) not in (2, 3):
        _refuse(field, _l("Each point of the area is a longitude and a latitude."))
    return [round(_number(v, field), DECIMALS) + 0.0 for v in point[:2]]


def _in_world(points: list[list[float]]) -> bool:
    return all(abs(lon) <= 180 and abs(lat) <= 90 for lon, lat in points)


def _meets(points: list[list[float]], box: Box) -> bool:
    west, south, east, north = box
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs) <= east and max(xs) >= west and min(ys) <= north and max(ys) >= south


def _check_place(points: list[list[float]], within: Box | None, field: str) -> None:
    """Refuse what lies nowhere on Earth or away from the box; say so when only the order of the axes is
    wrong."""
    turned = [[lat, lon] for lon, lat in points]
    right = _in_world(points) and (within is None or _meets(points, within))
    if right:
        return
    if _in_world(turned) and (within is None or _meets(turned, within)):
        _refuse(
            field,
            _l(
                "Latitude and longitude are swapped: give the longitude first (here %(lon)s), then the "
                "latitude (here %(lat)s).",
                lon=turned[0][0],
                lat=turned[0][1],
            ),
        )
    if not _in_world(points):
        _refuse(field, _l("The area has a longitude beyond 180 degrees or a latitude beyond 90 degrees."))
    _refuse(field, _l("The area lies outside the district. Draw it inside the district's boundary."))
