"""Words of a shelter's facts. Levels and classes follow GB/T 44013-2024 (classes of emergency shelters)."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

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
    models.STANDBY: _l("On standby"),
    models.OPENING: _l("Opening"),
    models.OPEN: _l("Open"),
    models.NEARLY_FULL: _l("Nearly full"),
    models.FULL: _l("Full"),
    models.CLOSING: _l("Closing"),
    models.CLOSED: _l("Closed"),
    models.UNSAFE: _l("Unsafe: do not enter"),
}
FACTS: dict[str, Any] = {
    "step_free": _l("Step-free way in"),
    "pets": _l("Pets allowed"),
    "water": _l("Drinking water"),
    "power": _l("Electric power"),
    "medical": _l("Medical help"),
    "night": _l("Overnight stay"),
}
YES, NO, UNKNOWN = _l("yes"), _l("no"), _l("unknown")
_CHOICES = {"level": LEVELS, "duration": DURATIONS, "space": SPACES, "function": FUNCTIONS, "status": STATUSES}


def yes_no_unknown(value: bool | None) -> Any:
    """The answer in words; None is unknown."""
    return UNKNOWN if value is None else YES if value else NO


def said(kind: str, key: str | None) -> Any:
    """The words of a level, duration, space, function or status; an unknown one says so."""
    return UNKNOWN if not key else _CHOICES[kind].get(key, key)
