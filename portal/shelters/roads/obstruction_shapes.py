"""The shape of an obstruction: checked, mended where it can be, and brought into one form.

GeoJSON Point, LineString, MultiLineString, Polygon or MultiPolygon in WGS 84, six decimals (about 0.1 m). Outlines that
cross themselves are mended, and that is said; what encloses nothing, is too large or lies elsewhere is refused in words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, hypot, isfinite, radians
from typing import Any, NoReturn

import numpy as np
import shapely
from flask_babel import lazy_gettext as _l
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from portal import current_settings
from portal.core.errors import Invalid
from portal.regions import lookup
from portal.regions.geodesy import DECIMALS, NOTHING

TYPES = ("Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
MAX_POINTS = 2000
#: Square kilometres and kilometres: what is larger is a mistake, or would cut every way at once.
MAX_AREA, MAX_LENGTH = 25.0, 30.0
#: Square metres: what is smaller holds no way.
MIN_AREA = 1.0
#: How far (degrees, about 3 km) beyond the district's box ways still matter to it.
_MARGIN = 0.03
_DEGREE = 111_320.0  # metres of a degree of latitude, to 0.3 %
FIELD = "geometry"


@dataclass(frozen=True)
class Shape:
    """`geojson` in its one form; `mended`: the outline crossed itself, and is now something else than was given."""

    geojson: dict[str, Any]
    mended: bool = False


def check(given: Any) -> Shape:
    """The shape in its one form. Raises Invalid at the field `geometry`."""
    if not isinstance(given, dict) or given.get("type") not in TYPES:
        _refuse(_l("Draw a point, a line or an area on the map, or type its coordinates."))
    points = list(_positions(given.get("coordinates"), 0))
    if not points:
        _refuse(_l("Draw a point, a line or an area on the map, or type its coordinates."))
    if len(points) > MAX_POINTS:
        _refuse(_l("The shape has %(count)s points; at most %(most)s are allowed. Draw a simpler one.", count=len(points),
                   most=MAX_POINTS))
    _check_place(points)
    try:
        geometry = shape({"type": given["type"], "coordinates": given["coordinates"]})
    except (shapely.errors.GEOSException, ValueError, TypeError, IndexError, KeyError, AttributeError):
        _refuse(_l("The shape cannot be read: a line needs two points, an area three."))
    whole, mended = _valid(geometry)
    _check_size(whole)
    rounded = _rounded(whole)
    if rounded.geom_type.endswith("Polygon"):
        rounded = shapely.orient_polygons(rounded)
    return Shape(json.loads(shapely.to_geojson(rounded)), mended)


def buffered(geojson: dict[str, Any], radius: float) -> BaseGeometry:
    """The ground that a checked shape takes up with `radius` metres around it, in degrees."""
    geometry = shape(geojson)
    if radius <= 0:
        return geometry
    scale = _scale(geometry)
    return shapely.transform(shapely.transform(geometry, lambda at: at * scale).buffer(radius, 8), lambda at: at / scale)


def communities(geojson: dict[str, Any], radius: float) -> list[str]:
    """The communities whose ground the shape, with `radius` metres around it, touches; sorted."""
    ground = buffered(geojson, max(radius, 1.0))
    snapshot = lookup.current()
    shapely.prepare(ground)
    return sorted(code for code, g in snapshot.geometries(snapshot.near(*ground.bounds)).items() if ground.intersects(g))


def _refuse(message: Any) -> NoReturn:
    raise Invalid.one(FIELD, message)


def _positions(value: Any, depth: int) -> Iterator[tuple[float, float]]:
    """Every position in a nest of lists, each one checked to be two finite numbers."""
    if not isinstance(value, (list, tuple)) or depth > 4:
        _refuse(_l("The shape holds something that is not a pair of numbers."))
    if value and not isinstance(value[0], (list, tuple)):
        if len(value) not in (2, 3):
            _refuse(_l("Each point is a longitude and a latitude."))
        for number in value:
            if isinstance(number, bool) or not isinstance(number, (int, float)) or abs(number) > 1e9 or not isfinite(number):
                _refuse(_l("The shape holds something that is not a pair of numbers."))
        yield float(value[0]), float(value[1])
        return
    for inner in value:
        yield from _positions(inner, depth + 1)


def _check_place(points: list[tuple[float, float]]) -> None:
    box = lookup.box(current_settings().district) or (-180.0, -90.0, 180.0, 90.0)
    if all(_near(lon, lat, box) for lon, lat in points):
        return
    if all(_near(lat, lon, box) for lon, lat in points):
        _refuse(_l("Latitude and longitude are swapped: give the longitude first (here %(lon)s), then the latitude"
                   " (here %(lat)s).", lon=points[0][1], lat=points[0][0]))
    lon, lat = next(p for p in points if not _near(*p, box))
    _refuse(_l("The point %(lon)s, %(lat)s lies outside the district. Draw inside the district's boundary.", lon=lon, lat=lat))


def _near(lon: float, lat: float, box: tuple[float, float, float, float]) -> bool:
    west, south, east, north = box
    return west - _MARGIN <= lon <= east + _MARGIN and south - _MARGIN <= lat <= north + _MARGIN


def _valid(geometry: BaseGeometry) -> tuple[BaseGeometry, bool]:
    """The geometry without heights, and whether its outline had to be mended."""
    geometry = shapely.force_2d(geometry)
    if geometry.is_empty:
        _refuse(_l("The shape cannot be read: a line needs two points, an area three."))
    if not geometry.geom_type.endswith("Polygon"):
        return geometry, False
    if geometry.is_valid and geometry.convex_hull.area >= NOTHING:
        return geometry, False
    mended = _surfaces(shapely.make_valid(geometry))
    if mended.convex_hull.area < NOTHING:
        _refuse(_l("All points of the area lie on one line, so it holds nothing. Draw it again, or draw a line."))
    return mended, True


def _rounded(geometry: BaseGeometry) -> BaseGeometry:
    """On six decimals, and valid there too: rounding alone can make edges cross that ran close to each other."""
    rounded = shapely.transform(geometry, lambda at: np.round(at, DECIMALS))
    if rounded.is_valid:
        return rounded
    fitted = _surfaces(shapely.set_precision(geometry, 10.0 ** -DECIMALS))
    if fitted.is_empty:
        _refuse(_l("All points of the area lie on one line, so it holds nothing. Draw it again, or draw a line."))
    return shapely.transform(fitted, lambda at: np.round(at, DECIMALS))


def _surfaces(geometry: BaseGeometry) -> BaseGeometry:
    """Only the areas of what mending left: spikes and single points hold no ground."""
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon"]
    parts += [q for p in shapely.get_parts(geometry) if p.geom_type == "MultiPolygon" for q in shapely.get_parts(p)]
    return shapely.union_all(parts) if parts else shapely.Polygon()


def _scale(geometry: BaseGeometry) -> np.ndarray:
    _west, south, _east, north = geometry.bounds
    return np.array([_DEGREE * cos(radians((south + north) / 2)), _DEGREE])


def _check_size(geometry: BaseGeometry) -> None:
    scale = _scale(geometry)
    west, south, east, north = geometry.bounds
    flat = shapely.transform(geometry, lambda at: at * scale)
    if geometry.geom_type.endswith("Polygon"):
        if flat.area < MIN_AREA:
            _refuse(_l("The area is smaller than one square metre: draw a point with a radius instead."))
        if flat.area > MAX_AREA * 1e6:
            _refuse(_l("The area holds %(size)s km²; at most %(most)s are allowed. Draw what is really cut.",
                       size=round(flat.area / 1e6, 1), most=int(MAX_AREA)))
    elif geometry.geom_type.endswith("LineString") and flat.length < 0.5:
        _refuse(_l("The line has no length: draw a point with a radius instead."))
    if hypot((east - west) * scale[0], (north - south) * scale[1]) > MAX_LENGTH * 1000:
        _refuse(_l("The shape is longer than %(most)s km. Draw what is really cut.", most=int(MAX_LENGTH)))
