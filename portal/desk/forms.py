"""What is typed into the compose page: out of the request, out of a draft, and into a draft's content.

It only reads; whether it is right, the rules of `warnings` say. What cannot even be read (a date, a list of points)
is refused here, at the same fields and together with what the rules refuse.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from portal.config import Settings
from portal.core.clock import from_local, local
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.warnings import drafts, templates, words
from portal.warnings.models import CANCEL, Draft
from portal.warnings.target import OPTIONAL_CHANNELS

#: Quick choices of the end, in hours after the beginning.
HOURS = ("3", "6", "12", "24")
USUAL_HOURS = "6"
NOW, AT = "now", "at"
#: An end that is counted in hours falls on a full ten minutes, which is easier to say.
STEP = timedelta(minutes=10)
_LINE = re.compile(r"[\n;；]+")
_GAP = re.compile(r"[,，\s]+")


def _no_words() -> dict[str, dict[str, str]]:
    return {language: dict.fromkeys(words.FIELDS, "") for language in LANGUAGES}


@dataclass
class Typed:
    """The form as it stands, right or wrong. `offered`: place of a text (`zh.sms`) → mark of the template's words that
    were put there last, by which words that nobody edited are known. Regions are codes; times are as typed, in the
    district's zone."""

    exercise: bool = False
    hazard: str = ""
    tier: str = ""
    regions: list[str] = field(default_factory=list)
    find: str = ""
    area: str = ""
    audiences: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=lambda: list(OPTIONAL_CHANNELS))
    onset_mode: str = NOW
    onset: str = ""
    expires_mode: str = USUAL_HOURS
    expires: str = ""
    words: dict[str, dict[str, str]] = field(default_factory=_no_words)
    offered: dict[str, str] = field(default_factory=dict)

    @property
    def has_words(self) -> bool:
        return any(text.strip() for texts in self.words.values() for text in texts.values())


def from_request(form: MultiDict[str, str]) -> Typed:
    hazard = form.get("hazard", "")
    return Typed(
        exercise=form.get("exercise") == "1",
        hazard=(form.get("hazard.other", "") if hazard == "other" else hazard).strip()[:20],
        tier=form.get("tier", "")[:20], regions=form.getlist("target.regions")[:2000], find=form.get("find", "")[:60],
        area=form.get("target.area", ""), audiences=form.getlist("target.audiences")[:50],
        channels=form.getlist("target.channels")[:10], onset_mode=AT if form.get("onset.mode") == AT else NOW,
        onset=form.get("onset", "")[:40], expires_mode=form.get("expires.mode", AT)[:10],
        expires=form.get("expires", "")[:40],
        words={language: {name: form.get(f"words.{language}.{name}", "") for name in words.FIELDS} for language in LANGUAGES},
        offered={f"{language}.{name}": mark for language in LANGUAGES for name in words.FIELDS
                 if (mark := form.get(f"offered.{language}.{name}", "")[:20])})


def from_content(content: drafts.Content | Draft, zone: str) -> Typed:
    """The form filled with what a draft holds."""
    aim = content.target
    return Typed(
        exercise=content.exercise, hazard=content.hazard, tier=content.tier, regions=list(aim["regions"]),
        area=area_text(aim["area"]),
        audiences=list(aim["audiences"]), channels=list(aim.get("channels", OPTIONAL_CHANNELS)),
        onset_mode=AT if content.onset else NOW, onset=time_text(content.onset, zone), expires_mode=AT,
        expires=time_text(content.expires, zone),
        words={language: {name: content.words.get(language, {}).get(name, "") for name in words.FIELDS}
               for language in LANGUAGES})


def content(typed: Typed, *, kind: str, warning_id: uuid.UUID | None, now: datetime, settings: Settings) -> drafts.Content:
    """The content that the form says. Raises Invalid with everything that is wrong, what the rules refuse included."""
    made, problems = read(typed, kind=kind, warning_id=warning_id, now=now, settings=settings)
    problems += [*_rules_refuse(made, {p.field for p in problems}, settings, now), *_drill_marks(made)]
    if problems:
        raise Invalid(problems)
    return made


def read(typed: Typed, *, kind: str, warning_id: uuid.UUID | None, now: datetime,
         settings: Settings) -> tuple[drafts.Content, list[Problem]]:
    """The content and what could not be read of it; in place of that stands what would be usual."""
    problems: list[Problem] = []
    if not typed.hazard:
        problems.append(Problem("hazard", _("Choose the kind of hazard.")))
    if not typed.tier:
        problems.append(Problem("tier", _("Choose the tier.")))
    onset = expires = None
    try:
        onset = _onset(typed, settings.timezone) if kind != CANCEL else None
    except Invalid as error:
        problems += error.problems
    try:
        expires = _expires(typed, onset or now, settings)
    except Invalid as error:
        problems += error.problems
    area = None
    try:
        area = parse_area(typed.area)
    except Invalid as error:
        problems += error.problems
    aim = {"regions": typed.regions, "area": area, "audiences": typed.audiences, "channels": typed.channels}
    return drafts.Content(kind, warning_id, typed.exercise, typed.hazard, typed.tier, aim, onset,
                          expires or (onset or now) + timedelta(hours=int(USUAL_HOURS)), typed.words), problems


def _rules_refuse(made: drafts.Content, told: set[str], settings: Settings, now: datetime) -> list[Problem]:
    """What the rules refuse as well, so that one answer tells all; not twice at the same field."""
    try:
        drafts.check(made, complete=False, settings=settings, now=now)
    except Invalid as error:
        silent = told | ({"tier"} if "hazard" in told else set())
        return [p for p in error.problems if p.field not in silent]
    return []


def _drill_marks(made: drafts.Content) -> list[Problem]:
    """A real warning whose words still say that it is a drill would not be believed."""
    if made.exercise:
        return []
    return [Problem(f"words.{language}.{name}", _(
                "%(field)s (%(language)s) is marked as a drill, but this is a real warning: delete the mark.",
                field=words.FIELD_LABELS[name], language=words.LANGUAGE_LABELS[language]))
            for language, texts in made.words.items() for name, text in texts.items()
            if text.strip() and templates.mark_exercise({language: {name: text}})[language][name] == text.strip()]


def ended_at(typed: Typed, moment: datetime, zone: str) -> Typed:
    """The form with the end as a time of day in place of “in six hours”, which later would be another time."""
    return replace(typed, expires_mode=AT, expires=time_text(moment, zone))


# -- times -------------------------------------------------------------------------------------------------
def time_text(moment: datetime | None, zone: str) -> str:
    """As `datetime-local` fields have it, in the district's zone."""
    return f"{local(moment, zone):%Y-%m-%dT%H:%M}" if moment else ""


def _onset(typed: Typed, zone: str) -> datetime | None:
    return None if typed.onset_mode != AT else _time(typed.onset, "onset", zone)


def _expires(typed: Typed, start: datetime, settings: Settings) -> datetime:
    if typed.expires_mode == AT:
        return _time(typed.expires, "expires", settings.timezone)
    if typed.expires_mode not in HOURS:
        raise Invalid.one("expires", _("Choose how long the warning lasts, or type its end."))
    end = start + timedelta(hours=int(typed.expires_mode))
    over = timedelta(minutes=end.minute % 10, seconds=end.second, microseconds=end.microsecond)
    return end - over + (STEP if over else timedelta())


def _time(text: str, name: str, zone: str) -> datetime:
    try:
        naive = datetime.fromisoformat(text.strip())
        if naive.tzinfo is None and 2000 <= naive.year < 2100:
            return from_local(naive, zone)
    except ValueError:
        pass  # said below, together with a time that has a zone or lies in another century
    raise Invalid.one(name, _("Type day and time, for example 2026-11-22 06:30."))


# -- drawn areas, as people can type them too --------------------------------------------------------------
def parse_area(text: str) -> dict[str, Any] | None:
    """The area of a text: points as `longitude, latitude`, one a line; or one line with a radius in metres after them for
    a circle; or GeoJSON. None when nothing is there. Raises Invalid."""
    text = text.strip()
    if not text:
        return None
    if len(text) > 40_000:
        raise Invalid.one("target.area", _("The list of points is too long. Draw a simpler outline."))
    if text.startswith("{"):
        return _geojson(text)
    try:
        lines = [[float(n) for n in _GAP.split(line.strip(" ,，\t"))] for line in _LINE.split(text) if line.strip()]
    except ValueError as error:
        raise _unreadable() from error
    if len(lines) == 1 and len(lines[0]) == 3:
        return {"type": "Circle", "center": lines[0][:2], "radius": lines[0][2]}
    if any(len(line) != 2 for line in lines):
        raise _unreadable()
    return {"type": "Polygon", "coordinates": [lines]}


def _geojson(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable() from error
    if isinstance(found, Mapping) and found.get("type") == "Feature":
        found = found.get("geometry")
    if not isinstance(found, dict) or not found.get("type"):
        raise _unreadable()
    return found


def _unreadable() -> Invalid:
    return Invalid.one("target.area", _("The drawn area cannot be read. Write one point a line as “longitude, latitude”, or for a"
                                        " circle one line “longitude, latitude, radius in metres”."))


def area_text(area: Mapping[str, Any] | None) -> str:
    """The text that `parse_area` reads."""
    if not area:
        return ""
    if area["type"] == "Circle":
        return f"{area['center'][0]}, {area['center'][1]}, {area['radius']:g}"
    return "\n".join(f"{lon}, {lat}" for lon, lat in area["coordinates"][0][:-1])
