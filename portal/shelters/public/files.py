"""What programs and phones read: a file of the field for each community, the index that a device searches, GeoJSON."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import shapely

from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.shelters.public import street_index
from portal.shelters.public.press import GEOJSON, JSON, Press
from portal.shelters.public.source import Source
from portal.shelters.public.view import FILTERS, Place
from portal.shelters.registry.suitability import HAZARDS, verdict
from portal.shelters.roads import store as roads

#: Degrees by which outlines in the index are simplified (about 40 m), and decimals of places (about 1 m).
_SIMPLER, _DECIMALS = 0.0004, 5
#: Verdicts in the index, one letter a family.
_LETTERS = {True: "y", False: "n", None: "?"}
_PROPERTIES = ("code", "name_zh", "name_en", "pinyin", "level", "duration", "space", "function", "region_code", "address_zh",
               "address_en", "area_m2", "m2_per_person", "capacity_day", "capacity_night", "step_free", "pets", "water", "power",
               "medical", "night", "status", "occupancy", "source", "licence", "demonstration")
_MOMENTS = ("status_at", "status_until", "occupancy_at", "checked_at")


def put(press: Press, source: Source) -> None:
    view = source.view
    families = [[f.key, f.zh, f.en] for f in source.families.values()]
    graph = roads.newest()
    press.put("/fields/index.json", JSON, press.key("index", families, graph.id if graph else None, view is None),
              partial(_index, source))
    needed = sorted(source.needed(source.warnings))
    press.put("/fields/shelters.json", JSON, press.key("states", source.facts, families, needed), partial(_states, press, source),
              needed=True)
    if view is not None:
        for node in source.communities:
            if not len(view.community_nodes.get(node.code, ())):
                continue  # no way runs there: its page says that none is known
            press.put(f"/fields/{node.code}.json", JSON, press.key("field", node.code, view.version),
                      partial(view.community_file, node.code))
    press.put("/feeds/shelters.geojson", GEOJSON, press.key("shelters", source.facts), partial(_geojson, press, source))


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _index(source: Source) -> bytes:
    """What a device needs to find its community, a street, a named place by itself: it changes with the roads only."""
    codes = [node.code for node in source.communities]
    return _dump({"communities": [_community(node) for node in source.communities],
                  "places": street_index.entries(source.view, codes)})


def _states(press: Press, source: Source) -> bytes:
    """The shelters with their states, small enough to be asked for again and again."""
    return _dump({"made_at": press.now.isoformat(), "needed": sorted(source.needed(source.warnings)),
                  "families": [{"key": f.key, "zh": f.zh, "en": f.en} for f in source.families.values()],
                  "shelters": [_shelter(place, source) for place in source.places]})


def _community(node: Any) -> dict[str, Any]:
    """Names and the outline, simplified: which community a point lies in is decided on the device, where a point near an edge
    may fall to the neighbour, whose field file reaches beyond its edge."""
    outline = lookup.outline([node.code])
    rings: list[Any] = []
    middle = None
    if outline is not None:
        shape = shapely.from_geojson(json.dumps(outline)).simplify(_SIMPLER)
        rings = [[[round(x, _DECIMALS), round(y, _DECIMALS)] for x, y in part.exterior.coords]
                 for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
        inner = shape.representative_point()
        middle = [round(inner.x, _DECIMALS), round(inner.y, _DECIMALS)]
    return {"code": node.code, "zh": node.name_zh, "en": node.name_en, "pinyin": node.pinyin, "rings": rings, "middle": middle}


def _shelter(place: Place, source: Source) -> dict[str, Any]:
    s = place.shelter
    return {
        "id": s.id, "slug": place.slug, "zh": s.name_zh, "en": s.name_en, "pinyin": s.pinyin, "at": _at(place),
        "community": s.region_code, "status": s.status, "stale": place.stale, "open": place.usable, "free": place.free,
        "status_at": s.status_at.isoformat() if s.status_at else None,
        "suits": "".join(_LETTERS[place.verdicts[key]] for key in source.families),
        "has": "".join(_LETTERS[getattr(s, name)] for name in FILTERS),
    }


def _at(place: Place) -> list[float] | None:
    return None if place.at is None else [round(place.at[0], _DECIMALS), round(place.at[1], _DECIMALS)]


def _geojson(press: Press, source: Source) -> bytes:
    return _dump({"type": "FeatureCollection", "features": [_feature(press, place) for place in source.places]})


def _feature(press: Press, place: Place) -> dict[str, Any]:
    """A shelter with a null geometry where its place is unknown; what is unknown is null. `suitability` names every hazard."""
    s = place.shelter
    at = _at(place)
    properties: dict[str, Any] = {name: getattr(s, name) for name in _PROPERTIES}
    properties |= {name: value.isoformat() if (value := getattr(s, name)) else None for name in _MOMENTS}
    properties |= {
        "source_date": s.source_date.isoformat() if s.source_date else None,
        "status_stale": place.stale, "takes_people_now": place.usable, "free_places": place.free,
        "suitability": {hazard: verdict(s, hazard) for hazard in HAZARDS},
        "entrances": [{"name_zh": d.name_zh, "name_en": d.name_en, "longitude": d.longitude, "latitude": d.latitude,
                       "step_free": d.step_free, "hours": d.hours or None} for d in s.entrances],
        "pages": {language: press.settings.base_url + place.href(language) for language in LANGUAGES},
    }
    return {"type": "Feature", "id": s.code, "geometry": {"type": "Point", "coordinates": at} if at else None,
            "properties": properties}
