"""Reads the facts of paper from the rooms that keep them: shelters, ways, obstructions, what communities know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Invalid
from portal.regions import lookup
from portal.regions.codes import contains, parent_of
from portal.shelters import field
from portal.shelters.communities import store as communities
from portal.shelters.models import UNSAFE, RiskPoint, Shelter
from portal.shelters.paper import streets
from portal.shelters.paper.facts import Block, Danger, Facts, Goal, Neighbour, Point, Post, Way
from portal.shelters.registry import store as registry
from portal.shelters.registry import suitability
from portal.shelters.roads import obstructions
from portal.shelters.roads import store as roads
from portal.warnings.hazards import Phrase

#: The family whose ways paper shows when nobody chose: what this district warns of most often.
MAIN_FAMILY = "water"
MOST_GOALS, MOST_WAYS, MOST_DANGERS, MOST_BLOCKS = 12, 10, 20, 40
_AROUND = 0.06


def family_or_main(key: str | None) -> str:
    """The key of a known family; without one the main family's. Raises KeyError for an unknown one."""
    known = suitability.families()
    if key:
        return known[key].key
    return MAIN_FAMILY if MAIN_FAMILY in known else next(iter(known))


class Source:
    """What all communities' papers share, read once; `facts` then reads one community. Lives for one job or request."""

    def __init__(self, codes: Sequence[str], family: str) -> None:
        self.family = family
        self.families = suitability.families()
        self.field: Any = field.current()
        self.graph = roads.current()
        self.now = utcnow()
        self.settings = current_settings()
        self.shelters: dict[int, Shelter] = {s.id: s for s in registry.listing()}
        self.known = communities.known(list(codes))
        self.blocks = [o for o in obstructions.in_force(self.now) if not o.families or family in o.families]
        self._let_go()

    def _let_go(self) -> None:
        """Take what was read out of the session: a job writes its progress in between, which would read it all again."""
        rows: list[Any] = [*self.shelters.values(), *self.blocks]
        rows += [row for item in self.known.values() for row in (*item.posts, *item.risks)]
        for row in rows:
            if row in db.session:
                db.session.expunge(row)

    @property
    def layer(self) -> str:
        return f"{self.family}.walk"

    def __iter__(self) -> Iterator[Facts]:
        for code in self.known:
            yield self.facts(code)

    def facts(self, code: str) -> Facts:
        node = lookup.get(code)
        if node is None or node.level != "community":
            raise Invalid.one("region", f"{code} is no community")
        known = self.known.get(code) or communities.known([code])[code]
        routes = self._routes(code)
        goals, numbers, left = self._goals(code, routes)
        ways = tuple(self._way(name, place, route, numbers) for name, place, route in routes[:MOST_WAYS])
        rings = _rings(lookup.outline([code]))
        dangers = tuple(_danger(n, risk) for n, risk in enumerate(known.risks[:MOST_DANGERS]))
        box = _grown(_box([*rings, *(w.line for w in ways), [g.place for g in goals if g.place]]))
        view = self.field
        has_layer = bool(view and self.layer in view.layers)
        return Facts(
            code=code, name=_region(code), street=_region(parent_of(code)), district=_region(self.settings.district),
            authority=Phrase(self.settings.authority_zh, self.settings.authority_en), base_url=self.settings.base_url,
            zone=self.settings.timezone, family=self.family,
            families={key: Phrase(f.zh, f.en) for key, f in self.families.items()}, population=node.population, rings=rings,
            neighbours=_neighbours(code, box), streets=tuple(streets.within(self.graph, box)) if box else (), goals=goals,
            ways=ways, dangers=dangers, blocks=self._blocks(code, box),
            posts=tuple(Post(Phrase(p.post_zh, p.post("en")), Phrase(p.task_zh, p.task("en")), p.phone) for p in known.posts),
            ten=tuple(known.ten), basis=view.basis(self.layer) if view and has_layer else "",
            as_of=view.made_at if view and has_layer else None,
            demonstration=known.demonstration or node.demonstration or any(
                self.shelters[g.id].demonstration for g in goals),
            left_out=(left, max(0, len(routes) - MOST_WAYS)))

    # -- ways ----------------------------------------------------------------------------------------------
    def _routes(self, code: str) -> list[tuple[Phrase, Point, Any]]:
        """(name, place, route or what says that there is none) of each starting place of the community."""
        view = self.field
        if view is None or self.layer not in view.layers:
            return []
        found = []
        for zh, en, at, lon, lat in view.origins(code):
            found.append((Phrase(zh, en or zh), (lon, lat), view.route_from_node(at, self.layer)))
        return found

    def route_from(self, lon: float, lat: float) -> Any:
        """The route, or what says that there is none, from a place; None without a field."""
        view = self.field
        return view.route(lon, lat, self.layer) if view and self.layer in view.layers else None

    def way(self, name: Phrase, place: Point, route: Any, facts: Facts) -> Way:
        """A route as it stands on paper that shows the goals of `facts`."""
        return self._way(name, place, route, {goal.id: goal.number for goal in facts.goals})

    def _way(self, name: Phrase, place: Point, route: Any, numbers: dict[int, int]) -> Way:
        words = {language: tuple(route.words(language)) for language in ("zh", "en")}
        if not hasattr(route, "shelter_id"):
            return Way(name, place, None, words=words)
        line = tuple((round(x, 6), round(y, 6)) for x, y in route.line)
        return Way(name, place, numbers.get(route.shelter_id), round(route.seconds), round(route.metres),
                   _has_steps(route), line, words)

    # -- shelters ------------------------------------------------------------------------------------------
    def _goals(self, code: str, routes: list[tuple[Phrase, Point, Any]]) -> tuple[tuple[Goal, ...], dict[int, int], int]:
        """Shelters in the order of their numbers, numbers by id, and how many of the community's own found no room."""
        led = [route.shelter_id for _name, _place, route in routes[:MOST_WAYS] if hasattr(route, "shelter_id")]
        own = [s.id for s in self.shelters.values() if s.region_code and contains(code, s.region_code)]
        ordered = [i for i in dict.fromkeys([*(i for i in own if i in led), *led]) if i in self.shelters]
        rest = [i for i in own if i not in ordered]
        shown = [*ordered, *rest[: max(0, MOST_GOALS - len(ordered))]]
        goals = tuple(self._goal(n, self.shelters[i], code) for n, i in enumerate(shown, start=1))
        return goals, {goal.id: goal.number for goal in goals}, len(ordered) + len(rest) - len(shown)

    def goal_of(self, shelter_id: int, code: str) -> Goal | None:
        """A shelter that somebody chose, as it stands on a card of this community."""
        shelter = self.shelters.get(shelter_id)
        return None if shelter is None else self._goal(0, shelter, code)

    def _goal(self, number: int, s: Shelter, code: str) -> Goal:
        place = None if s.longitude is None or s.latitude is None else (s.longitude, s.latitude)
        if place is None and s.entrances:
            place = (s.entrances[0].longitude, s.entrances[0].latitude)
        return Goal(number, s.id, s.code, Phrase(s.name_zh, s.name("en")), Phrase(s.address_zh, s.address_en or s.address_zh),
                    s.space, place, s.capacity_day, s.step_free, s.night, s.contact_phone,
                    Phrase(s.contact_zh, s.contact_en or s.contact_zh),
                    {key: suitability.suits(s, family) for key, family in self.families.items()}, s.status == UNSAFE,
                    bool(s.region_code and contains(code, s.region_code)))

    # -- obstructions --------------------------------------------------------------------------------------
    def _blocks(self, code: str, box: streets.Box | None) -> tuple[Block, ...]:
        near = [o for o in self.blocks if _meets(o.geometry, box)] if box else []
        near.sort(key=lambda o: (code not in o.region_codes, str(o.id)))
        return tuple(Block(o.kind, Phrase(o.name_zh, o.name("en")), o.geometry, o.radius, o.effect, o.expires_at)
                     for o in near[:MOST_BLOCKS])


def _has_steps(route: Any) -> bool:
    """Whether a route goes over stairs."""
    return any(step.way is not None and step.way.kind == "steps" for step in route.steps)


def _region(code: str | None) -> Phrase:
    node = lookup.get(code) if code else None
    return Phrase(node.name_zh, node.name_en) if node else Phrase("", "")


def _danger(position: int, risk: RiskPoint) -> Danger:
    place = None if risk.longitude is None or risk.latitude is None else (risk.longitude, risk.latitude)
    return Danger(chr(ord("A") + position), risk.kind, Phrase(risk.name_zh, risk.name("en")),
                  Phrase(risk.note_zh, risk.note("en")), risk.people, place)


def _rings(geometry: dict[str, Any] | None) -> tuple[tuple[Point, ...], ...]:
    """The outer rings of a boundary."""
    if geometry is None:
        return ()
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return tuple(tuple((float(x), float(y)) for x, y in part[0]) for part in parts)


def _neighbours(code: str, box: streets.Box | None) -> tuple[Neighbour, ...]:
    if box is None:
        return ()
    near = [other for other in lookup.current().near(*box) if other != code]
    return tuple(Neighbour(_region(other), _rings(lookup.outline([other]))) for other in near)


def _box(lines: Sequence[Sequence[Point]]) -> streets.Box | None:
    points = [point for line in lines for point in line]
    if not points:
        return None
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _grown(box: streets.Box | None) -> streets.Box | None:
    if box is None:
        return None
    west, south, east, north = box
    dx, dy = max(east - west, 0.002) * _AROUND, max(north - south, 0.002) * _AROUND
    return west - dx, south - dy, east + dx, north + dy


def _meets(geometry: dict[str, Any], box: streets.Box) -> bool:
    flat = _box([_points(geometry["coordinates"])])
    return flat is not None and flat[0] <= box[2] and flat[2] >= box[0] and flat[1] <= box[3] and flat[3] >= box[1]


def _points(value: Any) -> list[Point]:
    if value and isinstance(value[0], (int, float)):
        return [(float(value[0]), float(value[1]))]
    return [point for part in value for point in _points(part)]
