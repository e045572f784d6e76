"""Places that are left over, for those whom prices left without: they join the ways of the neighbours who have one.

People come in the lumps in which they live, so prices seldom fill the last places. From the ways of shelters with room the search
goes on, nearest first, over nodes without a place, as long as there is room for the people at them.
"""

from __future__ import annotations

import heapq
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

#: Nodes that are looked at, at most: pure Python is slow, and what is left over is little.
MOST = 20_000
_LITTLE = 1e-9
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class Ways(Protocol):
    """`limit`: seconds that nobody walks longer than; `from_where`: from which nodes one walks to a node, and in how many
    seconds; `border`: the nodes of one kind to which one walks from nodes of another; `doors`: (node, seconds, hop, shelter)."""

    limit: float

    def from_where(self, node: int) -> list[tuple[int, float]]: ...

    def border(self, there: NDArray[np.bool_], here: NDArray[np.bool_]) -> NDArray[np.int64]: ...

    def doors(self) -> list[tuple[int, float, int, int]]: ...


def fill(ways: Ways, seconds: Floats, hop: Ints, place: Ints, without: NDArray[np.bool_], people: Floats, room: Floats,
         load: Floats) -> None:
    """Give nodes `without` a place one that is left, in place: `seconds`, `hop`, `place`, `without` and `load` change."""
    free = room - load
    if not without.any() or not (free > _LITTLE).any():
        return
    smallest = float(people[without].min())
    waiting: list[tuple[float, int, int, int]] = []  # seconds, node, next hop, shelter

    def offer(node: int) -> None:
        shelter = int(place[node])
        for other, more in ways.from_where(node):
            total = float(seconds[node]) + more
            if without[other] and total <= ways.limit:
                heapq.heappush(waiting, (total, other, node, shelter))

    open_ = free >= max(smallest, _LITTLE)
    for node in ways.border((place >= 0) & open_[np.maximum(place, 0)], without).tolist():
        offer(node)
    for node, total, door, shelter in ways.doors():
        if without[node] and open_[shelter]:
            heapq.heappush(waiting, (total, node, door, shelter))
    for _ in range(MOST):
        if not waiting:
            return
        total, node, following, shelter = heapq.heappop(waiting)
        if not without[node] or people[node] > free[shelter] + _LITTLE:
            continue
        seconds[node], hop[node], place[node], without[node] = total, following, shelter, False
        free[shelter] -= people[node]
        load[shelter] += people[node]
        offer(node)

