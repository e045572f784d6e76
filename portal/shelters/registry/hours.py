"""Opening hours of an entrance: `24h`, `08:00-22:00`, or several spans: `08:00-12:00, 14:00-18:00`.

A span may run past midnight (`20:00-06:00`). Empty is unknown.
"""

from __future__ import annotations

import re

ALWAYS = "24h"
MAX_SPANS = 6
_ALWAYS = ("24h", "24小时", "全天", "24時間", "00:00-24:00", "0:00-24:00")
_SPAN = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})\Z", re.ASCII)


def parse(text: str) -> list[tuple[int, int]] | None:
    """Spans in minutes of the day, (0, 1440) for always; empty for unknown; None when this says no hours."""
    plain = _plain(text)
    if not plain:
        return []
    if plain.lower() in _ALWAYS:
        return [(0, 1440)]
    spans = []
    for part in plain.split(","):
        found = _SPAN.match(part)
        if not found:
            return None
        hour, minute, to_hour, to_minute = map(int, found.groups())
        start, end = hour * 60 + minute, to_hour * 60 + to_minute
        if minute > 59 or to_minute > 59 or start >= 1440 or end > 1440 or start == end:
            return None
        spans.append((start, end))
    return spans if len(spans) <= MAX_SPANS else None


def canonical(text: str) -> str | None:
    """The hours in their one form; None when this says no hours."""
    spans = parse(text)
    if spans is None:
        return None
    return ALWAYS if spans == [(0, 1440)] else ", ".join(f"{_clock(a)}-{_clock(b)}" for a, b in spans)


def open_at(text: str, minute: int) -> bool | None:
    """Whether the entrance is open at a minute of the day; None: unknown."""
    spans = parse(text)
    if not spans:
        return None
    return any(a <= minute < b if a < b else minute >= a or minute < b for a, b in spans)


def _plain(text: str) -> str:
    for char, plain in (("：", ":"), ("—", "-"), ("–", "-"), ("－", "-"), ("~", "-"), ("～", "-"), ("至", "-"),
                        ("，", ","), ("、", ","), (";", ","), ("；", ",")):
        text = text.replace(char, plain)
    return re.sub(r"\s+", "", text).strip(",")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
