"""Which ways of OpenStreetMap people walk on, and what is known of them (wiki.openstreetmap.org: Key:highway, Key:foot,
Key:access, Key:oneway, Key:incline)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from portal.shelters.roads.graph import BRIDGE, KINDS, NOT_STEP_FREE, ONEWAY_FOOT, STEPS, TUNNEL

#: Value of `highway` → kind. What is not here is no way for people on foot: motorways, what is being built, race courses.
HIGHWAYS = {
    **dict.fromkeys(("trunk", "trunk_link", "primary", "primary_link", "secondary", "secondary_link", "tertiary", "tertiary_link",
                     "unclassified", "residential", "living_street", "road"), "road"),
    "service": "service", "footway": "footway", "pedestrian": "pedestrian", "steps": "steps", "corridor": "corridor",
    "path": "path", "cycleway": "path", "bridleway": "path", "track": "track", "platform": "footway",
}
#: Ways on which people walk only where it says so.
_ONLY_WHERE_SAID = ("trunk", "trunk_link", "bridleway")
_SAID = ("yes", "designated", "permissive", "official")
_FORBIDDEN = ("no", "private", "use_sidepath", "military", "agricultural", "forestry", "delivery")
_ROUGH = ("sand", "mud", "rock", "rocks", "pebblestone", "stepping_stones", "grass", "woodchips")
_UNEVEN = ("very_bad", "horrible", "very_horrible", "impassable")
#: Per cent; 1:12 is the steepest ramp of GB 50763-2012, 3.6.4.
_STEEPEST = 100 / 12
_INCLINE = re.compile(r"\s*(-?\d+(?:[.,]\d+)?)\s*(%|°)?\s*\Z", re.ASCII)
_LONGEST_NAME = 80
BOTH, FORWARD, BACKWARD = 0, 1, -1


@dataclass(frozen=True)
class Walkable:
    """A way for people on foot. `direction`: BOTH, FORWARD or BACKWARD; `odd_oneway`: it had a value that means nothing."""

    kind: int
    flags: int
    zh: str
    en: str
    direction: int
    odd_oneway: bool


def walkable(tags: Mapping[str, str]) -> Walkable | str:
    """What a way is, or in one word why people do not walk on it: `other`, `motorway`, `forbidden`, `ferry`."""
    highway = tags.get("highway", "")
    if tags.get("route") == "ferry":
        return "ferry"
    if highway in ("motorway", "motorway_link") or tags.get("motorroad") == "yes":
        return "motorway"
    kind = HIGHWAYS.get(highway)
    if kind is None:
        return "other"
    foot, sidewalk = tags.get("foot", ""), tags.get("sidewalk", "")
    if foot in _FORBIDDEN or (foot not in _SAID and tags.get("access", "") in _FORBIDDEN):
        return "forbidden"
    if highway in _ONLY_WHERE_SAID and foot not in _SAID and sidewalk not in ("both", "left", "right", "yes"):
        return "forbidden"
    if kind == "footway" and tags.get("footway") == "crossing":
        kind = "crossing"
    direction, odd = _direction(tags)
    flags = _flags(tags, kind) | (ONEWAY_FOOT if direction != BOTH else 0)
    zh, en = _name(tags, "name:zh", "name:zh-Hans", "name"), _name(tags, "name:en")
    return Walkable(KINDS.index(kind), flags, zh, en, direction, odd)


def _direction(tags: Mapping[str, str]) -> tuple[int, bool]:
    """People on foot heed no one-way street, but a way that is one-way for them."""
    said = tags.get("oneway:foot") or tags.get("foot:oneway") or ""
    if said in ("yes", "1", "true"):
        return FORWARD, False
    if said in ("-1", "reverse"):
        return BACKWARD, False
    return BOTH, said not in ("", "no", "0", "false")


def _flags(tags: Mapping[str, str], kind: str) -> int:
    flags = 0
    if kind == "steps" and tags.get("ramp:wheelchair") != "yes":
        flags |= STEPS
    if tags.get("bridge", "no") != "no":
        flags |= BRIDGE
    if tags.get("tunnel", "no") != "no":
        flags |= TUNNEL
    if (tags.get("wheelchair") == "no" or tags.get("surface") in _ROUGH or tags.get("smoothness") in _UNEVEN
            or _too_steep(tags.get("incline", ""))):
        flags |= NOT_STEP_FREE
    return flags


def _too_steep(incline: str) -> bool:
    found = _INCLINE.match(incline)
    if not found:
        return False
    value = abs(float(found.group(1).replace(",", ".")))
    return (value * 1.75 if found.group(2) == "°" else value) > _STEEPEST


def _name(tags: Mapping[str, str], *keys: str) -> str:
    said = next((tags[key] for key in keys if tags.get(key)), "")
    return " ".join("".join(c if c.isprintable() else " " for c in said).split())[:_LONGEST_NAME]


def closed_gate(tags: Mapping[str, str]) -> bool:
    """Whether a point on a way lets nobody through."""
    if "barrier" not in tags:
        return False
    foot = tags.get("foot", "")
    return foot in ("no", "private") or (foot not in _SAID and tags.get("access", "") in ("no", "private"))
