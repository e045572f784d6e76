"""A way to a shelter, or the plain word that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from portal.shelters.field import steps as telling
from portal.shelters.field.made import PLAN, STEP_FREE, Door, Place
from portal.shelters.field.phrases import phrases
from portal.shelters.field.steps import Point, Step, Way
from portal.shelters.roads.graph import distance

if TYPE_CHECKING:
    from portal.shelters.field.view import FieldView

#: Metres. Who is farther than that from every way is not told one.
OUTSIDE = 500.0


@dataclass(frozen=True)
class Route:
    """A way on foot. `start`: where one stands; `nodes`: of the graph, in walking order; `door`: where one arrives;
    `tight`: no place could be kept there for who comes from here. What is said of it is worked out when asked for: a list
    of a hundred routes needs only where and how long."""

    field: FieldView
    layer: str
    start: Point
    nodes: list[int]
    door: Door
    shelter: Place
    seconds: int
    tight: bool = False

    @property
    def shelter_id(self) -> int:
        return self.shelter.id

    @property
    def entrance_id(self) -> int | None:
        """None where the shelter's own point stands for an entrance."""
        return self.door.id

    @property
    def profile(self) -> str:
        return self.layer.partition(".")[2]

    @property
    def minutes(self) -> int:
        return telling.minutes(self.seconds)

    @cached_property
    def line(self) -> list[Point]:
        """(longitude, latitude) from where one stands to the door."""
        lon, lat = self.field.graph.lon, self.field.graph.lat
        inner = [(float(lon[n]), float(lat[n])) for n in self.nodes]
        return [self.start, *inner, (self.door.lon, self.door.lat)]

    @cached_property
    def metres(self) -> float:
        return sum(distance(*here, *there) for here, there in zip(self.line, self.line[1:], strict=False))

    @cached_property
    def edges(self) -> list[int]:
        graph = self.field.graph
        return [graph.edge_between(u, v) for u, v in zip(self.nodes, self.nodes[1:], strict=False)]

    @cached_property
    def steps(self) -> list[Step]:
        slowed = self.field.slowed(self.layer)
        ways: list[Way] = [self.field.way(edge) for edge in self.edges]
        return telling.steps(self.line, ways, [edge in slowed for edge in self.edges])

    def words(self, language: str) -> list[str]:
        """The sentences, in `zh` or `en`: how far and how long, each stretch, the arrival, and what is not certain."""
        say = phrases(language)
        name = self.shelter.name(language)
        told = [telling.filled(say["total"], shelter=name, far=telling.far(self.metres, say), minutes=str(self.minutes))]
        if self.field.basis(self.layer) == PLAN:
            told.insert(0, say["plan"])
        if self.tight:
            told.insert(len(told) - 1, say["tight"])
        for step in self.steps:
            told.append(telling.filled(
                say[step.kind], far=telling.far(step.metres, say), compass=say["compass"][step.compass],
                street=step.way.name(language, say) if step.way else ""))
        door = self.door.name(language)
        told.append(telling.filled(say["arrive" if door else "arrive_plain"], shelter=name, door=door))
        if self.door.hours:
            told.append(telling.filled(say["hours"], hours=self.door.hours))
        if self.profile == STEP_FREE:
            told.append(say["step_free"])
        return told


@dataclass(frozen=True)
class NoRoute:
    """Why there is no way to be told: `outside`, `obstruction`, `no_way`, `no_room`, `no_shelter` or `no_step_free`."""

    reason: str
    nearest_full: Place | None = None

    def words(self, language: str) -> list[str]:
        """What to do instead, first; then why."""
        say = phrases(language)
        why = say[self.reason]
        if self.reason == "no_room":
            why = (telling.filled(why, shelter=self.nearest_full.name(language)) if self.nearest_full else say["no_room_plain"])
        return [say["no_safe_route"], telling.filled(why, far=telling.far(OUTSIDE, say))]
