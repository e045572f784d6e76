"""Places of a community that people know by name: crossings of named streets, spread over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from portal.shelters.field.phrases import phrases
from portal.shelters.field.steps import filled
from portal.shelters.roads.graph import scales

if TYPE_CHECKING:
    from portal.shelters.field.view import FieldView

MOST = 6
#: Metres. Places nearer to each other are told once.
APART = 150.0
Origin = tuple[str, str, int, float, float]


def origins(view: FieldView, code: str) -> list[Origin]:
    """See :meth:`FieldView.origins`."""
    nodes = view.community_nodes.get(code)
    if nodes is None or not len(nodes):
        return []
    named = {int(n): names for n in nodes if len(names := _names(view, int(n))) > 1}
    candidates = np.array(list(named) or [int(n) for n in nodes], np.int64)
    told: list[Origin] = []
    seen: set[tuple[str, str]] = set()
    for node in _spread(view, candidates, nodes):
        zh, en = _called(named.get(node) or _names(view, node))
        if (zh, en) not in seen:
            seen.add((zh, en))
            told.append((zh, en, node, float(view.graph.lon[node]), float(view.graph.lat[node])))
    return told


def _names(view: FieldView, node: int) -> list[tuple[str, str]]:
    """The different names of the streets that meet at a node, in the order of the graph."""
    graph, arcs = view.graph, view.graph.arcs
    edges = arcs.edge[arcs.start[node]:arcs.start[node + 1]]
    numbers = dict.fromkeys(int(n) for n in graph.name[np.sort(edges)] if n)
    return [graph.names[n] for n in numbers]


def _called(names: list[tuple[str, str]]) -> tuple[str, str]:
    said = []
    for language in ("zh", "en"):
        words = phrases(language)
        own = [(zh or en) if language == "zh" else (en or zh) for zh, en in names[:2]]
        if len(own) == 2:
            said.append(filled(words["junction"], one=own[0], other=own[1]))
        else:
            said.append(filled(words["near"], street=own[0]) if own else words["middle"])
    return said[0], said[1]


def _spread(view: FieldView, candidates: NDArray[np.int64], nodes: NDArray[np.int64]) -> list[int]:
    """Up to MOST of the candidates: the one nearest to the middle of the nodes, then always the one farthest from those that
    are chosen."""
    graph = view.graph
    kx, ky = (float(v) for v in scales(float(graph.lat[nodes].mean())))
    middle = np.array([np.median(graph.lon[nodes]) * kx, np.median(graph.lat[nodes]) * ky])
    at = np.stack([graph.lon[candidates] * kx, graph.lat[candidates] * ky], 1)
    best = int(np.argmin(((at - middle) ** 2).sum(1)))
    chosen, away = [best], np.full(len(at), np.inf)
    while len(chosen) < MOST:
        away = np.minimum(away, np.sqrt(((at - at[chosen[-1]]) ** 2).sum(1)))
        farthest = int(np.argmax(away))
        if away[farthest] < APART:
            break
        chosen.append(farthest)
    return [int(candidates[n]) for n in chosen]
