"""A map of the communities that tells classes by pattern and words, not by colour alone. Drawn on the server."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, radians
from typing import Any

import numpy as np
import shapely
from markupsafe import Markup, escape

from portal.regions import lookup

#: Class → its pattern: background, and the lines on it.
_INK = "#0b5876"
_PATTERNS = {
    "met": f'<rect width="8" height="8" fill="{_INK}" fill-opacity=".35"/>',
    "near": f'<rect width="8" height="8" fill="#fff"/><path d="M4 0v8" stroke="{_INK}" stroke-width="1.5"/>',
    "below": f'<rect width="8" height="8" fill="#fff"/><path d="M0 8l8-8M-2 2l4-4M6 10l4-4" stroke="{_INK}" stroke-width="1.5"/>',
    "none": '<rect width="8" height="8" fill="#fff"/><path d="M0 0l8 8M8 0l-8 8" stroke="#4a5866" stroke-width="1.2"/>',
    "unknown": '<rect width="8" height="8" fill="#fff"/><circle cx="4" cy="4" r="1.1" fill="#4a5866"/>',
}
_WIDTH = 640


def swatch(key: str) -> Markup:
    """A small sample of a class for the legend."""
    drawing = f'<rect width="22" height="16" fill="url(#class-{escape(key)})"/>'
    return Markup('<svg class="swatch" width="22" height="16" viewBox="0 0 22 16" aria-hidden="true">{}</svg>').format(
        Markup(drawing))  # noqa: S704 - the key is escaped


def draw(classes: Mapping[str, str], texts: Mapping[str, str], titles: Mapping[str, str], label: str) -> Markup:
    """The communities, each with its class (a key of the patterns), the text in it and its title; by region code. Empty where
    no boundary is known."""
    shapes = lookup.current().geometries(sorted(classes))
    if not shapes:
        return Markup()
    west, south, east, north = shapely.total_bounds(list(shapes.values()))
    scale = (_WIDTH - 8) / max((east - west) * cos(radians((south + north) / 2)), 1e-9)
    factor = np.array([scale * cos(radians((south + north) / 2)), -scale])
    height = round((north - south) * scale) + 8
    pieces = [f'<svg class="map" role="img" aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"'
              f' height="{height}" xmlns="http://www.w3.org/2000/svg"><defs>',
              *(f'<pattern id="class-{key}" width="8" height="8" patternUnits="userSpaceOnUse">{drawing}</pattern>'
                for key, drawing in _PATTERNS.items()), '</defs>']
    words = []
    streets: dict[str, list[Any]] = {}
    for code, shape in shapes.items():
        flat = shapely.transform(shape.simplify(0.0001), lambda at: np.rint((at - [west, north]) * factor + 4))
        streets.setdefault(code[:9], []).append(flat)
        pieces.append(f'<path d="{_trace(flat)}" fill="url(#class-{classes[code]})" stroke="#8794a1"><title>'
                      f'{escape(titles[code])}</title></path>')
        centre = shapely.transform(shape, lambda at: (at - [west, north]) * factor + 4).representative_point()
        words.append(f'<text x="{centre.x:.0f}" y="{centre.y + 4:.0f}">{escape(texts[code])}</text>')
    pieces += [f'<path class="outline" d="{_trace(shapely.union_all([p.buffer(0) for p in parts]))}"/>'
               for parts in streets.values()]
    return Markup("".join([*pieces, '<g aria-hidden="true">', *words, "</g></svg>"]))  # noqa: S704 - every text is escaped


def _trace(shape: Any) -> str:
    out = []
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon":
            for ring in (part.exterior, *part.interiors):
                points = shapely.get_coordinates(ring).round().astype(int).tolist()
                out.append("M" + "L".join(f"{x} {y}" for x, y in points[:-1]) + "z")
    return "".join(out)
