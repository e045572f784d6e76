"""Who goes where when places are few.

A shelter that more people would reach first than it has room for gets a *price*: seconds that are added to every walk to it.
One search with these prices at the doors gives everybody the shelter that is best for them, prices counted; whoever lives at the
door of a dear shelter still goes there, whoever lives between two goes to the other. These are the dual prices of the
transport problem (Bertsekas, The auction algorithm, Annals of Operations Research 14, 1988), and the ways remain one tree, so
that every node needs only one next hop. Of all rounds the one counts in which most people find room; what prices did not settle
is cut off by time: the nearest get the room.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Searches at most, and rounds of prices without gain, before what is left over is cut off.
SEARCHES, PATIENCE = 25, 3
_LITTLE = 1e-9
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
#: From a price per shelter (infinite: not to be used) to cost, next hop and shelter of each node.
Search = Callable[[Floats], tuple[Floats, Ints, Ints]]


@dataclass(frozen=True, eq=False)
class Assignment:
    """Per node: walking `seconds` (infinite without a way), `next` hop, `place` (-1: none), and whether it was left without
    `room`; per place the `load`. `searches`: how many were run."""

    seconds: Floats
    next: Ints
    place: Ints
    without_room: NDArray[np.bool_]
    load: Floats
    searches: int


def assign(search: Search, people: Floats, room: Floats) -> Assignment:
    """People to shelters so that no load exceeds its room. `people` per node; `room` per shelter, infinite where unbounded."""
    price = np.zeros(len(room))
    cost, hop, place = search(price)
    reached = np.isfinite(cost)
    best, searches, idle = _Found(price, cost, hop, place, people, room), 1, 0
    while not best.is_all and idle < PATIENCE and searches < SEARCHES:
        over = loads(place, people, len(room)) > room + _LITTLE
        without, _hop, _place = search(np.where(over, np.inf, price))
        margin = np.subtract(without, cost, out=np.full(len(cost), np.inf), where=np.isfinite(without))
        price = price.copy()
        searches += 1
        if not _raise(price, over, place, margin, people, room):
            break
        cost, hop, place = search(price)
        found = _Found(price, cost, hop, place, people, room)
        searches += 1
        best, idle = (found, 0) if found.placed > best.placed + _LITTLE else (best, idle + 1)
    seconds = best.seconds()
    kept = _nearest(seconds, best.place, people, room)
    place = np.where(kept, best.place, -1).astype(np.int32)
    load = loads(place, people, len(room))
    return Assignment(np.where(kept, seconds, np.inf), best.hop, place, reached & ~kept, load, searches)


class _Found:
    """What one search gave: where everybody would go, and how many of them find room."""

    def __init__(self, price: Floats, cost: Floats, hop: Ints, place: Ints, people: Floats, room: Floats) -> None:
        self.price, self.cost, self.hop, self.place = price, cost, hop, place
        load = loads(place, people, len(room))
        self.placed = float(np.minimum(load, room).sum())
        #: Everybody who can be reached has a place.
        self.is_all = bool((load <= room + _LITTLE).all())

    def seconds(self) -> Floats:
        """Walking times: the cost without the price of the shelter."""
        if not len(self.price):
            return self.cost
        return np.where(self.place >= 0, self.cost - self.price[np.maximum(self.place, 0)], np.inf)


def loads(place: Ints, people: Floats, places: int) -> Floats:
    """People per shelter."""
    there = place >= 0
    load: Floats = np.bincount(place[there], weights=people[there], minlength=places)[:places].astype(float)
    return load


def _raise(price: Floats, over: NDArray[np.bool_], place: Ints, margin: Floats, people: Floats, room: Floats) -> bool:
    """Raise the price of each shelter with too many until those leave for whom the next best is least farther. `margin`: how
    much farther that is. Whether any price changed: where nobody has anywhere else to go, none does."""
    changed = False
    for number in np.flatnonzero(over):
        its = np.flatnonzero(place == number)
        order = its[np.argsort(-margin[its], kind="stable")]
        first_out = int(np.searchsorted(np.cumsum(people[order]), room[number] + _LITTLE, side="right"))
        more = float(margin[order[first_out]])
        if np.isfinite(more):
            price[number] += max(0.0, more) + 0.5
        else:  # those who can leave are not enough: all of them must, the rest is cut off by time
            finite = margin[its][np.isfinite(margin[its])]
            if not len(finite) or finite.max() < 0:
                continue
            price[number] += float(finite.max()) + 0.5
        changed = True
    return changed


def _nearest(seconds: Floats, place: Ints, people: Floats, room: Floats) -> NDArray[np.bool_]:
    """Who keeps the place: the nearest of each shelter, as many as it has room for. The next hop of whoever keeps a place is
    nearer, so it keeps its place too."""
    kept = place >= 0
    for number in np.flatnonzero(loads(place, people, len(room)) > room + _LITTLE):
        its = np.flatnonzero(place == number)
        order = its[np.argsort(seconds[its], kind="stable")]
        out = int(np.searchsorted(np.cumsum(people[order]), room[number] + _LITTLE, side="right"))
        kept[order[out:]] = False
    return kept
