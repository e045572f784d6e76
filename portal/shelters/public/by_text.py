"""避难 SHELTER by text message: the nearest shelters that take people, for a phone that has no map.

A place is a community, a street of the district, a road of the walkable graph, or a shelter's own name; without one it is where
the phone is subscribed. While a warning is in force there, only shelters that are suitable for its danger are told, the one that
the safe way leads to first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal import current_settings
from portal.channels.sms import aside, segments
from portal.core.clock import utcnow
from portal.regions import lookup, match, sounds
from portal.regions.search import folded
from portal.shelters.field.made import OPEN, WALK
from portal.shelters.field.routes import Route
from portal.shelters.models import FULL, UNSAFE
from portal.shelters.public.source import Source
from portal.shelters.public.view import Place, see
from portal.shelters.registry import store
from portal.shelters.registry.place import metres_between
from portal.subscribers import store as subscribers
from portal.subscribers import texts
from portal.subscribers.texts import places
from portal.subscribers.texts.commands import Asked, Command, words

MOST, MOST_SEGMENTS = 3, 2
_LOOKED_AT = 200  # shelters, from the nearest on
_UP_HELPS = {"typhoon", "flood", "waterlogging", "storm_surge"}
_SHORTEST_ZH, _SHORTEST_EN = 2, 4  # names of roads that are looked for in an address


@dataclass(frozen=True, slots=True)
class Spot:
    """Where somebody is, as far as they said: a point (WGS 84) and what it is called."""

    lon: float
    lat: float
    name: str


@dataclass(frozen=True, slots=True)
class Near:
    """A shelter and how far it is in a straight line; `minutes` on the safe way, where one leads to it."""

    place: Place
    metres: float
    minutes: int | None = None


def nearest(asked: Asked, _session: Session | None = None) -> str:
    """The answer, in the language that is set."""
    source = Source(utcnow(), current_settings().district)
    spot = _spot(asked, source)
    if isinstance(spot, str):
        return spot
    community = lookup.at_point(spot.lon, spot.lat) or ""
    warned = source.warnings_of(community) if community else []
    needed = sorted(Source.needed(warned))
    every = [see(shelter, source.families, source.now) for shelter in store.near(spot.lon, spot.lat, _LOOKED_AT)]
    suitable = [place for place in every if all(place.verdicts.get(key) for key in needed)]
    open_ = [place for place in suitable if place.open and place.free != 0]
    if open_:
        return _told(_("Open shelters near %(place)s: ", place=spot.name), _ordered(spot, open_, needed, source),
                     _(". Keep to safe ways; in danger call 119."), asked.language)
    if full := [place for place in suitable if place.open or (place.shelter.status == FULL and not place.stale)]:
        return _told(_("The open shelters near %(place)s are full: ", place=spot.name), _ordered(spot, full, [], source),
                     _(". In danger call 119."), asked.language)
    head, rest = _none_open(spot, needed, source), [place for place in suitable if place.shelter.status != UNSAFE]
    if not rest:
        return head + _(".")
    return _told(head + _(". Nearest, not open: "), _ordered(spot, rest, [], source), _("."), asked.language)


def _none_open(spot: Spot, needed: Sequence[str], source: Source) -> str:
    """What to do instead: to go up helps where water or wind comes, not where the ground moves or something burns."""
    if not needed:
        return _("No shelter is open near %(place)s now", place=spot.name)
    if {hazard for key in needed if key in source.families for hazard in source.families[key].hazards} <= _UP_HELPS:
        return _("No suitable shelter is open near %(place)s. Stay indoors, go up, in danger call 119", place=spot.name)
    return _("No suitable shelter is open near %(place)s. In danger call 119", place=spot.name)


# -- where -------------------------------------------------------------------------------------------------------------------
def _spot(asked: Asked, source: Source) -> Spot | str:
    """Where it is, or what to ask back."""
    if not asked.rest:
        own = subscribers.known([asked.phone_index]).get(asked.phone_index, ("", []))[1]
        spots = [spot for code in own if (spot := _of_region(code, source)) is not None]
        return spots[0] if spots else _("Text SHELTER and a place or an address, such as: SHELTER %(place)s",
                                        place=places.example())
    found = match.find(asked.rest)
    region = match.the_one(found) or (found[0] if found and found[0].how == match.INSIDE else None)
    if region is not None:  # of a street and the community of that name it is the community: nearer to where somebody is
        region = next((m for m in found if m.sure and m.code.startswith(region.code[:9]) and not m.code.endswith("000")), region)
    named = region is not None and region.how != match.INSIDE
    spot = (None if named else _on_road(asked.rest, region.code if region else None, source)) or (
        _of_region(region.code, source) if region else None) or _at_shelter(asked.rest)
    if spot is not None:
        return spot
    if found:
        word = _("SHELTER")
        return _("Which place? Text: %(choices)s", choices=places.choices(found, word))
    return _("No such place was found. Text SHELTER and a community, a street or an address, such as: SHELTER %(place)s",
             place=places.example())


def _of_region(code: str, source: Source) -> Spot | None:
    """The middle of a community, that place of it which people know, where one is known. Of what is larger it is the community
    in which most people live: the middle itself may lie in the hills."""
    node = lookup.get(code)
    if node is None:
        return None
    inside = [one for one in node.walk() if one.level == "community" and one.box]
    name, code = node.name(places.language()), max(inside, key=lambda one: one.population or 0).code if inside else code
    if (box := lookup.box(code)) is None:
        return None
    if source.view is not None and (known := source.view.origins(code)):
        return Spot(known[0][3], known[0][4], name)
    west, south, east, north = box
    return Spot((west + east) / 2, (south + north) / 2, name)


def _on_road(text: str, region: str | None, source: Source) -> Spot | None:
    """The middle of the road with the longest name in the text, within the region that is named too."""
    if source.view is None:
        return None
    graph: Any = source.view.graph
    plain = sounds.simplified(folded(text))
    best, number = "", 0
    for n, (zh, en) in enumerate(graph.names):
        for name, shortest in ((sounds.simplified(folded(zh)), _SHORTEST_ZH), (folded(en), _SHORTEST_EN)):
            if len(name) >= max(shortest, len(best) + 1) and name in plain:
                best, number = name, n
    if not best:
        return None
    nodes = sorted({int(node) for node in graph.a[graph.name == number]})
    if region is not None:
        inside: set[int] = set()
        for code in lookup.communities_under([region]):
            inside.update(int(n) for n in source.view.community_nodes.get(code, ()))
        nodes = [node for node in nodes if node in inside]
    if not nodes:
        return None
    middle = nodes[len(nodes) // 2]
    zh, en = graph.names[number]
    return Spot(float(graph.lon[middle]), float(graph.lat[middle]), zh if places.language() == "zh" else en or zh)


def _at_shelter(text: str) -> Spot | None:
    """The place of the only shelter with this in its name or address."""
    found = [s for s in store.search(text) if s.longitude is not None and s.latitude is not None] if len(text) > 1 else []
    if len(found) != 1:
        return None
    return Spot(found[0].longitude or 0.0, found[0].latitude or 0.0, found[0].name(places.language()))


# -- which -------------------------------------------------------------------------------------------------------------------
def _ordered(spot: Spot, found: Iterable[Place], needed: Sequence[str], source: Source) -> list[Near]:
    near = [Near(place, metres_between((spot.lon, spot.lat), place.at)) for place in found if place.at is not None]
    near.sort(key=lambda one: one.metres)
    for family in needed[:1]:
        layer = f"{family}.{WALK}"
        if source.view is None or layer not in source.view.layers or source.view.basis(layer) != OPEN:
            continue
        way = source.view.route(spot.lon, spot.lat, layer)
        if isinstance(way, Route) and any(one.place.shelter.id == way.shelter_id for one in near):
            first = next(one for one in near if one.place.shelter.id == way.shelter_id)
            near = [Near(first.place, first.metres, way.minutes), *(one for one in near if one is not first)]
    return near[:MOST]


# -- in words ----------------------------------------------------------------------------------------------------------------
def _told(head: str, near: Sequence[Near], tail: str, language: str) -> str:
    """As many of them, with as much of each, as two segments hold; the first one in any case."""
    for count, addresses in ((3, True), (2, True), (3, False), (2, False), (1, True)):
        if count <= max(1, len(near)):
            text = head + _("; ").join(_one(one, addresses) for one in near[:count]) + tail
            if segments.count(aside.signed(text, language)).segments <= MOST_SEGMENTS:
                return text
    return head + _one(near[0], False) + tail if near else head + tail


def _one(one: Near, address: bool) -> str:
    language, shelter = places.language(), one.place.shelter
    said = [shelter.name(language), _far(one.metres) if one.minutes is None else _("%(min)s min on foot", min=one.minutes)]
    where = shelter.address_zh if language == "zh" else shelter.address_en or shelter.address_zh
    if address and where:
        said.append(where)
    if one.place.open and one.place.free is not None:
        said.append(_("%(places)s places free", places=one.place.free))
    return ("，" if language == "zh" else ", ").join(said)


def _far(metres: float) -> str:
    return _("%(m)s m", m=max(10, round(metres / 10) * 10)) if metres < 1000 else _("%(km)s km", km=f"{metres / 1000:.1f}")


texts.register(Command(
    "shelter", words("避难场所,避难所,避难点,避难", "shelters,shelter", "binan,bn"), nearest,
    lambda place: _("SHELTER %(place)s: nearest open shelters", place=place), takes_place=True, place=2))
