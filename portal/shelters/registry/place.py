"""Where a shelter is: points that can be right, swapped axes, and the outline of its ground. WGS 84 degrees."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import cos, hypot, isfinite, radians
from typing import Any

import shapely
from flask_babel import lazy_gettext as _l
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from portal import current_settings
from portal.regions import lookup
from portal.regions.boundaries import CHINA, WORLD
from portal.regions.geodesy import NOTHING

Box = tuple[float, float, float, float]
#: Degrees around the district (about 100 km) within which a shelter of a neighbour may lie.
MARGIN = 1.0
#: Seven decimals are a centimetre: more than anybody measures, and what a phone writes.
DECIMALS = 7
#: Positions of an outline; a CSV line holds so many.
MAX_POSITIONS = 1000
_AT = re.compile(r"\[(-?[\d.eE+-]+) (-?[\d.eE+-]+)\]")


def bounds() -> Box:
    """The box in which a shelter of this portal can be: the district's and a margin; the Earth where it has no outline."""
    box = lookup.box(current_settings().district)
    return WORLD if box is None else (box[0] - MARGIN, box[1] - MARGIN, box[2] + MARGIN, box[3] + MARGIN)


def inside(lon: float, lat: float, box: Box) -> bool:
    return box[0] <= lon <= box[2] and box[1] <= lat <= box[3]


def swapped(lon: float, lat: float, box: Box) -> bool:
    """Whether the two are right only the other way round."""
    if box == WORLD:  # nothing is known of the district: China's degrees tell by themselves which is which
        return inside(lat, lon, CHINA) or (not inside(lon, lat, WORLD) and inside(lat, lon, WORLD))
    return not inside(lon, lat, box) and inside(lat, lon, box)


def point_problem(lon: float, lat: float, box: Box) -> Any:
    """Why a shelter cannot be there, lazily in words; None when it can."""
    if swapped(lon, lat, box):
        return _l("Longitude and latitude are swapped: the longitude must be %(lon)s and the latitude %(lat)s.",
                  lon=f"{lat:.6g}", lat=f"{lon:.6g}")
    if not inside(lon, lat, WORLD):
        return _l("%(lon)s, %(lat)s is not on Earth: longitudes go to 180 and latitudes to 90 degrees.",
                  lon=f"{lon:.9g}", lat=f"{lat:.9g}")
    if not inside(lon, lat, box):
        return _l("%(lon)s, %(lat)s lies far outside the district. WGS 84 degrees are needed.",
                  lon=f"{lon:.9g}", lat=f"{lat:.9g}")
    return None


def metres_between(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two near points (longitude, latitude), on a plane; good to a per mille within a district."""
    middle = radians((a[1] + b[1]) / 2)
    return 111_195 * hypot((a[0] - b[0]) * cos(middle), a[1] - b[1])


class BadOutline(Exception):
    """Why an outline cannot be taken; `message` is lazy."""

    def __init__(self, message: Any) -> None:
        self.message = message
        super().__init__(str(message))


@dataclass(frozen=True, slots=True)
class Outline:
    """A valid Polygon or MultiPolygon as GeoJSON, outer rings counter-clockwise, and what was mended (lazy words)."""

    geojson: dict[str, Any]
    mended: tuple[Any, ...] = ()


def read_outline(value: Any) -> dict[str, Any] | None:
    """A geometry from GeoJSON, its text, or well-known text; None for empty. Raises BadOutline."""
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise BadOutline(_l("The outline must be a GeoJSON Polygon or MultiPolygon."))
    text = value.strip()
    if not text:
        return None
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise BadOutline(_l("The outline is not readable as GeoJSON.")) from None
        return found if isinstance(found, dict) else {}
    try:
        return dict(shapely.geometry.mapping(shapely.from_wkt(text)))
    except shapely.errors.ShapelyError:
        raise BadOutline(_l("The outline is neither GeoJSON nor well-known text such as POLYGON((…)).")) from None


def outline(value: Any, box: Box) -> Outline | None:
    """The outline in its one form, mended where that is possible without guessing. Raises BadOutline, saying where."""
    geometry = read_outline(value)
    if geometry is None:
        return None
    parts = _parts(geometry)
    first = parts[0][0][0]
    for lon, lat in (position for part in parts for ring in part for position in ring):
        if problem := point_problem(lon, lat, box):
            raise BadOutline(problem)
    mended: list[Any] = []
    whole = _whole(parts)
    if not whole.is_valid:
        where = _where(whole, first)
        whole = _mend(whole, where)
        mended.append(_l("The outline crossed itself near %(lon)s, %(lat)s and was mended: look at it on the map.",
                         lon=where[0], lat=where[1]))
    return Outline(_geojson(whole), tuple(mended))


def far_from(point: tuple[float, float], geojson: dict[str, Any]) -> float:
    """Metres from a point to an outline; 0 inside it."""
    ground = shape(geojson)
    x, y = shapely.get_coordinates(shapely.shortest_line(shapely.Point(point), ground))[-1]
    return metres_between(point, (float(x), float(y)))


def _parts(geometry: dict[str, Any]) -> list[list[list[tuple[float, float]]]]:
    if geometry.get("type") not in ("Polygon", "MultiPolygon"):
        raise BadOutline(_l("The outline must be a GeoJSON Polygon or MultiPolygon."))
    raw = geometry.get("coordinates")
    raw = [raw] if geometry["type"] == "Polygon" else raw
    count = 0
    parts = []
    for part in _list(raw):
        rings = []
        for ring in _list(part):
            positions = [_position(p) for p in _list(ring)]
            count += len(positions)
            if count > MAX_POSITIONS:
                raise BadOutline(_l("The outline has more than %(most)s points. Draw a simpler one.", most=MAX_POSITIONS))
            if positions[0] != positions[-1]:
                positions.append(positions[0])
            if len(set(positions)) < 3:
                raise BadOutline(_l("The outline near %(lon)s, %(lat)s has fewer than three points.",
                                    lon=positions[0][0], lat=positions[0][1]))
            rings.append(positions)
        parts.append(rings)
    return parts


def _list(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not value:
        raise BadOutline(_l("The outline has no points."))
    return list(value)


def _position(value: Any) -> tuple[float, float]:
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise BadOutline(_l("Each point of the outline is a longitude and a latitude."))
    numbers = []
    for number in value[:2]:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or abs(number) > 10**9 or not isfinite(number):
            raise BadOutline(_l("The outline holds something that is not a number of degrees."))
        numbers.append(round(float(number), DECIMALS) + 0.0)
    return numbers[0], numbers[1]


def _whole(parts: list[list[list[tuple[float, float]]]]) -> BaseGeometry:
    polygons = [Polygon(rings[0], rings[1:]) for rings in parts]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def _where(whole: BaseGeometry, first: tuple[float, float]) -> tuple[str, str]:
    found = _AT.search(shapely.is_valid_reason(whole))
    lon, lat = (float(v) for v in found.groups()) if found else first
    return f"{lon:.6f}", f"{lat:.6f}"


def _mend(whole: BaseGeometry, where: tuple[str, str]) -> BaseGeometry:
    """The ground that the rings enclose; refused when they enclose none."""
    fixed = shapely.make_valid(whole)
    polygons = [g for g in shapely.get_parts([fixed]) if isinstance(g, Polygon)]
    if isinstance(fixed, shapely.GeometryCollection):
        polygons = [p for g in fixed.geoms for p in shapely.get_parts([g]) if isinstance(p, Polygon)]
    polygons = [p for p in (shapely.set_precision(p, 10**-DECIMALS) for p in polygons)
                if isinstance(p, Polygon) and p.area > NOTHING]
    if not polygons or len(polygons) > 20:
        raise BadOutline(_l("The outline crosses itself near %(lon)s, %(lat)s and cannot be mended. Draw it again.",
                            lon=where[0], lat=where[1]))
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def _geojson(whole: BaseGeometry) -> dict[str, Any]:
    if whole.area <= NOTHING:
        raise BadOutline(_l("The outline encloses no ground."))
    mapped = shapely.geometry.mapping(shapely.orient_polygons(whole))

    def walk(value: Any) -> Any:
        return [walk(v) for v in value] if isinstance(value, (list, tuple)) else round(float(value), DECIMALS) + 0.0

    rounded = {"type": mapped["type"], "coordinates": walk(mapped["coordinates"])}
    if not shape(rounded).is_valid:
        raise BadOutline(_l("Two edges of the outline lie almost on each other. Draw a simpler one."))
    return rounded
