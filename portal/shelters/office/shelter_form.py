"""What is typed into the form of a shelter, as `store.save` takes it; and what somebody else changed meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from portal import current_settings
from portal.core.clock import local
from portal.shelters.models import Shelter
from portal.shelters.registry import store
from portal.shelters.registry.checks import MAX_ENTRANCES
from portal.shelters.registry.suitability import HAZARDS
from portal.shelters.registry.words import FACTS

#: Fields that are one text each in the form, in its order, with their labels.
FIELDS: dict[str, Any] = {
    "code": _l("Code"), "name_zh": _l("Name (Chinese)"), "name_en": _l("Name (English)"), "pinyin": _l("Pinyin"),
    "level": _l("Level"), "duration": _l("How long people can stay"), "space": _l("Space"), "function": _l("Function"),
    "region_code": _l("Community"), "address_zh": _l("Address (Chinese)"), "address_en": _l("Address (English)"),
    "longitude": _l("Longitude"), "latitude": _l("Latitude"), "boundary": _l("Outline"), "area_m2": _l("Effective area (m²)"),
    "m2_per_person": _l("m² for each person"), "capacity_day": _l("Places by day"), "capacity_night": _l("Places by night"),
    **FACTS, "access_zh": _l("How to get in (Chinese)"), "access_en": _l("How to get in (English)"),
    "contact_zh": _l("Contact: a post (Chinese)"), "contact_en": _l("Contact: a post (English)"),
    "contact_phone": _l("Duty telephone"), "source": _l("Source"), "source_date": _l("As of"), "licence": _l("Licence"),
    "checked_at": _l("Last looked at on site"),
}
LABELS: dict[str, Any] = FIELDS | {"suitability": _l("Suitability"), "entrances": _l("Entrances")}
ENTRANCE = ("name_zh", "name_en", "longitude", "latitude", "step_free", "hours")
_YES_NO = {True: "yes", False: "no", None: ""}
_ROW = re.compile(r"entrances\.(\d{1,3})\.\w+\Z", re.ASCII)
Typed = dict[str, Any]


def empty() -> Typed:
    return dict.fromkeys(FIELDS, "") | {"suitability": dict.fromkeys(HAZARDS, ""), "entrances": []}


def of(shelter: Shelter) -> Typed:
    """The form filled with what is known of a shelter."""
    return _shown(store.values_of(shelter))


def _shown(values: Mapping[str, Any]) -> Typed:
    typed = empty()
    for name in FIELDS:
        typed[name] = _text(name, values.get(name))
    typed["suitability"] = {h: _YES_NO[(values.get("suitability") or {}).get(h)] for h in HAZARDS}
    typed["entrances"] = [{name: _text(name, row.get(name)) for name in ENTRANCE} for row in values.get("entrances") or []]
    return typed


def _text(name: str, value: Any) -> str:
    if name in FACTS or name == "step_free":
        return _YES_NO[value] if value in (True, False, None) else str(value)
    if value is None:
        return ""
    if name == "boundary":
        return json.dumps(value)
    if isinstance(value, datetime):
        return f"{local(value, current_settings().timezone):%Y-%m-%d %H:%M}"
    return f"{value:.7g}" if isinstance(value, float) and name not in ("longitude", "latitude") else str(value)


def from_request(form: MultiDict[str, str]) -> Typed:
    """What was sent, as text; entrances in the order of their numbers."""
    typed = empty()
    for name in FIELDS:
        typed[name] = form.get(name, "")[:200_000]
    typed["suitability"] = {h: form.get(f"suitability.{h}", "") for h in HAZARDS}
    numbers = sorted({int(m.group(1)) for key in form if (m := _ROW.match(key))})[:MAX_ENTRANCES + 1]
    typed["entrances"] = [{name: form.get(f"entrances.{n}.{name}", "")[:400] for name in ENTRANCE} for n in numbers]
    return typed


def values(typed: Typed, shelter: Shelter | None) -> dict[str, Any]:
    """As `store.save` takes it. A text that is as the form showed it is left out, for the form rounds; an entrance of which
    nothing was typed is none."""
    shown = of(shelter) if shelter else None
    made: dict[str, Any] = {name: typed[name] for name in FIELDS if shown is None or typed[name].strip() != shown[name].strip()}
    made["suitability"] = {h: said or None for h, said in typed["suitability"].items()}
    made["entrances"] = [row for row in typed["entrances"] if any(value.strip() for value in row.values())]
    return made


def differences(typed: Typed, shelter: Shelter) -> list[tuple[Any, str, str]]:
    """Where what was typed differs from the shelter as it is now: label, typed, now. For somebody who came second."""
    now = of(shelter)
    found = [(FIELDS[name], typed[name], now[name]) for name in FIELDS if typed[name].strip() != now[name].strip()]
    found += [(HAZARDS[h], typed["suitability"][h], now["suitability"][h]) for h in HAZARDS
              if typed["suitability"][h] != now["suitability"][h]]
    mine, theirs = (["; ".join(filter(None, row.values())) for row in side["entrances"] if any(row.values())]
                    for side in (typed, now))
    if mine != theirs:
        found.append((LABELS["entrances"], "\n".join(mine), "\n".join(theirs)))
    return [(label, before[:300], after[:300]) for label, before, after in found]
