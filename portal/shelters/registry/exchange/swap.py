"""Latitude and longitude that stand the wrong way round: found row by row, and turned where that is wished."""

from __future__ import annotations

from typing import Any

from portal.shelters.registry import parsing, place


def turned(given: dict[str, Any], box: place.Box) -> dict[str, Any] | None:
    """The row with every place that is right only the other way round turned; None where nothing is to turn.

    Places that are right as they are stay: one file may hold both.
    """
    changes = _pair(given, box)
    entrances = given.get("entrances")
    if isinstance(entrances, list):
        pairs = [_pair(entrance, box) if isinstance(entrance, dict) else {} for entrance in entrances]
        if any(pairs):
            changes["entrances"] = [e | pair if pair else e for e, pair in zip(entrances, pairs, strict=True)]
    outline = _outline(given.get("boundary"), box)
    if outline is not None:
        changes["boundary"] = outline
    return given | changes if changes else None


def _pair(given: dict[str, Any], box: place.Box) -> dict[str, Any]:
    lon, lat = (parsing.number(given.get(name))[0] for name in ("longitude", "latitude"))
    if lon is None or lat is None or not place.swapped(lon, lat, box):
        return {}
    return {"longitude": given["latitude"], "latitude": given["longitude"]}


def _outline(value: Any, box: place.Box) -> dict[str, Any] | None:
    try:
        geometry = None if parsing.is_unknown(value) else place.read_outline(value)
    except place.BadOutline:
        return None
    if not geometry or geometry.get("type") not in ("Polygon", "MultiPolygon"):
        return None
    first: Any = geometry.get("coordinates")
    while isinstance(first, list | tuple) and first and isinstance(first[0], list | tuple):
        first = first[0]
    if not (isinstance(first, list | tuple) and len(first) >= 2 and all(isinstance(n, int | float) for n in first[:2])):
        return None
    if not place.swapped(float(first[0]), float(first[1]), box):
        return None

    def turn(part: Any) -> Any:
        if isinstance(part, list | tuple) and len(part) >= 2 and all(isinstance(n, int | float) for n in part[:2]):
            return [part[1], part[0]]
        return [turn(p) for p in part] if isinstance(part, list | tuple) else part

    return {"type": geometry["type"], "coordinates": turn(geometry.get("coordinates"))}
