"""Prices that spread people over shelters: the dual of the transport problem, by matrix scaling.

Sinkhorn's scaling of exp(-cost / softness) to given row and column sums gives the transport of least cost but for the softness,
and its logarithms are the prices (Cuturi, Sinkhorn Distances, NIPS 2013); the softness is lowered step by step. "Nowhere" stands
beside the shelters, as far as anybody would walk, for those who find no room; "nobody" beside the people, for places left over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Seconds: softness from the first to the last, halved each time; scalings at each of them.
SOFTEST, HARDEST, SCALINGS = 1280.0, 10.0, 100
_TINY = 1e-300
Floats = NDArray[np.float64]


def balanced(costs: Floats, people: Floats, room: Floats, limit: float) -> Floats:
    """A price in seconds, at least 0, for each shelter. `costs`: seconds from each shelter (row) to each of the people's places
    (column), infinite without a way; `people` per column; `room` per row; `limit`: how far anybody walks."""
    total = float(people.sum())
    shelters, places = costs.shape
    if total <= 0 or not shelters:
        return np.zeros(shelters)
    cost = np.zeros((shelters + 1, places + 1))
    cost[:shelters, :places], cost[shelters, :places] = costs, limit
    columns = np.maximum(np.append(np.minimum(room, total), total), _TINY * 1e100)
    rows = np.append(people, columns.sum() - total)
    given, taken = np.zeros(places + 1), np.zeros(shelters + 1)
    softness = SOFTEST
    while softness >= HARDEST:
        for _ in range(2):  # twice, because the kernel of the first half is still far from its sums
            with np.errstate(over="ignore"):
                kernel = np.exp(np.clip((given[None, :] + taken[:, None] - cost) / softness, -700, 300))
            kernel[~np.isfinite(cost)] = 0.0
            left, right = np.ones(shelters + 1), np.ones(places + 1)
            for _ in range(SCALINGS // 2):
                right = rows / np.maximum(left @ kernel, _TINY)
                left = columns / np.maximum(kernel @ right, _TINY)
            taken += softness * np.log(np.maximum(left, _TINY))
            given += softness * np.log(np.maximum(right, _TINY))
        softness /= 2
    price = -taken
    return np.clip(price[:shelters] - price.min(), 0.0, limit)
