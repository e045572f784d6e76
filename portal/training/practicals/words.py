"""How a session's time is written for people, in the district's zone."""

from __future__ import annotations

from flask_babel import get_locale
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import local, utcnow
from portal.training.practical_models import PracticalSession

WEEKDAYS = (_l("Mon"), _l("Tue"), _l("Wed"), _l("Thu"), _l("Fri"), _l("Sat"), _l("Sun"))


def span(practical: PracticalSession) -> str:
    """Both parts of when a session is, as one text."""
    return "".join(parts(practical))


def parts(practical: PracticalSession) -> tuple[str, str]:
    """The day, and the time, between which a line may be broken: `12月1日（周二）` and `09:30–12:30`, or `Tue 1 Dec ` and
    `09:30–12:30`; with the year when it is not this one, and the day of the end when that is another."""
    zone = current_settings().timezone
    starts, ends, now = local(practical.starts_at, zone), local(practical.ends_at, zone), local(utcnow(), zone)
    weekday, locale = str(WEEKDAYS[starts.weekday()]), get_locale()
    if locale is not None and locale.language == "zh":
        day = f"{starts.month}月{starts.day}日（{weekday}）"
        day = day if starts.year == now.year else f"{starts.year}年{day}"
        last = f"{ends:%H:%M}" if ends.date() == starts.date() else f"{ends.month}月{ends.day}日 {ends:%H:%M}"
        return day, f"{starts:%H:%M}–{last}"
    day = f"{weekday} {starts.day} {starts:%b}" + ("" if starts.year == now.year else f" {starts.year}")
    last = f"{ends:%H:%M}" if ends.date() == starts.date() else f"{ends.day} {ends:%b %H:%M}"
    return f"{day} ", f"{starts:%H:%M}–{last}"
