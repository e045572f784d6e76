"""Names of streets and places with where they are, so that a device finds a typed address without asking anybody."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from portal.regions import lookup
from portal.shelters.roads import store as roads
from portal.shelters.roads.graph import Graph

#: More names than this are left out, those of the shortest streets first.
MOST = 3000
#: About 1 m.
_DECIMALS = 5

Entry = list[Any]


def entries(view: Any, codes: Sequence[str]) -> list[Entry]:
    """[Chinese name, English name, longitude, latitude, community] of the communities' named places and, for each community,
    of each street that runs in it: the street's point nearest to its middle there."""
    found: list[Entry] = []
    if view is not None:
        for code in codes:
            found += [[zh, en, round(lon, _DECIMALS), round(lat, _DECIMALS), code]
                      for zh, en, _node, lon, lat in view.origins(code)]
    return (found + streets(codes))[:MOST]


def streets(codes: Sequence[str]) -> list[Entry]:
    graph = roads.current()
    return [] if graph is None else _streets(graph, lookup.current().token, tuple(codes))


@lru_cache(maxsize=2)
def _streets(graph: Graph, _regions: Any, codes: tuple[str, ...]) -> list[Entry]:
    number = {code: at for at, code in enumerate(codes)}
    where = lookup.at_points(list(zip(graph.lon.tolist(), graph.lat.tolist(), strict=True)))
    community = np.array([number.get(code or "", -1) for code in where], np.int64)
    wanted = np.flatnonzero((graph.name > 0) & (community[graph.a] >= 0))
    if not len(wanted):
        return []
    # One row for each street in each community: its nodes, and of them the one nearest to their middle.
    group = graph.name[wanted].astype(np.int64) * len(codes) + community[graph.a[wanted]]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    rows = []
    for members in np.split(graph.a[wanted][order], starts[1:]):
        lon, lat = graph.lon[members], graph.lat[members]
        middle = int(members[np.argmin((lon - lon.mean()) ** 2 + (lat - lat.mean()) ** 2)])
        rows.append((len(members), middle))
    found = []
    for (size, middle), at in zip(rows, group[order][starts].tolist(), strict=True):
        zh, en = graph.names[at // len(codes)]
        found.append((size, [zh, en, round(float(graph.lon[middle]), _DECIMALS), round(float(graph.lat[middle]), _DECIMALS),
                             codes[at % len(codes)]]))
    return [entry for _size, entry in sorted(found, key=lambda row: (-row[0], row[1][0], row[1][4]))]
