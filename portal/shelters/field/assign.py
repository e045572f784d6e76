"""Who goes where when places are few.

A shelter that more people would reach first than it has room for gets a *price*: seconds that are added to every walk to it.
One search with these prices at the doors gives everybody the shelter that is best for them, prices counted; whoever lives at the
door of a dear shelter still goes there, whoever lives between two goes to the other. These are the dual prices of the
transport problem (Bertsekas, The auction algorithm, Annals of Operations Research 14, 1988), and the ways remain one tree, so
that every node needs only one next hop. Where a few rounds of raising prices are not enough, they are found from the walks
from every shelter to a sample of the people, see `prices`. Of all rounds the one counts in which most people find room; what
prices did not settle is cut off by time: the nearest get the room; and what room is left goes to their neighbours.

These are places kept for people who are expected, not people who came. Whoever is left without one is still shown the way, the
nearest one, because the shelter is open and not full: the places are only `tight`, which the way's words say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from portal.shelters.field import leftover
from portal.shelters.field.prices import balanced

#: Rounds of raising prices, before and after prices were found from a sample, and rounds without gain before it is given up.
FIRST, POLISH, PATIENCE = 2, 3, 1
#: Part of all who can have a place who have one, at which no better prices are looked for; and part of the places that are
#: taken, where there are more people than places, at which a sample's prices are not worth their time.
NEARLY, ENOUGH = 0.99, 0.85
#: With more shelters, or people in more places than SAMPLE, prices come from rounds alone, or from a part of the places.
MOST_PLACES, SAMPLE = 128, 6000
_LITTLE = 1e-9
Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


class Search(leftover.Ways, Protocol):
    """From a price per shelter (infinite: not to be used) to cost, next hop and shelter of each node; `alone`: from every
    shelter by itself the cost of some nodes, as an array shelters × nodes."""

    def __call__(self, price: Floats) -> tuple[Floats, Ints, Ints]: ...

    def alone(self, nodes: NDArray[np.int64]) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Assignment:
    """Per node: walking `seconds` (infinite without a way), `next` hop, `place` (-1: none is kept), and whether it has a way but
    no place, so that places are `tight`; per place the `load` of kept ones and the `price`. `searches`: how many were run."""

    seconds: Floats
    next: Ints
    place: Ints
    tight: NDArray[np.bool_]
    load: Floats
    searches: int
    price: Floats


def assign(search: Search, people: Floats, room: Floats, limit: float, hint: Floats | None = None) -> Assignment:
    """People to shelters so that no load exceeds its room. `people` per node; `room` per shelter, infinite where unbounded;
    `limit`: seconds that nobody walks longer than; `hint`: prices that were right for much the same."""
    market = _Market(search, people, room)
    best = first = market.at(np.zeros(len(room)))
    if not best.is_all:
        best = market.rounds(best, FIRST)
    if not best.is_all and hint is not None and hint.any():
        best = max(best, market.rounds(market.at(hint), POLISH), key=_placed)
    places, reached = float(room.sum()), float(people[np.isfinite(first.cost)].sum())
    enough = ENOUGH * places if places < reached else NEARLY * reached
    if not best.is_all and best.placed < enough and len(room) <= MOST_PLACES:
        best = max(best, market.rounds(market.at(market.prices(first, limit)), POLISH), key=_placed)
    seconds = best.seconds()
    kept = _nearest(seconds, best.place, people, room)
    place, hop = np.where(kept, best.place, -1).astype(np.int32), best.hop.copy()
    seconds, load = np.where(kept, seconds, np.inf), loads(place, people, len(room))
    without = np.isfinite(first.cost) & ~kept
    leftover.fill(search, seconds, hop, place, without, people, room, load)
    _show_the_way(first, without, seconds, hop)
    return Assignment(seconds, hop, place, without, load, market.searches, best.price)


def _show_the_way(first: _Found, tight: NDArray[np.bool_], seconds: Floats, hop: Ints) -> None:
    """Give nodes without a place the nearest way, in place. It comes nearer to a shelter with each step, until a door or a node
    that has a place, from which only nodes with one follow: it never turns in a circle. Joining whoever keeps a place farther
    away it may take longer than the limit, at most twice as long."""
    hop[tight] = first.hop[tight]
    own = np.arange(len(hop), dtype=np.int32)
    end = np.where(tight & (hop >= 0), hop, own)
    while not np.array_equal(farther := end[end], end):
        end = farther
    joins = tight & ~tight[end]
    seconds[tight] = first.cost[tight]
    seconds[joins] = first.cost[joins] - first.cost[end[joins]] + seconds[end[joins]]


def _placed(found: _Found) -> float:
    return found.placed


class _Found:
    """What one search gave: where everybody would go, and how many of them find room."""

    def __init__(self, price: Floats, cost: Floats, hop: Ints, place: Ints, people: Floats, room: Floats) -> None:
        self.price, self.cost, self.hop, self.place = price, cost, hop, place
        self.load = loads(place, people, len(room))
        self.over = self.load > room + _LITTLE
        self.placed = float(np.minimum(self.load, room).sum())
        #: Everybody who can be reached has a place, or nearly every place is taken.
        self.is_all = not self.over.any() or self.placed >= NEARLY * float(room.sum())

    def seconds(self) -> Floats:
        """Walking times: the cost without the price of the shelter."""
        if not len(self.price):
            return self.cost
        return np.where(self.place >= 0, self.cost - self.price[np.maximum(self.place, 0)], np.inf)


class _Market:
    """Looks for prices at which nobody is left over."""

    def __init__(self, search: Search, people: Floats, room: Floats) -> None:
        self._search, self._people, self._room = search, people, room
        self.searches = 0

    def at(self, price: Floats) -> _Found:
        self.searches += 1
        return _Found(price, *self._search(price), self._people, self._room)

    def rounds(self, found: _Found, most: int) -> _Found:
        """Raise prices round by round; the best of what came of it."""
        best, idle = found, 0
        for _ in range(most):
            if best.is_all or idle >= PATIENCE:
                break
            self.searches += 1
            without, _hop, _place = self._search(np.where(found.over, np.inf, found.price))
            margin = np.subtract(without, found.cost, out=np.full(len(without), np.inf), where=np.isfinite(without))
            price = _raised(found, margin, self._people, _targets(found, self._room))
            if price is None:
                break
            found = self.at(price)
            best, idle = (found, 0) if found.placed > best.placed + _LITTLE else (best, idle + 1)
        return best

    def prices(self, first: _Found, limit: float) -> Floats:
        """Prices from the walks of a sample of the people."""
        nodes = np.flatnonzero((self._people > 0) & np.isfinite(first.cost))
        sample = nodes[::-(-len(nodes) // SAMPLE)]
        self.searches += len(self._room)
        people = self._people[sample] * (float(self._people[nodes].sum()) / float(self._people[sample].sum()))
        return balanced(self._search.alone(sample), people, self._room, limit)


def loads(place: Ints, people: Floats, places: int) -> Floats:
    """People per shelter."""
    there = place >= 0
    load: Floats = np.bincount(place[there], weights=people[there], minlength=places)[:places].astype(float)
    return load


def _targets(found: _Found, room: Floats) -> Floats:
    """How many each shelter with too many is to keep: its room; where there are more people than places, so many more that those
    who leave find room in the others, which would be flooded otherwise."""
    excess = np.where(found.over, found.load - room, 0.0)
    free = float((room - found.load)[~found.over].sum())
    return found.load - excess * min(1.0, free / float(excess.sum()))


def _raised(found: _Found, margin: Floats, people: Floats, keep: Floats) -> Floats | None:
    """Prices at which each shelter with too many has `keep`: those leave for whom the next best is least farther. `margin`: how
    much farther that is. None where nobody has anywhere else to go."""
    price = found.price.copy()
    for number in np.flatnonzero(found.over):
        its = np.flatnonzero(found.place == number)
        order = its[np.argsort(-margin[its], kind="stable")]
        first_out = int(np.searchsorted(np.cumsum(people[order]), keep[number] + _LITTLE, side="right"))
        if first_out >= len(order):
            continue
        more = float(margin[order[first_out]])
        if not np.isfinite(more):  # those who can leave are not enough: all of them must, the rest is cut off by time
            finite = margin[its][np.isfinite(margin[its])]
            more = float(finite.max()) if len(finite) else -1.0
        if more >= 0:
            price[number] += more + 0.5
    return price if (price > found.price).any() else None


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
