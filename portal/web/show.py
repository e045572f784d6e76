"""How values are written for people: times in the district's zone, numbers, tiers. Used as template filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import format_decimal, format_timedelta, get_locale, lazy_gettext
from flask_babel import gettext as _

from portal import current_settings
from portal.core.clock import local, utcnow

TIER_LABELS = {
    "white": lazy_gettext("White"), "blue": lazy_gettext("Blue"), "yellow": lazy_gettext("Yellow"),
    "orange": lazy_gettext("Orange"), "red": lazy_gettext("Red"),
}


def tier_label(tier: str) -> Any:
    return TIER_LABELS[tier]


def when(moment: datetime | None) -> str:
    """Day and time, as `11月22日 03:15` or `22 Nov 03:15`; with the year when it is not this one."""
    if moment is None:
        return "—"
    here, now = (local(m, current_settings().timezone) for m in (moment, utcnow()))
    locale = get_locale()
    if locale is not None and locale.language == "zh":
        text = f"{here.month}月{here.day}日 {here:%H:%M}"
        return text if here.year == now.year else f"{here.year}年{text}"
    text = f"{here.day} {here:%b %H:%M}"
    return text if here.year == now.year else f"{here.day} {here:%b %Y %H:%M}"


def clock(moment: datetime | None) -> str:
    """Time of day to the second, for progress."""
    return "—" if moment is None else f"{local(moment, current_settings().timezone):%H:%M:%S}"


def number(value: float | None) -> str:
    return "—" if value is None else format_decimal(value)


def ago(moment: datetime | None) -> str:
    if moment is None:
        return _("never")
    return format_timedelta(moment - utcnow(), add_direction=True, granularity="second")
