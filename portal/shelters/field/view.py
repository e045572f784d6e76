"""Questions to one field: the way from a place, what is near, how many are covered."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from portal.shelters.field.made import DOOR, NO_ROOM, NO_TIME, SPEEDS, STEP_FREE, Door, Field, Place
from portal.shelters.field.routes import OUTSIDE, NoRoute, Route
from portal.shelters.field.steps import Way
from portal.shelters.roads.effects import Ground
from portal.shelters.roads.graph import BRIDGE, KINDS, TUNNEL, Graph, distance

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
        self.cached: dict[Any, Any] = {}  # what is worked out once per version: files of communities, their places

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
        free, no_room, most = False, False, near[0][0] + _FARTHER
        for metres, node in near:
            if metres > most:
                break
            state = following[node]
            if state == NO_ROOM:
                no_room = True
            elif state == -1:
                continue
            if ground.blocks(lon, lat, float(xs[node]), float(ys[node])):
                continue
            if state != NO_ROOM:
                return self._walk((lon, lat), metres, node, layer)
            free = True
        if ground.holds(lon, lat):
            return NoRoute("obstruction")
        return self._without(lon, lat, layer, no_room and free)

    def route_from_node(self, node: int, layer: str) -> Route | NoRoute:
        """The way from a node of the graph. Raises KeyError or IndexError for what is not there."""
        at = (float(self.graph.lon[node]), float(self.graph.lat[node]))
        state = self._next[layer][node]
        if state in (-1, NO_ROOM):
            return self._without(*at, layer, state == NO_ROOM)
        return self._walk(at, 0.0, node, layer)

    def _walk(self, start: tuple[float, float], metres: float, node: int, layer: str) -> Route:
        following = self._next[layer]
        seconds = self._seconds[layer][node] + round(metres / self.speed(layer))
        nodes = [node]
        while (node := following[node]) >= 0:
            nodes.append(node)
        door = self.made.doors[DOOR - node]
        return Route(self, layer, start, nodes, door, self.made.places[door.shelter], seconds)

    def _without(self, lon: float, lat: float, layer: str, full: bool) -> NoRoute:
        family, _dot, profile = layer.partition(".")
        suitable = [p for p in self.made.places if family in p.families and p.state != "out"]
        takers = [p for p in suitable if p.state in ("open", "ready") and p.room != 0]
        if not suitable:
            return NoRoute("no_shelter")
        if full or not takers or (self.basis(layer) == "open" and all(p.state != "open" or p.room == 0 for p in suitable)):
            placed = [p for p in suitable if p.lon is not None and p.lat is not None]
            nearest = min(placed, key=lambda p: distance(lon, lat, p.lon or 0.0, p.lat or 0.0), default=None)
            return NoRoute("no_room", nearest)
        if profile == STEP_FREE and not self.summary["layers"][layer]["shelters"]:
            return NoRoute("no_step_free")
        return NoRoute("no_way")

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

    @cached_property
    def community_nodes(self) -> dict[str, Any]:
        """Community → its nodes."""
        of = self.made.community
        order = np.argsort(of, kind="stable")
        ends = np.searchsorted(of[order], np.arange(len(self.made.communities) + 1))
        return {code: order[ends[n]:ends[n + 1]] for n, code in enumerate(self.made.communities)}
