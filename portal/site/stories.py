"""A warning as residents read it: its bulletins, its state at a moment, its words in one language."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.clock import local
from portal.guides.values import Guide
from portal.shelters.living.shown import Opened
from portal.warnings.models import ALERT, CANCEL, IN_FORCE, UPDATE, Bulletin, Warning
from portal.warnings.phrases import MONTHS_EN

TIER_NAMES = {
    "red": _l("Red warning"),
    "orange": _l("Orange warning"),
    "yellow": _l("Yellow warning"),
    "blue": _l("Blue warning"),
    "white": _l("White warning"),
}
TIER_GRADES = {
    "red": _l("Grade I, extremely serious"),
    "orange": _l("Grade II, serious"),
    "yellow": _l("Grade III, fairly serious"),
    "blue": _l("Grade IV, ordinary"),
    "white": _l("Early notice"),
}
KIND_NAMES = {ALERT: _l("First issue"), UPDATE: _l("Update"), CANCEL: _l("All clear")}
TAGS = {"zh": "zh-CN", "en": "en"}

_MARK = re.compile(r"\s*(?:[(（]?\d{1,2}[)）]|\d{1,2}[.、．](?!\d)|[-•·*])\s*")


@dataclass(frozen=True)
class Story:
    """One real warning with its chain of bulletins, first to last. `state` is that of the moment of
    rendering; `shelters` are those that were opened for it and still are; `guides` those that it leads to."""

    warning: Warning
    bulletins: list[Bulletin]
    state: str
    shelters: list[Opened] = field(default_factory=list)
    guides: list[Guide] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.state == IN_FORCE

    @property
    def substance(self) -> Bulletin:
        """The newest bulletin that says what happens and what to do; an all-clear does not."""
        return next((b for b in reversed(self.bulletins) if b.kind != CANCEL), self.bulletins[-1])

    @property
    def latest(self) -> Bulletin:
        return self.bulletins[-1]

    @property
    def ended(self) -> datetime:
        return self.warning.ended_at or self.warning.expires

    def headline(self, language: str) -> str:
        return headline(self.substance, language)

    def areas(self, language: str) -> list[str]:
        return area_names(self.substance, language)


def word(bulletin: Bulletin, language: str, field: str) -> str:
    """What the bulletin says; in Chinese where the other language was left empty, because some words beat
    none."""
    words = bulletin.snapshot.get("words", {})
    return str((words.get(language) or {}).get(field) or (words.get("zh") or {}).get(field) or "").strip()


def headline(bulletin: Bulletin, language: str) -> str:
    """The headline; without one, the hazard's name."""
    return word(bulletin, language, "headline") or hazard_name(bulletin, language)


def hazard_name(bulletin: Bulletin, language: str) -> str:
    hazard = bulletin.snapshot.get("hazard", {})
    return str(hazard.get(language) or hazard.get("zh") or bulletin.hazard)


def authority(bulletin: Bulletin, language: str) -> str:
    names = bulletin.snapshot.get("authority", {})
    return str(names.get(language) or names.get("zh") or bulletin.sender)


def area_names(bulletin: Bulletin, language: str) -> list[str]:
    return [str(a.get(language) or a.get("zh") or a.get("code", "")) for a in bulletin.snapshot.get("areas", [])]


def rings(bulletin: Bulletin) -> list[list[list[float]]]:
    """Outer rings of the area, [longitude, latitude], closed; those that are no ring are left out."""
    closed: list[list[list[float]]] = []
    for ring in bulletin.snapshot.get("polygons") or []:
        if len(ring) >= 3:
            closed.append(ring if ring[0] == ring[-1] else [*ring, ring[0]])
    return [ring for ring in closed if len(ring) >= 4]


def paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def steps(text: str) -> list[str]:
    """An instruction as the items of a list: one a line, without the numbers that stand before them, and without a first
    line that only announces the list (the page has a heading of its own)."""
    lines = paragraphs(text)
    if len(lines) > 1 and lines[0].endswith((":", "：")):
        lines = lines[1:]
    return [_MARK.sub("", line, count=1) if _MARK.match(line) else line for line in lines]


def when(moment: datetime, language: str, zone: str) -> str:
    """Date and time in the district's zone, always with the year: a page may be read long after it was
    made."""
    here = local(moment, zone)
    if language == "zh":
        return f"{here.year}年{here.month}月{here.day}日 {here:%H:%M}"
    return f"{here.day} {MONTHS_EN[here.month - 1]} {here.year}, {here:%H:%M}"


def month_name(month: str, language: str) -> str:
    """`2026-11` in words."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year}年{number}月" if language == "zh" else f"{MONTHS_EN[number - 1]} {year}"


def iso(moment: datetime, zone: str) -> str:
    return local(moment, zone).isoformat()


def facts(warning: Warning) -> list[Any]:
    """What of a warning's row its pages show: part of the key that says whether they must be rendered
    again."""
    return [
        warning.number,
        warning.tier,
        warning.state,
        warning.onset,
        warning.expires,
        warning.issued_at,
        warning.ended_at,
    ]
