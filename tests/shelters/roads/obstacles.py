"""Obstructions for tests: places in the demonstration district, and values that are right."""

from __future__ import annotations

from typing import Any

from tests.district import LIULIAN

#: A community of another street than LIULIAN.
FAR = "440310005001"
_INSIDE = {LIULIAN: (114.32707, 22.71293), FAR: (114.380508, 22.755065)}


def middle(code: str = LIULIAN) -> tuple[float, float]:
    """A point well inside the community."""
    return _INSIDE[code]


def square(code: str = LIULIAN, half: float = 0.0005) -> dict[str, Any]:
    lon, lat = middle(code)
    ring = [[lon - half, lat - half], [lon + half, lat - half], [lon + half, lat + half], [lon - half, lat + half]]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def point(code: str = LIULIAN) -> dict[str, Any]:
    return {"type": "Point", "coordinates": list(middle(code))}


def values(**changes: Any) -> dict[str, Any]:
    return {"kind": "road_closed", "name_zh": "六联路口", "geometry": point()} | changes


def feature(**properties: Any) -> dict[str, Any]:
    geometry = properties.pop("geometry", None) or point()
    return {"type": "Feature", "geometry": geometry,
            "properties": {"kind": "road_closed", "name_zh": "六联路口", "external_id": "r-1"} | properties}
