"""Questions to one field: the way from a place, what is near, how many are covered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from portal.shelters.field.made import DOOR, NO_TIME, NO_WAY, SPEEDS, STEP_FREE, Door, Field, Place
from portal.shelters.field.routes import OUTSIDE, NoRoute, Route
from portal.shelters.field.steps import Way
from portal.shelters.roads.effects import Ground
from portal.shelters.roads.graph import BRIDGE, KINDS, TUNNEL, Graph, distance

if TYPE_CHECKING:
    from portal.shelters.field.coverage import Coverage

#: Nodes that are tried as the beginning of a way, and how many metres farther than the nearest they may be.
_TRIED, _FARTHER = 8, 60.0


class FieldView:
    """The field of one version over its graph. Never changes; shared by the threads of a process."""

    def __init__(self, version: int, made_at: datetime, graph: Graph, made: Field) -> None:
        self.version, self.made_at, self.graph, self.made = version, made_at, graph, made
        self._next = {key: layer.next.data for key, layer in made.layers.items()}
        self._seconds = {key: layer.seconds.data for key, layer in made.layers.items()}
        self._ground = [Ground(cuts) for cuts in made.cuts]
        self._ways: dict[int, Way] = {}
        self._cached: dict[tuple[str, str], Any] = {}  # what is worked out once per version

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.made.layers)

    @property
    def summary(self) -> dict[str, Any]:
        return self.made.summary

    def basis(self, layer: str) -> str:
        """`open`: of shelters that take people now; `plan`: none for this family does, so of all that may be opened."""
        return self.made.layers[layer].basis

    def ground(self, layer: str) -> Ground:
        """Where nobody walks in this layer."""
        return self._ground[self.made.ground[layer.partition(".")[0]]]

    def slowed(self, layer: str) -> dict[int, float]:
        """Edges that take longer than they should, and how many times as long."""
        return self.made.slowed[self.made.ground[layer.partition(".")[0]]]

    def route(self, lon: float, lat: float, layer: str) -> Route | NoRoute:
        """The way from a place (WGS 84) to the best shelter of the layer. Raises KeyError for an unknown layer."""
        following = self._next[layer]
        near = self.graph.finder.near(lon, lat, _TRIED, OUTSIDE)
        if not near:
            return NoRoute("outside")
        ground, xs, ys = self.ground(layer), self.graph.lon, self.graph.lat
        most = near[0][0] + _FARTHER
        for metres, node in near:
            if metres > most:
                break
            if following[node] == NO_WAY or ground.blocks(lon, lat, float(xs[node]), float(ys[node])):
                continue
            return self._walk((lon, lat), metres, node, layer)
        if ground.holds(lon, lat):
            return NoRoute("obstruction")
        return self._without(lon, lat, layer)

    def route_from_node(self, node: int, layer: str) -> Route | NoRoute:
        """The way from a node of the graph. Raises KeyError or IndexError for what is not there."""
        at = (float(self.graph.lon[node]), float(self.graph.lat[node]))
        if self._next[layer][node] == NO_WAY:
            return self._without(*at, layer)
        return self._walk(at, 0.0, node, layer)

    def _walk(self, start: tuple[float, float], metres: float, node: int, layer: str) -> Route:
        following = self._next[layer]
        seconds = self._seconds[layer][node] + round(metres / self.speed(layer))
        nodes, tight = [node], bool(self.made.layers[layer].tight[node])
        while (node := following[node]) >= 0:
            nodes.append(node)
        door = self.made.doors[DOOR - node]
        return Route(self, layer, start, nodes, door, self.made.places[door.shelter], seconds, tight)

    def _without(self, lon: float, lat: float, layer: str) -> NoRoute:
        reason = self.otherwise(layer)
        if reason != "no_room":
            return NoRoute(reason)
        placed = [p for p in self._suitable(layer) if p.lon is not None and p.lat is not None]
        return NoRoute(reason, min(placed, key=lambda p: distance(lon, lat, p.lon or 0.0, p.lat or 0.0), default=None))

    def _suitable(self, layer: str) -> list[Place]:
        family = layer.partition(".")[0]
        return [p for p in self.made.places if family in p.families and p.state != "out"]

    def otherwise(self, layer: str) -> str:
        """Why there is no way from a node that no way leads from: the reason of a :class:`NoRoute`."""
        suitable = self._suitable(layer)
        if not suitable:
            return "no_shelter"
        wanted = "open" if self.basis(layer) == "open" else "ready"
        if all(p.state != wanted or p.room == 0 for p in suitable):
            return "no_room"
        if layer.endswith(f".{STEP_FREE}") and not self.summary["layers"][layer]["shelters"]:
            return "no_step_free"
        return "no_way"

    def speed(self, layer: str) -> float:
        """Metres per second of the layer's profile."""
        return SPEEDS[layer.partition(".")[2]]

    def way(self, edge: int) -> Way:
        """What an edge is called."""
        if (known := self._ways.get(edge)) is None:
            graph = self.graph
            kind, flags = KINDS[graph.kind[edge]], int(graph.flags[edge])
            if kind != "steps" and flags & BRIDGE:
                kind = "bridge"
            elif kind != "steps" and flags & TUNNEL:
                kind = "tunnel"
            zh, en = graph.names[graph.name[edge]]
            known = self._ways[edge] = Way(zh, en, kind)
        return known

    def nearest(self, lon: float, lat: float, layer: str, count: int) -> list[tuple[Place, Door | None, float]]:
        """The shelters of the layer that take people, the nearest in a straight line first: (shelter, door, metres)."""
        family, _dot, profile = layer.partition(".")
        wanted = "open" if self.basis(layer) == "open" else "ready"
        best: dict[int, tuple[float, Door]] = {}
        for door in self.made.doors:
            place = self.made.places[door.shelter]
            if family not in place.families or place.state != wanted or place.room == 0:
                continue
            if profile == STEP_FREE and door.step_free is not True:
                continue
            away = distance(lon, lat, door.lon, door.lat)
            if door.shelter not in best or away < best[door.shelter][0]:
                best[door.shelter] = (away, door)
        order = sorted(best.items(), key=lambda item: item[1][0])[:count]
        return [(self.made.places[number], door, away) for number, (away, door) in order]

    def seconds(self, layer: str) -> Any:
        """Whole seconds on foot of every node as an array, infinite without a way."""
        raw = self.made.layers[layer].seconds
        return np.where(raw == NO_TIME, np.inf, raw.astype(float))

    def community_file(self, code: str) -> bytes:
        """All that a phone needs to find the ways of a community: see `community_file`. Raises KeyError without any node."""
        from portal.shelters.field.community_file import community_file

        return self._once(("file", code), lambda: community_file(self, code))

    def origins(self, code: str) -> list[tuple[str, str, int, float, float]]:
        """Places of a community from which tables tell the ways, at most `places.MOST`: (name zh, name en, node, longitude,
        latitude), the middle one first; none without a node."""
        from portal.shelters.field.places import origins

        return self._once(("origins", code), lambda: origins(self, code))

    def communities(self, layer: str) -> dict[str, Coverage]:
        """How well each community with a node is covered by the layer."""
        from portal.shelters.field.coverage import of_layer

        return self._once(("coverage", layer), lambda: of_layer(self, layer))

    def _once(self, key: tuple[str, str], make: Callable[[], Any]) -> Any:
        if key not in self._cached:
            self._cached[key] = make()
        return self._cached[key]

    @cached_property
    def community_nodes(self) -> dict[str, Any]:
        """Community → its nodes."""
        of = self.made.community
        order = np.argsort(of, kind="stable")
        ends = np.searchsorted(of[order], np.arange(len(self.made.communities) + 1))
        return {code: order[ends[n]:ends[n + 1]] for n, code in enumerate(self.made.communities)}
