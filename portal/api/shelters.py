"""`/api/v1/shelters`: what anybody may know of the shelters, as GeoJSON. See docs/api.md."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, abort, request
from flask_babel import gettext as _

from portal.api import answers
from portal.core.clock import utcnow
from portal.core.db import db
from portal.core.errors import Invalid
from portal.identity.limits import limiter
from portal.regions.codes import is_code
from portal.shelters.models import STATUSES, Shelter
from portal.shelters.registry import freshness, store, suitability
from portal.shelters.registry.words import FACTS

#: Shelters of one answer; `after` asks for the next ones.
LISTED = 1000
#: What `after` may be; the codes of shelters are no others.
AFTER = "[A-Za-z0-9_-]{0,40}"
#: How old an answer of this process may be, and how many different ones it remembers.
KEPT_FOR, _MOST_ANSWERS = timedelta(seconds=10), 32
_answers: OrderedDict[tuple[str, ...], tuple[datetime, dict[str, Any]]] = OrderedDict()
_guard = threading.Lock()
_AFTER = re.compile(AFTER)
#: Facts that are passed on as they stand; null is unknown.
_PLAIN = ("code", "name_zh", "name_en", "pinyin", "level", "duration", "space", "function", "region_code", "address_zh",
          "address_en", "area_m2", "m2_per_person", "capacity_day", "capacity_night", *FACTS, "access_zh", "access_en",
          "contact_zh", "contact_en", "contact_phone", "source", "licence", "demonstration", "occupancy")


def add_routes(blueprint: Blueprint) -> None:
    read = limiter.limit(answers.READS)
    for path, name in (("/shelters", "shelters"), ("/shelters.geojson", "shelters_file")):
        blueprint.add_url_rule(path, name, read(listed))
    blueprint.add_url_rule("/shelters/<code>", "shelter", read(single))


def listed() -> Response:
    """Filters: `region` (code), `family` (suitable for all its hazards), `status`, `after` (code of the last one seen)."""
    args, now = request.args, utcnow()
    region, family, status = args.get("region", ""), args.get("family", ""), args.get("status", "")
    if "region" in args and not is_code(region):
        raise Invalid.one("region", _("This is not a 12-digit region code."))
    families = suitability.families()
    if "family" in args and family not in families:
        raise Invalid.one("family", _("Choose one of: %(names)s.", names=", ".join(families)))
    if "status" in args and status not in STATUSES:
        raise Invalid.one("status", _("Choose one of: %(names)s.", names=", ".join(STATUSES)))
    after = args.get("after", "")
    if not _AFTER.fullmatch(after):
        raise Invalid.one("after", _("Write `next_after` of the answer before."))
    return answers.fresh(_kept((str(db.engine.url), region, family, status, after), now), answers.GEOJSON, 30)


def _kept(key: tuple[str, ...], now: datetime) -> dict[str, Any]:
    """The answer, worked out at most once in a while per process: anybody may ask, and reading thousands of shelters costs."""
    with _guard:
        made = _answers.get(key)
    if made is not None and now - made[0] < KEPT_FOR:
        return made[1]
    _database, region, family, status, after = key
    value = _value(region, family, status, after, now)
    with _guard:
        _answers[key] = (now, value)
        _answers.move_to_end(key)
        while len(_answers) > _MOST_ANSWERS:
            _answers.popitem(last=False)
    return value


def _value(region: str, family: str, status: str, after: str, now: datetime) -> dict[str, Any]:
    families = suitability.families()
    rows = [s for s in sorted(store.listing([region] if region else None), key=lambda s: s.code)
            if s.code > after and (not status or s.status == status)
            and (not family or suitability.suits(s, families[family]) is True)]
    shown = rows[:LISTED]
    value: dict[str, Any] = {"type": "FeatureCollection", "left_out": len(rows) - len(shown),
                             "features": [feature(s, now) for s in shown]}
    if len(rows) > len(shown):
        value["next_after"] = shown[-1].code
    return value


def single(code: str) -> Response:
    shelter = store.by_code(code)
    if shelter is None or shelter.retired_at is not None:
        abort(404)
    return answers.fresh(feature(shelter, utcnow()), answers.GEOJSON, 30)


def feature(shelter: Shelter, now: datetime) -> dict[str, Any]:
    """What anybody may know of a shelter. A property that is null is unknown; `stale`: the status is too old to be relied on."""
    here = None if shelter.longitude is None or shelter.latitude is None else {
        "type": "Point", "coordinates": [shelter.longitude, shelter.latitude]}
    properties: dict[str, Any] = {name: getattr(shelter, name) for name in _PLAIN}
    properties |= {
        "suitability": {hazard: suitability.verdict(shelter, hazard) for hazard in suitability.HAZARDS},
        "status": shelter.status, "status_at": _iso(shelter.status_at), "status_until": _iso(shelter.status_until),
        "stale": freshness.is_stale(shelter, now), "occupancy_at": _iso(shelter.occupancy_at),
        "free_places": freshness.free_places(shelter, now),
        "source_date": shelter.source_date.isoformat() if shelter.source_date else None,
        "checked_at": _iso(shelter.checked_at), "boundary": shelter.boundary,
        "entrances": [{"name_zh": e.name_zh, "name_en": e.name_en, "longitude": e.longitude, "latitude": e.latitude,
                       "step_free": e.step_free, "hours": e.hours} for e in shelter.entrances],
    }
    return {"type": "Feature", "id": shelter.code, "geometry": here, "properties": properties}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
