"""Obstructions as GeoJSON features (RFC 7946): what the API and imported files have in common.

Properties: `kind` (a key of KINDS), `name_zh`, `name_en` (or one `name`), `radius` (m), `effect` (`cuts`, `slows`), `factor`,
`families` (keys of hazard families; empty or missing: as the kind has it), `begins_at`, `expires_at` (ISO 8601 with a zone;
null: none), `note`, `external_id` (or the feature's own `id`). Others are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Invalid, Problem
from portal.shelters.models import Obstruction
from portal.shelters.registry import parsing
from portal.shelters.roads.obstruction_values import one_line
from portal.shelters.roads.obstructions import state_of

#: Property of a feature → name of the value.
_PROPERTIES = {"kind": "kind", "name_zh": "name_zh", "name_en": "name_en", "radius": "radius", "effect": "effect",
               "factor": "factor", "families": "families", "note": "source_note", "external_id": "external_id"}
_TIMES = ("begins_at", "expires_at")


def values_of(feature: Any, usual: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a feature says, by the names of `obstruction_values.check`: only what it names. `usual` fills what is missing.
    Raises Invalid when it is no feature, or its times cannot be read."""
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise Invalid.one("", _l("This is not a GeoJSON feature."))
    if not parsing.is_writable(feature):
        raise Invalid.one("", parsing.UNSHOWABLE)
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise Invalid.one("properties", _l("The properties must be an object."))
    values: dict[str, Any] = dict(usual or {})
    values |= {name: properties[key] for key, name in _PROPERTIES.items() if properties.get(key) is not None}
    if isinstance(name := properties.get("name"), str) and "name_zh" not in values:
        values["name_zh"] = name
    own = feature.get("id")
    if "external_id" not in values and isinstance(own, (str, int)) and not isinstance(own, bool):
        values["external_id"] = own
    if isinstance(values.get("external_id"), (str, int)):  # in its one form before anybody looks for it
        values["external_id"] = one_line(values["external_id"])
    if feature.get("geometry") is not None:
        values["geometry"] = feature["geometry"]
    problems = []
    for name in _TIMES:
        if name in properties:
            try:
                values[name] = _moment(properties[name])
            except ValueError:
                problems.append(Problem(name, _l("This must be a date and a time with its zone, such as"
                                                 " 2026-07-01T08:00:00+08:00.")))
    if problems:
        raise Invalid(problems)
    return values


def _moment(text: Any) -> datetime | None:
    if text is None or text == "":
        return None
    if not isinstance(text, str) or len(text) > 40:
        raise ValueError
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


def feature_of(row: Obstruction, now: datetime, *, inside: bool = False) -> dict[str, Any]:
    """The obstruction as a feature: what anybody may know, and with `inside` what the office keeps besides."""
    properties: dict[str, Any] = {
        "kind": row.kind, "name_zh": row.name_zh, "name_en": row.name_en, "radius": row.radius, "effect": row.effect,
        "factor": row.factor, "families": row.families, "begins_at": row.begins_at.isoformat(),
        "expires_at": row.expires_at.isoformat() if row.expires_at else None, "state": state_of(row, now),
        "regions": row.region_codes, "changed_at": row.changed_at.isoformat(), "version": row.version,
        "demonstration": row.demonstration,
    }
    if inside:
        properties |= {"external_id": row.external_id, "note": row.source_note, "source": row.source,
                       "ended_at": row.ended_at.isoformat() if row.ended_at else None}
    return {"type": "Feature", "id": str(row.id), "geometry": row.geometry, "properties": properties}
