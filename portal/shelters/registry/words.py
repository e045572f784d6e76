"""Words of a shelter's facts. Levels and classes follow GB/T 44013-2024 (classes of emergency shelters)."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

from portal.shelters import models

#: Who plans and keeps it: 省级, 市级, 县级, 乡镇（街道）级, 村（社区）级.
LEVELS: dict[str, Any] = {
    "province": _l("Provincial"),
    "city": _l("Municipal"),
    "county": _l("County or district"),
    "town": _l("Town or street"),
    "village": _l("Village or community"),
}
#: How long people can stay: 紧急, 短期, 长期.
DURATIONS: dict[str, Any] = {
    "emergency": _l("Emergency (hours)"),
    "short": _l("Short-term (days)"),
    "long": _l("Long-term (weeks)"),
}
SPACES: dict[str, Any] = {"indoor": _l("Indoor"), "outdoor": _l("Outdoor"), "both": _l("Indoor and outdoor")}
#: 综合性: for several kinds of disaster; 单一性: for one; 特定: built for one use (refuge chambers, refuge floors).
FUNCTIONS: dict[str, Any] = {
    "comprehensive": _l("Comprehensive"),
    "single": _l("Single-hazard"),
    "special": _l("Special-purpose"),
}
STATUSES: dict[str, Any] = {
    models.STANDBY: lazy_pgettext("shelter", "On standby"),
    models.OPENING: lazy_pgettext("shelter", "Opening"),
    models.OPEN: lazy_pgettext("shelter", "Open"),
    models.NEARLY_FULL: lazy_pgettext("shelter", "Nearly full"),
    models.FULL: lazy_pgettext("shelter", "Full"),
    models.CLOSING: lazy_pgettext("shelter", "Closing"),
    models.CLOSED: lazy_pgettext("shelter", "Closed"),
    models.UNSAFE: lazy_pgettext("shelter", "Unsafe: do not enter"),
}
FACTS: dict[str, Any] = {
    "step_free": _l("Step-free way in"),
    "pets": _l("Pets allowed"),
    "water": _l("Drinking water"),
    "power": _l("Electric power"),
    "medical": _l("Medical help"),
    "night": _l("Overnight stay"),
}
#: What each field of `checks.FIELDS` is called.
FIELDS: dict[str, Any] = {
    "code": _l("Code"),
    "name_zh": _l("Chinese name"),
    "name_en": _l("English name"),
    "pinyin": _l("Pinyin"),
    "level": _l("Level"),
    "duration": _l("Length of stay"),
    "space": _l("Indoor or outdoor"),
    "function": _l("Function"),
    "region_code": _l("Community"),
    "address_zh": _l("Address in Chinese"),
    "address_en": _l("Address in English"),
    "longitude": _l("Longitude"),
    "latitude": _l("Latitude"),
    "boundary": _l("Outline"),
    "entrances": _l("Entrances"),
    "suitability": _l("Suitability by hazard"),
    "area_m2": _l("Effective area (m²)"),
    "m2_per_person": _l("m² per person"),
    "capacity_day": _l("Places by day"),
    "capacity_night": _l("Places at night"),
    **FACTS,
    "access_zh": _l("Way in, in Chinese"),
    "access_en": _l("Way in, in English"),
    "contact_zh": _l("Contact post in Chinese"),
    "contact_en": _l("Contact post in English"),
    "contact_phone": _l("Duty telephone"),
    "source": _l("Source"),
    "source_date": _l("Date of the source"),
    "licence": _l("Licence"),
    "checked_at": _l("Last looked at on the spot"),
    "demonstration": _l("Demonstration data"),
}
YES, NO, UNKNOWN = _l("yes"), _l("no"), _l("unknown")
CHOICES = {"level": LEVELS, "duration": DURATIONS, "space": SPACES, "function": FUNCTIONS, "status": STATUSES}


def yes_no_unknown(value: bool | None) -> Any:
    """The answer in words; None is unknown."""
    return UNKNOWN if value is None else YES if value else NO


def said(kind: str, key: str | None) -> Any:
    """The words of a level, duration, space, function or status; an unknown one says so."""
    return UNKNOWN if not key else CHOICES[kind].get(key, key)
