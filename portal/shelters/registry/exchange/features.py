"""GeoJSON (RFC 7946): a point per shelter; everything else are properties, in the names of our own model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely
from flask_babel import lazy_gettext as _l
from shapely.geometry import shape

from portal.core.errors import Problem
from portal.shelters.registry import checks, parsing
from portal.shelters.registry.exchange.reading import Row, features
from portal.shelters.registry.exchange.table import LIVE
from portal.shelters.registry.suitability import HAZARDS

_FIELDS = frozenset(checks.FIELDS)


class Features:
    """A reader of one file; `notes` are about the file as a whole."""

    key = "geojson"
    encodings = ("utf-8-sig",)

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self._unknown: dict[str, None] = {}

    def column(self, field: str) -> str:
        return field

    def rows(self, path: Path, encoding: str) -> Iterator[Row]:
        for number, feature in features(path):
            yield self._row(number, feature)
        if self._unknown:
            self.notes.append(_l("These properties are not known here and were left out: %(names)s.",
                                 names=", ".join(list(self._unknown)[:20])))

    def _row(self, number: int, feature: Any) -> Row:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict):
            return Row(number, {}, [Problem("", _l("This is no GeoJSON feature with properties."))])
        if not parsing.is_writable(feature):
            return Row(number, {}, [Problem("", parsing.UNSHOWABLE)])
        given = {name: value for name, value in properties.items() if name in _FIELDS}
        for name in properties:
            if name not in _FIELDS and name not in LIVE and len(self._unknown) < 100:
                self._unknown[str(name)[:40]] = None
        row = Row(number, given)
        if "code" not in given and isinstance(feature.get("id"), str | int):
            given["code"] = str(feature["id"])
        _place(row, feature.get("geometry"))
        return row


def _place(row: Row, geometry: Any) -> None:
    """A point is the shelter's place; an outline is its ground, and a point inside it its place unless one is said."""
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if geometry is None:
        return
    if kind == "Point":
        position = geometry.get("coordinates")
        if isinstance(position, list) and len(position) >= 2:
            row.given["longitude"], row.given["latitude"] = position[:2]
        else:
            row.problems.append(Problem("longitude", _l("The point has no longitude and latitude.")))
    elif kind in ("Polygon", "MultiPolygon"):
        row.given["boundary"] = geometry
        if "longitude" not in row.given:
            try:
                inside = shape(geometry).representative_point()
                row.given["longitude"], row.given["latitude"] = float(inside.x), float(inside.y)
            except (shapely.errors.ShapelyError, ValueError, TypeError, LookupError, AttributeError, OverflowError):
                pass  # what is wrong with the outline is said where it is checked
    else:
        row.problems.append(Problem("boundary", _l("The geometry is %(kind)s; a Point or an outline (Polygon, MultiPolygon) is "
                                                   "needed.", kind=str(kind)[:20])))


def write_feature(values: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """One shelter. Unknown is null; where the place is unknown the geometry is null too."""
    properties: dict[str, Any] = {}
    for name in checks.FIELDS:
        value = values[name]
        if name == "suitability":
            value = {hazard: (value or {}).get(hazard) for hazard in HAZARDS}
        elif name in checks.TEXTS:
            value = value or None
        properties[name] = value.isoformat() if hasattr(value, "isoformat") else value
    for name in LIVE:
        value = live[name]
        properties[name] = value.isoformat() if hasattr(value, "isoformat") else value or None if value == "" else value
    point = None
    if values["longitude"] is not None and values["latitude"] is not None:
        point = {"type": "Point", "coordinates": [values["longitude"], values["latitude"]]}
    return {"type": "Feature", "id": values["code"], "geometry": point, "properties": properties}
