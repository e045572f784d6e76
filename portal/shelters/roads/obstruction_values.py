"""What is said of an obstruction: checked, and filled in with what its kind usually does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.clock import utcnow
from portal.core.errors import Invalid, Problem
from portal.shelters.models import CUTS, EFFECTS, SLOWS, Obstruction
from portal.shelters.registry import suitability
from portal.shelters.registry.parsing import CONTROL
from portal.shelters.roads import obstruction_shapes as shapes
from portal.shelters.roads.obstruction_kinds import KINDS

MAX_RADIUS, MAX_FACTOR = 2000.0, 20.0
#: An obstruction that begins later or lasts longer than this is a slip of the pen.
AHEAD, LONGEST = timedelta(days=366), timedelta(days=3660)
LENGTHS = {"name_zh": 120, "name_en": 160, "source_note": 300, "external_id": 120}


@dataclass(frozen=True)
class Checked:
    """Columns of an obstruction in their one form, and `notes` (lazy) on what was mended or is worth a second look."""

    columns: dict[str, Any]
    notes: tuple[Any, ...]


def check(values: Mapping[str, Any], now: datetime | None = None) -> Checked:
    """`values`: kind, name_zh, name_en, geometry (GeoJSON), and optionally radius (m), effect, factor, families,
    begins_at, expires_at, source_note, external_id. Raises Invalid with everything that is wrong, each at its field."""
    now = now or utcnow()
    problems: list[Problem] = []
    notes: list[Any] = []
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        problems.append(Problem("kind", _l("Choose what kind of obstruction it is.")))
    usual = KINDS.get(kind if isinstance(kind, str) else "", KINDS["other"])
    columns: dict[str, Any] = {"kind": kind}
    columns |= _texts(values, problems)
    try:
        found = shapes.check(values.get("geometry"))
        columns["geometry"] = found.geojson
        if found.mended:
            notes.append(_l("The outline crossed itself and was mended: see on the map whether it is what you meant."))
    except Invalid as error:
        problems += error.problems
    effect = values.get("effect") or usual.effect
    if effect not in EFFECTS:
        problems.append(Problem("effect", _l("Say whether it cuts the way or slows it.")))
    columns["effect"] = effect
    columns["factor"] = _factor(values, usual.factor, effect, problems)
    columns["radius"] = _radius(values, usual.radius, columns.get("geometry"), problems)
    columns["families"] = _families(values, usual.families, problems)
    columns |= _times(values, now, problems, notes)
    if problems:
        raise Invalid(problems)
    columns["region_codes"] = shapes.communities(columns["geometry"], columns["radius"])
    return Checked(columns, tuple(notes))


def of(row: Obstruction) -> dict[str, Any]:
    """The values of an obstruction, as :func:`check` takes them."""
    return {name: getattr(row, name) for name in (
        "kind", "name_zh", "name_en", "geometry", "radius", "effect", "factor", "families", "begins_at", "expires_at",
        "source_note", "external_id")}


def one_line(given: str | int) -> str:
    """Text in its one form: single spaces, and none of the characters that nobody sees."""
    return " ".join(CONTROL.sub(" ", str(given)).split())


def _texts(values: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    texts: dict[str, Any] = {}
    for name, most in LENGTHS.items():
        given = values.get(name)
        if given is not None and not isinstance(given, (str, int)):
            problems.append(Problem(name, _l("This must be a text.")))
            continue
        text = one_line("" if given is None else given)
        if len(text) > most:
            problems.append(Problem(name, _l("At most %(n)s characters.", n=most)))
        texts[name] = text
    texts["external_id"] = texts.get("external_id") or None
    if not texts.get("name_zh") and not any(p.field == "name_zh" for p in problems):
        texts["name_zh"] = texts.get("name_en", "")[:120]
        if not texts["name_zh"]:
            problems.append(Problem("name_zh", _l("Say where it is, so that people know it: a road and what is beside it.")))
    return texts


def _number(values: Mapping[str, Any], name: str, usual: float, problems: list[Problem]) -> float | None:
    given = values.get(name)
    if given is None or given == "":
        return usual
    try:
        if isinstance(given, bool):
            raise ValueError
        number = float(given)
        if not isfinite(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        problems.append(Problem(name, _l("This must be a number.")))
        return None
    return number


def _factor(values: Mapping[str, Any], usual: float, effect: str, problems: list[Problem]) -> float:
    if effect != SLOWS:
        return 1.0
    factor = _number(values, "factor", usual if usual > 1 else 2.0, problems)
    if factor is None:
        return 1.0
    if not 1.0 < factor <= MAX_FACTOR:
        problems.append(Problem("factor", _l("Say how many times as long it takes: more than 1, at most %(n)s.",
                                             n=int(MAX_FACTOR))))
    return factor


def _radius(values: Mapping[str, Any], usual: float, geometry: dict[str, Any] | None, problems: list[Problem]) -> float:
    area = bool(geometry and geometry["type"].endswith("Polygon"))
    radius = _number(values, "radius", 0.0 if area else usual, problems)
    if radius is None:
        return 0.0
    least = 0.0 if area else 1.0
    if not least <= radius <= MAX_RADIUS:
        problems.append(Problem("radius", _l("The radius must be between %(least)s and %(most)s metres.", least=int(least),
                                             most=int(MAX_RADIUS))))
    return round(radius, 1)


def _families(values: Mapping[str, Any], usual: tuple[str, ...], problems: list[Problem]) -> list[str]:
    given = values.get("families")
    known = suitability.families()
    if given is None:
        return [key for key in usual if key in known]
    if isinstance(given, (list, tuple)) and all(isinstance(key, str) for key in given):
        if unknown := sorted({key[:40] for key in given} - known.keys()):
            problems.append(Problem("families", _l("Unknown kinds of hazard: %(names)s.", names=", ".join(unknown[:5]))))
        return [key for key in known if key in given]
    problems.append(Problem("families", _l("Name the kinds of hazard as a list.")))
    return []


def _times(values: Mapping[str, Any], now: datetime, problems: list[Problem], notes: list[Any]) -> dict[str, Any]:
    begins, expires = values.get("begins_at") or now, values.get("expires_at")
    for name, moment in (("begins_at", begins), ("expires_at", expires)):
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            problems.append(Problem(name, _l("This must be a date and a time.")))
            return {}
    if begins > now + AHEAD or begins < now - LONGEST:
        problems.append(Problem("begins_at", _l("The beginning lies too far away: look at the year.")))
    if expires is None:
        notes.append(_l("It has no end: it counts until somebody ends it."))
    elif expires <= begins:
        problems.append(Problem("expires_at", _l("It would end before it begins: set the end after the beginning.")))
    elif expires > begins + LONGEST:
        problems.append(Problem("expires_at", _l("The end lies too far away: look at the year.")))
    elif expires <= now:
        notes.append(_l("Its end has already passed: it changes nothing now."))
    return {"begins_at": begins, "expires_at": expires}


def effect_words(row: Obstruction) -> str:
    """“cuts the way” or “takes 2 times as long”, in the reader's language."""
    if row.effect == CUTS:
        return _("cuts the way")
    return _("takes %(n)s times as long", n=f"{row.factor:g}")
