"""How many people of a community the field serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portal.shelters.field.made import NO_TIME

if TYPE_CHECKING:
    from portal.shelters.field.view import FieldView


@dataclass(frozen=True)
class Coverage:
    """`share`: part of the people who have a way (0 to 1; people are taken to live evenly along the ways); `tight`: part of
    them all who have a way and for whom no place could be kept; `median_minutes` of who has a way, None where nobody has;
    `nodes` it rests on."""

    share: float
    tight: float
    median_minutes: float | None
    nodes: int


def of_layer(view: FieldView, layer: str) -> dict[str, Coverage]:
    """Community → its coverage, of those with a node of the graph."""
    made = view.made.layers[layer]
    found = {}
    for code, nodes in view.community_nodes.items():
        if not len(nodes):
            continue
        seconds = made.seconds[nodes]
        there = seconds != NO_TIME
        found[code] = Coverage(
            float(there.mean()), float(made.tight[nodes].mean()),
            round(float(np.median(seconds[there])) / 60, 1) if there.any() else None, len(nodes))
    return found
