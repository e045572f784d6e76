"""What a shelter's fields may hold: each value in its one form, or a sentence at its field that tells how to mend it.

The desk's form, CSV, GeoJSON and Japan's columns all pass here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.errors import Problem
from portal.regions import lookup
from portal.regions.snapshot import Node
from portal.shelters.registry import hours, parsing, place, words
from portal.shelters.registry.suitability import HAZARDS, families

TEXTS = {
    "name_zh": 120, "name_en": 160, "pinyin": 240, "address_zh": 200, "address_en": 240, "access_zh": 300, "access_en": 400,
    "contact_zh": 80, "contact_en": 120, "contact_phone": 40, "source": 200, "licence": 80,
}
CHOICES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "level": (words.LEVELS, {
        "省": "province", "省级": "province", "市": "city", "市级": "city", "县": "county", "县级": "county", "区级": "county",
        "乡镇": "town", "乡镇级": "town", "街道": "town", "乡镇（街道）": "town",
        "乡镇(街道)级": "town", "乡镇（街道）级": "town", "村": "village", "村级": "village", "社区": "village",
        "村（社区）": "village", "村(社区)级": "village",
        "村（社区）级": "village", "社区级": "village",
    }),
    "duration": (words.DURATIONS, {"紧急": "emergency", "紧急避难": "emergency", "短期": "short", "短期避难": "short",
                                   "长期": "long", "长期避难": "long"}),
    "space": (words.SPACES, {"室内": "indoor", "室外": "outdoor", "室内外": "both", "室内室外": "both", "室内和室外": "both"}),
    "function": (words.FUNCTIONS, {"综合": "comprehensive", "综合性": "comprehensive", "单一": "single", "单一性": "single",
                                   "特定": "special", "特定功能": "special"}),
}
FACTS = tuple(words.FACTS)
MEASURES = {"area_m2": 10_000_000.0, "m2_per_person": 1000.0}
COUNTS = {"capacity_day": 1_000_000, "capacity_night": 1_000_000}
#: Every field that people and files may set, in the order in which they are shown and exported.
FIELDS = (
    "code", "name_zh", "name_en", "pinyin", "level", "duration", "space", "function", "region_code", "address_zh", "address_en",
    "longitude", "latitude", "boundary", "entrances", "suitability", "area_m2", "m2_per_person", "capacity_day",
    "capacity_night", "step_free", "pets", "water", "power", "medical", "night", "access_zh", "access_en", "contact_zh",
    "contact_en", "contact_phone", "source", "source_date", "licence", "checked_at", "demonstration",
)
MAX_ENTRANCES = 40
#: Metres from the shelter's point beyond which an entrance, or its outline, is looked at again.
FAR_ENTRANCE, FAR_OUTLINE = 1500.0, 300.0
#: Square metres that nobody can do without; 1.5 is what a district aims at.
LEAST_M2 = 1.0
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z", re.ASCII)
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+\d{1,3}\Z", re.ASCII)
_PHONE = re.compile(r"[0-9+][0-9+() \-/,;、，；转接]{2,39}\Z")


@dataclass
class Rules:
    """What values are checked against, read once for many rows: the box of plausible places, the known regions, the
    words that codes must not be, the zone in which times without one are meant."""

    box: place.Box = field(default_factory=place.bounds)
    regions: Mapping[str, Node] = field(default_factory=lambda: lookup.current().nodes)
    reserved: Collection[str] = field(default_factory=families)
    zone: str = field(default_factory=lambda: current_settings().timezone)


@dataclass
class Checked:
    """Values in their one form, what is wrong with the others, and what is only odd."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check(given: Mapping[str, Any], rules: Rules | None = None) -> Checked:
    """Check the fields that are given; those that are absent are left alone. Raises KeyError for what is no field."""
    rules = rules or Rules()
    checked = Checked()
    for name, value in given.items():
        _CHECKS[name](checked, rules, name, value)
    _check_place(checked, rules)
    return checked


def merge(before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A whole shelter after checked values were put onto it. Hazards that are not named stay as they are."""
    after = dict(before) | dict(values)
    if "suitability" in values:
        said = (before["suitability"] or {}) | values["suitability"]
        after["suitability"] = {hazard: said[hazard] for hazard in HAZARDS if said.get(hazard) is not None}
    return after


def odd(values: Mapping[str, Any]) -> list[Problem]:
    """What does not fit together in a whole shelter (all fields, in their one form): warnings, for facts can be odd."""
    found: list[Problem] = []
    day, night, area, each = (values.get(n) for n in ("capacity_day", "capacity_night", "area_m2", "m2_per_person"))
    if day and area and area / day < LEAST_M2:
        found.append(Problem("capacity_day", _l(
            "%(day)s people on %(area)s m² leave %(each)s m² for each; at least %(least)s m² are needed.",
            day=day, area=f"{area:g}", each=f"{area / day:.2f}", least=f"{LEAST_M2:g}")))
    elif day and area and each and day > area / each * 1.1:
        found.append(Problem("capacity_day", _l(
            "%(area)s m² at %(each)s m² for each are places for %(fit)s people, not for %(day)s.",
            day=day, area=f"{area:g}", each=f"{each:g}", fit=int(area / each))))
    if day is not None and night is not None and night > day:
        found.append(Problem("capacity_night", _l("More people at night than by day: lying down needs more room.")))
    if night and values.get("night") is False:
        found.append(Problem("capacity_night", _l("There are places for the night, but nobody may stay over night.")))
    return found + _odd_places(values)


def _odd_places(values: Mapping[str, Any]) -> list[Problem]:
    if values.get("longitude") is None or values.get("latitude") is None:
        return []
    point = (values["longitude"], values["latitude"])
    found = []
    for n, entrance in enumerate(values.get("entrances") or []):
        metres = place.metres_between(point, (entrance["longitude"], entrance["latitude"]))
        if metres > FAR_ENTRANCE:
            found.append(Problem(f"entrances.{n}.longitude", _l(
                "Entrance %(n)s is %(metres)s m away from the shelter.", n=n + 1, metres=round(metres))))
    if values.get("boundary") and (metres := place.far_from(point, values["boundary"])) > FAR_OUTLINE:
        found.append(Problem("boundary", _l("The shelter's point is %(metres)s m outside its outline.", metres=round(metres))))
    return found


def code_problem(code: str, reserved: Collection[str]) -> Any:
    """Why this is no shelter's code, lazily in words; None when it is one. `reserved`: the keys of hazard families."""
    if not code:
        return _l("A code is needed.")
    if _SCIENTIFIC.match(code):
        return _l("A spreadsheet has turned this code into %(code)s: format the column as text and export again.", code=code)
    if not _CODE.match(code):
        return _l("A code has at most 40 letters, digits, “-” and “_”, and begins with a letter or a digit.")
    # Pages of hazard families and of shelters share one level of addresses.
    if code.lower() in reserved or (code.isalpha() and code == code.lower()):
        return _l("This code would be taken for the name of a page: add a digit.")
    return None


def _code(checked: Checked, rules: Rules, name: str, value: Any) -> None:
    code = str(value if value is not None else "").strip()
    if problem := code_problem(code, rules.reserved):
        checked.problems.append(Problem(name, problem))
    else:
        checked.values[name] = code


def _text(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    found, problem = parsing.text(value, TEXTS[name])
    if not problem and name == "name_zh" and not found:
        problem = _l("A name is needed.")
    if not problem and name == "contact_phone" and found and not _PHONE.match(found):
        problem = _l("A telephone number has digits, spaces and + - ( ) only.")
    _put(checked, name, found, problem)


def _put(checked: Checked, name: str, value: Any, problem: Any) -> None:
    if problem:
        checked.problems.append(Problem(name, problem))
    else:
        checked.values[name] = value


def _choice(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.choice(value, *CHOICES[name]))


def _fact(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.yes_no(value))


def _measure(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.measure(value, MEASURES[name]))


def _count(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.count(value, COUNTS[name]))


def _demonstration(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    found, problem = parsing.yes_no(value)
    _put(checked, name, bool(found), problem)


def _day(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.day(value))


def _moment(checked: Checked, rules: Rules, name: str, value: Any) -> None:
    _put(checked, name, *parsing.moment(value, rules.zone))


def _degrees(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    found, problem = parsing.number(value)
    _put(checked, name, None if found is None else round(found, place.DECIMALS) + 0.0, problem)


def _region(checked: Checked, rules: Rules, name: str, value: Any) -> None:
    if parsing.is_unknown(value):
        checked.values[name] = None
        return
    code = str(value).strip()
    node = rules.regions.get(code)
    if node is None:
        checked.problems.append(Problem(name, _l(
            "There is no region %(code)s here. Left empty, the community is found by the place.", code=code[:20])))
    elif node.level != "community":
        checked.problems.append(Problem(name, _l("%(code)s is not a community: a shelter belongs to a community.", code=code)))
    else:
        checked.values[name] = code


def _suitability(checked: Checked, _rules: Rules, name: str, value: Any) -> None:
    """A mapping hazard → yes, no or None for unknown, of the hazards that are named."""
    if value is None or isinstance(value, Mapping):
        found: dict[str, bool | None] = {}
        for hazard, said in (value or {}).items():
            answer, problem = parsing.yes_no(said)
            if hazard not in HAZARDS:
                problem = _l("There is no hazard “%(value)s” here.", value=str(hazard)[:20])
            if problem:
                checked.problems.append(Problem(f"{name}.{str(hazard)[:20]}", problem))
            else:
                found[hazard] = answer
        checked.values[name] = {hazard: found[hazard] for hazard in HAZARDS if hazard in found}
    else:
        checked.problems.append(Problem(name, _l("Yes, no or unknown is needed for each hazard.")))


def _boundary(checked: Checked, rules: Rules, name: str, value: Any) -> None:
    if parsing.is_unknown(value):
        checked.values[name] = None
        return
    try:
        outline = place.outline(value, rules.box)
    except place.BadOutline as bad:
        checked.problems.append(Problem(name, bad.message))
        return
    checked.values[name] = outline.geojson if outline else None
    checked.warnings += [Problem(name, message) for message in (outline.mended if outline else ())]


def _entrances(checked: Checked, rules: Rules, name: str, value: Any) -> None:
    rows = [] if value is None else value
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        checked.problems.append(Problem(name, _l("Entrances must be a list.")))
    elif len(rows) > MAX_ENTRANCES:
        checked.problems.append(Problem(name, _l("At most %(most)s entrances can be kept.", most=MAX_ENTRANCES)))
    else:
        checked.values[name] = [_entrance(checked, rules, f"{name}.{n}", row) for n, row in enumerate(rows)]


def _entrance(checked: Checked, rules: Rules, at: str, row: Mapping[str, Any]) -> dict[str, Any]:
    one = Checked()
    for name, longest in (("name_zh", 80), ("name_en", 120)):
        _put(one, name, *parsing.text(row.get(name), longest))
    for name in ("longitude", "latitude"):
        _degrees(one, rules, name, row.get(name))
        if name in one.values and one.values[name] is None:
            one.problems.append(Problem(name, _l("An entrance needs its longitude and latitude.")))
    _put(one, "step_free", *parsing.yes_no(row.get("step_free")))
    spoken = row.get("hours")
    found = "" if parsing.is_unknown(spoken) else hours.canonical(str(spoken))
    _put(one, "hours", found, _l("Hours are written 24h, 08:00-22:00, or 08:00-12:00, 14:00-18:00.") if found is None else None)
    _check_place(one, rules)
    checked.problems += [Problem(f"{at}.{p.field}", p.message) for p in one.problems]
    return one.values


def _check_place(checked: Checked, rules: Rules) -> None:
    """Longitude and latitude together: both or none, and somewhere a shelter can be."""
    if "longitude" not in checked.values or "latitude" not in checked.values:
        return
    lon, lat = checked.values["longitude"], checked.values["latitude"]
    if (lon is None) != (lat is None):
        missing = "longitude" if lon is None else "latitude"
        if not any(p.field in ("longitude", "latitude") for p in checked.problems):
            checked.problems.append(Problem(missing, _l("Longitude and latitude are needed together, or neither.")))
    elif lon is not None and (problem := place.point_problem(lon, lat, rules.box)):
        checked.problems.append(Problem("longitude", problem))


_CHECKS: dict[str, Callable[[Checked, Rules, str, Any], None]] = {
    "code": _code, "region_code": _region, "suitability": _suitability, "boundary": _boundary, "entrances": _entrances,
    "longitude": _degrees, "latitude": _degrees, "source_date": _day, "checked_at": _moment, "demonstration": _demonstration,
    **dict.fromkeys(TEXTS, _text), **dict.fromkeys(CHOICES, _choice), **dict.fromkeys(FACTS, _fact),
    **dict.fromkeys(MEASURES, _measure), **dict.fromkeys(COUNTS, _count),
}
