"""What is typed into the form of an obstruction: out of the request, out of a row, and into values that the rules check."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict

from portal.core.clock import from_local, local
from portal.core.errors import Invalid, Problem
from portal.shelters.models import Obstruction

#: Quick choices of the end, in hours from the beginning.
HOURS = ("3", "6", "12", "24")
AT, NEVER = "at", "never"
USUAL, ALL, SOME = "usual", "all", "some"
POINT, LINE, AREA = SHAPES = ("point", "line", "area")
_LONGEST = 200_000
_LINE = re.compile(r"[\n;；]+")
_GAP = re.compile(r"[,，\s]+")
_NO_DATE = _l("This is no date with a time: choose it from the calendar.")


@dataclass
class Typed:
    """The form as it stands, right or wrong. Times are as typed, in the district's zone; empty radius, factor and effect
    are those that the kind usually has."""

    kind: str = ""
    name_zh: str = ""
    name_en: str = ""
    shape: str = POINT
    geometry: str = ""
    radius: str = ""
    effect: str = ""
    factor: str = ""
    families_mode: str = USUAL
    families: list[str] = field(default_factory=list)
    begins: str = ""
    expires_mode: str = "6"
    expires: str = ""
    source_note: str = ""


def from_request(form: MultiDict[str, str]) -> Typed:
    mode, shape = form.get("families_mode", USUAL), form.get("shape", POINT)
    return Typed(
        kind=form.get("kind", "")[:20], name_zh=form.get("name_zh", "")[:400], name_en=form.get("name_en", "")[:400],
        shape=shape if shape in SHAPES else POINT, geometry=form.get("geometry", "")[:_LONGEST],
        radius=form.get("radius", "")[:20], effect=form.get("effect", "")[:10], factor=form.get("factor", "")[:20],
        families_mode=mode if mode in (USUAL, ALL, SOME) else USUAL, families=form.getlist("families")[:50],
        begins=form.get("begins", "")[:40], expires_mode=form.get("expires_mode", AT)[:10], expires=form.get("expires", "")[:40],
        source_note=form.get("source_note", "")[:1000])


def from_row(row: Obstruction, zone: str) -> Typed:
    """The form filled with what is known of an obstruction."""
    kind = row.geometry["type"]
    return Typed(
        kind=row.kind, name_zh=row.name_zh, name_en=row.name_en,
        shape=AREA if kind.endswith("Polygon") else LINE if kind.endswith("LineString") else POINT,
        geometry=geometry_text(row.geometry), radius=f"{row.radius:g}", effect=row.effect,
        factor=f"{row.factor:g}" if row.effect == "slows" else "", families_mode=SOME if row.families else ALL,
        families=list(row.families), begins=time_text(row.begins_at, zone), expires_mode=AT if row.expires_at else NEVER,
        expires=time_text(row.expires_at, zone), source_note=row.source_note)


def values(typed: Typed, zone: str, now: datetime, row: Obstruction | None = None) -> dict[str, Any]:
    """What the form says, as `obstruction_values.check` takes it. A time that is as the form showed it of `row` is left as it
    is, for the form rounds to minutes. Raises Invalid with what cannot even be read."""
    problems: list[Problem] = []
    found: dict[str, Any] = {"kind": typed.kind, "name_zh": typed.name_zh, "name_en": typed.name_en,
                             "radius": typed.radius.strip(), "effect": typed.effect, "factor": typed.factor.strip(),
                             "source_note": typed.source_note}
    found["families"] = {USUAL: None, ALL: [], SOME: typed.families}[typed.families_mode]
    if typed.families_mode == SOME and not typed.families:
        problems.append(Problem("families", _l("Tick at least one kind of hazard, or choose all.")))
    for read in (_read_geometry, _read_times):
        try:
            found |= read(typed, zone, now)
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid(problems)
    if row is not None:
        shown = from_row(row, zone)
        if typed.begins == shown.begins:
            found["begins_at"] = row.begins_at
        if (typed.expires_mode, typed.expires) == (shown.expires_mode, shown.expires):
            found["expires_at"] = row.expires_at
    return found


def _read_geometry(typed: Typed, _zone: str, _now: datetime) -> dict[str, Any]:
    text = typed.geometry.strip()
    if text.startswith("{"):
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Invalid.one("geometry", _l("This begins like GeoJSON, but cannot be read as such.")) from error
        return {"geometry": _geometry_in(given)}
    points = []
    for line in filter(None, (part.strip() for part in _LINE.split(text))):
        try:
            points.append([float(number) for number in _GAP.split(line)])
        except ValueError as error:
            raise Invalid.one("geometry", _l("“%(text)s” is no point: write longitude, latitude, one point a line.",
                                             text=line[:40])) from error
    return {"geometry": _geometry_of(points, typed.shape)}


def _geometry_in(given: Any) -> Any:
    """The geometry in a pasted geometry, feature or collection of one feature."""
    if isinstance(given, dict) and given.get("type") == "FeatureCollection":
        features = given.get("features")
        if not isinstance(features, list) or len(features) != 1:
            raise Invalid.one("geometry", _l("Paste one feature here; a file of several is imported on the page for files."))
        given = features[0]
    if isinstance(given, dict) and given.get("type") == "Feature":
        given = given.get("geometry")
    return given


def _geometry_of(points: list[list[float]], shape: str) -> dict[str, Any] | None:
    if not points:
        return None
    if shape == POINT:
        if len(points) > 1:
            raise Invalid.one("geometry", _l("A point is one line of coordinates; choose line or area for several."))
        return {"type": "Point", "coordinates": points[0]}
    if shape == LINE:
        if len(points) < 2:
            raise Invalid.one("geometry", _l("A line needs at least two points."))
        return {"type": "LineString", "coordinates": points}
    if points[0] == points[-1] and len(points) > 1:
        points = points[:-1]
    if len(points) < 3:
        raise Invalid.one("geometry", _l("An area needs at least three points."))
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def geometry_text(geometry: Mapping[str, Any]) -> str:
    """Lines of coordinates where that can say it, else GeoJSON."""
    kind, at = geometry["type"], geometry["coordinates"]
    points = {"Point": lambda: [at], "LineString": lambda: at, "Polygon": lambda: at[0][:-1] if len(at) == 1 else None}
    found = points[kind]() if kind in points else None
    return json.dumps(geometry) if found is None else "\n".join(f"{x:g}, {y:g}" if x == int(x) else f"{x}, {y}" for x, y in found)


def _read_times(typed: Typed, zone: str, now: datetime) -> dict[str, Any]:
    begins = _time(typed.begins, "begins_at", zone) if typed.begins.strip() else None
    if typed.expires_mode == NEVER:
        return {"begins_at": begins, "expires_at": None}
    if typed.expires_mode in HOURS:
        return {"begins_at": begins, "expires_at": _after(begins or now, int(typed.expires_mode))}
    if not typed.expires.strip():
        raise Invalid.one("expires_at", _l("Choose how long it lasts, type its end, or say that it has none."))
    return {"begins_at": begins, "expires_at": _time(typed.expires, "expires_at", zone)}


def _after(begins: datetime, hours: int) -> datetime:
    try:
        return begins + timedelta(hours=hours)
    except OverflowError as error:  # the last day of the year 9999
        raise Invalid.one("begins_at", _NO_DATE) from error


def _time(text: str, name: str, zone: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo else from_local(moment, zone)
    except (ValueError, OverflowError) as error:
        raise Invalid.one(name, _NO_DATE) from error


def time_text(moment: datetime | None, zone: str) -> str:
    """As `datetime-local` fields have it, in the district's zone."""
    return f"{local(moment, zone):%Y-%m-%dT%H:%M}" if moment else ""
