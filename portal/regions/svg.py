"""A small map without JavaScript: a district's communities as inline SVG, what is meant highlighted.

Colours come from the classes below, for a stylesheet to set; attributes give plain ones, so that the map can
be read where the stylesheet has not arrived, and printed. Nothing is styled inline, as the content policy
asks.

    .map         the svg element             .map-land    communities that are not meant
    .map-hit     communities that are meant  .map-street  the line around each street
    .map-area    a drawn area                .map-label   names of streets
    .map-points  signs at places; each also has the class that the caller gives
"""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, radians
from typing import Any

import numpy as np
import shapely
from flask_babel import force_locale
from flask_babel import gettext as _
from markupsafe import Markup, escape
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from portal.regions import lookup
from portal.regions.codes import parent_of
from portal.regions.geodesy import to_polygon

#: More points than this are thinned out first, neighbours alike, so that the page stays light.
_MANY_POINTS = 1500
_MARGIN = 4
_FONT = 20
_NAMED = 12
_SUFFIXES = (" Subdistrict", " Town", " Township")


def map_svg(
    wanted: Iterable[str],
    language: str,
    *,
    highlight: Iterable[str] = (),
    width: int = 640,
    area: dict[str, Any] | None = None,
    points: Iterable[tuple[float, float, str, str]] = (),
) -> Markup:
    """The communities of the regions `wanted`, those of `highlight` marked, and a checked drawn area over
    them. Its text alternative names what is marked. Empty where no boundary is known.

    `points` are signs (longitude, latitude, class, title). The last word of the class picks the shape, so that colour
    is never alone: `…-good` a disc, `…-some` a half-filled ring, `…-bad` a cross, any other an empty ring."""
    snapshot = lookup.current()
    places = snapshot.geometries(lookup.communities_under(wanted))
    if not places:
        return Markup()
    marked = lookup.topmost(highlight)
    hit = set(lookup.communities_under(marked))
    codes = sorted(places)
    canvas = _Canvas([places[code] for code in codes], width)
    drawn = dict(zip(codes, canvas.place([places[code] for code in codes]), strict=True))
    streets: dict[str, list[str]] = {}
    for code in codes:
        streets.setdefault(parent_of(code) or "", []).append(code)
    land, hits, lines, labels = [], [], [], []
    for street, members in streets.items():
        title = lookup.names([street]).get(street, {}).get(language, "")
        land.append(_path((drawn[c] for c in members if c not in hit), title))
        hits.append(_path((drawn[c] for c in members if c in hit), title))
        whole = shapely.union_all([drawn[c] for c in members])
        lines.append(_trace([whole]))
        labels.append(_label(whole, title))
    over = canvas.place([shape(to_polygon(area))]) if area else []
    signs = [_sign(*canvas.pixel(lon, lat), kind, title) for lon, lat, kind, title in points]
    with force_locale(language):
        label = _alternative(marked, language, bool(area))
    line, fill = 'stroke="#556" stroke-linejoin="round"', 'stroke="#fff"'
    size = f'viewBox="0 0 {width} {canvas.height}" width="{width}" height="{canvas.height}"'
    label = escape(label)
    pieces = [
        f'<svg class="map" role="img" aria-label="{label}" {size} xmlns="http://www.w3.org/2000/svg">',
        f'<title>{label}</title>',
        f'<g class="map-land" fill="#dde3e8" {fill}>{"".join(land)}</g>',
        f'<g class="map-hit" fill="#e0705f" {fill}>{"".join(hits)}</g>',
        f'<path class="map-street" fill="none" {line} stroke-width="2" d="{"".join(lines)}"/>',
        f'<path class="map-area" fill="#000" fill-opacity=".12" {line} stroke-width="3" '
        f'stroke-dasharray="8 5" d="{_trace(over)}"/>' if over else "",
        f'<g class="map-label" font-size="{_FONT}" text-anchor="middle" fill="#15202b" stroke="#fff" ',
        f'stroke-width="4" paint-order="stroke" aria-hidden="true">{"".join(labels)}</g>',
        f'<g class="map-points" fill="#15202b" stroke="#15202b">{"".join(signs)}</g>' if signs else "",
        "</svg>",
    ]
    return Markup("".join(pieces))  # noqa: S704 - every text in it is escaped where it is put in


def _alternative(marked: list[str], language: str, area: bool) -> str:
    """What the map shows, in words."""
    known = [name[language] for name in lookup.names(marked[:_NAMED]).values()]
    if not known:
        return _("Map with the drawn area") if area else _("Map of the regions")
    names = _(", ").join(known)
    if len(marked) > _NAMED:
        return _("Map; marked: %(names)s and %(count)s more", names=names, count=len(marked) - _NAMED)
    return _("Map; marked: %(names)s", names=names)


class _Canvas:
    """From degrees to whole pixels: one scale for both axes at the middle latitude, north up."""

    def __init__(self, geometries: list[BaseGeometry], width: int) -> None:
        west, south, east, north = shapely.total_bounds(geometries)
        squeeze = cos(radians((south + north) / 2))
        scale = (width - 2 * _MARGIN) / max((east - west) * squeeze, 1e-9)
        self._west, self._north, self._scale = west, north, np.array([scale * squeeze, -scale])
        self.height = round((north - south) * scale) + 2 * _MARGIN

    def pixel(self, lon: float, lat: float) -> tuple[int, int]:
        x, y = (np.array([lon - self._west, lat - self._north]) * self._scale + _MARGIN).round().astype(int)
        return int(x), int(y)

    def place(self, geometries: list[BaseGeometry]) -> list[BaseGeometry]:
        corner = np.array([self._west, self._north])
        moved = shapely.transform(geometries, lambda points: (points - corner) * self._scale + _MARGIN)
        if shapely.get_num_coordinates(moved).sum() > _MANY_POINTS and len(moved) > 1:
            moved = shapely.coverage_simplify(moved, 2.0)
        return list(shapely.transform(moved, np.rint))


def _trace(geometries: Iterable[BaseGeometry]) -> str:
    """Path data in whole pixels, each ring a start and then steps."""
    out = []
    for geometry in geometries:
        for part in shapely.get_parts(geometry):
            if part.geom_type == "Polygon":
                out += [_ring(ring) for ring in (part.exterior, *part.interiors)]
    return "".join(out)


def _ring(ring: BaseGeometry) -> str:
    points = shapely.get_coordinates(ring).round().astype(int)
    steps = np.diff(points, axis=0)[:-1]
    steps = steps[(steps != 0).any(axis=1)]
    numbers = "".join(f"{' ' if x >= 0 else ''}{x}{' ' if y >= 0 else ''}{y}" for x, y in steps.tolist())
    return f"M{points[0][0]} {points[0][1]}l{numbers.strip()}z" if numbers else ""


def _path(geometries: Iterable[BaseGeometry], title: str) -> str:
    data = _trace(geometries)
    return f'<path d="{data}"><title>{escape(title)}</title></path>' if data else ""


def _label(street: BaseGeometry, title: str) -> str:
    """The street's name in the middle of its widest place; none where there is no room for it."""
    for suffix in _SUFFIXES:
        title = title.removesuffix(suffix)
    room = street.bounds[2] - street.bounds[0] if not street.is_empty else 0
    if not title or sum(_FONT if ord(c) > 0x2E80 else _FONT * 0.55 for c in title) > room:
        return ""
    x, y = shapely.get_coordinates(shapely.maximum_inscribed_circle(street))[0]
    return f'<text x="{x:.0f}" y="{y + _FONT * 0.35:.0f}">{escape(title)}</text>'


_RING = "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z"
_SIGNS = {
    "good": '<path d="M{at}' + _RING + '"/>',
    "some": '<path fill="none" d="M{at}' + _RING + '"/><path d="M{at}m0-5a5 5 0 0 1 0 10z"/>',
    "bad": '<path stroke-width="3" d="M{at}m-4-4l8 8m0-8l-8 8"/>',
}
_EMPTY = '<path fill="none" d="M{at}' + _RING + '"/>'


def _sign(x: int, y: int, kind: str, title: str) -> str:
    drawing = _SIGNS.get(kind.rsplit("-", 1)[-1], _EMPTY).format(at=f"{x} {y}")
    return f'<g class="{escape(kind)}"><title>{escape(title)}</title>{drawing}</g>'
