"""The streets of a piece of the walkable graph, as lines to draw: pieces of one name and kind joined."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from portal.warnings.hazards import Phrase

if TYPE_CHECKING:
    from portal.shelters.roads.graph import Graph

#: How a kind of way is drawn: `road` between two lines, `walk` as a dashed line, `steps` as rungs.
STYLE = {"road": "road", "service": "road", "pedestrian": "road", "track": "walk", "footway": "walk", "path": "walk",
         "crossing": "walk", "corridor": "walk", "steps": "steps"}
Box = tuple[float, float, float, float]
Line = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Street:
    """`style`: one of the values of STYLE; `lines` in degrees."""

    name: Phrase
    style: str
    bridge: bool
    lines: tuple[tuple[tuple[float, float], ...], ...]


def within(graph: Graph | None, box: Box) -> list[Street]:
    """Streets that touch the box, unnamed ones too, in a fixed order."""
    if graph is None or not graph.edges:
        return []
    from portal.shelters.roads.graph import BRIDGE, KINDS, STEPS

    a, b = graph.a, graph.b
    west, south, east, north = box
    lon, lat = graph.lon, graph.lat
    near = np.flatnonzero((np.minimum(lon[a], lon[b]) <= east) & (np.maximum(lon[a], lon[b]) >= west)
                          & (np.minimum(lat[a], lat[b]) <= north) & (np.maximum(lat[a], lat[b]) >= south))
    groups: dict[tuple[int, str, bool], list[int]] = defaultdict(list)
    for edge in near.tolist():
        flags = int(graph.flags[edge])
        style = "steps" if flags & STEPS else STYLE.get(KINDS[int(graph.kind[edge])], "road")
        groups[(int(graph.name[edge]), style, bool(flags & BRIDGE))].append(edge)
    return [Street(Phrase(*graph.names[name]), style, bridge, _joined(graph, edges))
            for (name, style, bridge), edges in sorted(groups.items())]


def _joined(graph: Graph, edges: list[int]) -> tuple[tuple[tuple[float, float], ...], ...]:
    at = np.array(edges)
    ends = np.stack([np.stack([graph.lon[v[at]], graph.lat[v[at]]], 1) for v in (graph.a, graph.b)], 1)
    merged: Any = shapely.line_merge(shapely.multilinestrings(ends))
    parts = list(merged.geoms) if merged.geom_type == "MultiLineString" else [merged]
    return tuple(sorted(tuple((round(x, 6), round(y, 6)) for x, y in part.coords) for part in parts))
