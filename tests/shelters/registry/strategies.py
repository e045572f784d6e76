"""Arbitrary shelters in the one form that the registry keeps."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from portal.shelters.registry import checks, parsing
from portal.shelters.registry.suitability import HAZARDS

_SIGNS = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cf"))


def line(longest: int) -> st.SearchStrategy[str]:
    """One line of text as it is kept, often with what CSV, entrances and spreadsheets take for more than text."""
    wild = st.text(st.one_of(_SIGNS, st.sampled_from("=+-@'\"|;\\,，＝ 避难场所")), max_size=longest)
    return wild.map(lambda text: parsing.text(text, longest)[0] or "")


def _degrees(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: round(value, 7) + 0.0)


LON, LAT = _degrees(114.2, 114.5), _degrees(22.5, 22.8)
FACT = st.sampled_from([True, False, None])
HOURS = st.sampled_from(["", "24h", "08:00-22:00", "20:00-06:00", "08:00-12:00, 14:00-18:00"])
ENTRANCE = st.fixed_dictionaries({"name_zh": line(80), "name_en": line(120), "longitude": LON, "latitude": LAT,
                                  "step_free": FACT, "hours": HOURS})
CODE = st.from_regex(r"[A-Z][A-Za-z0-9_-]{0,20}\Z", fullmatch=True)


@st.composite
def _outline(draw: st.DrawFn) -> dict[str, Any]:
    """A box: valid by construction, counter-clockwise from its south-western corner."""
    west, south = draw(LON), draw(LAT)
    east, north = round(west + draw(st.floats(0.0001, 0.01)), 7), round(south + draw(st.floats(0.0001, 0.01)), 7)
    return {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]}


@st.composite
def shelters(draw: st.DrawFn) -> dict[str, Any]:
    """All fields of a shelter that can be saved; any of them may be unknown."""
    values: dict[str, Any] = {name: draw(line(min(longest, 60))) for name, longest in checks.TEXTS.items()}
    values["code"] = draw(CODE)
    values["name_zh"] = values["name_zh"] or "场所"
    values["contact_phone"] = draw(st.sampled_from(["", "0755-12345678", "+86 755 12345678"]))
    for name, (choices, _aliases) in checks.CHOICES.items():
        values[name] = draw(st.sampled_from([None, *choices]))
    for name in checks.FACTS:
        values[name] = draw(FACT)
    for name, most in checks.MEASURES.items():
        values[name] = draw(st.none() | st.floats(0.01, most).map(lambda v: round(v, 2)))
    for name, top in checks.COUNTS.items():
        values[name] = draw(st.none() | st.integers(0, top))
    placed = draw(st.booleans())
    values["longitude"], values["latitude"] = (draw(LON), draw(LAT)) if placed else (None, None)
    values["boundary"] = draw(st.none() | _outline())
    values["entrances"] = draw(st.lists(ENTRANCE, max_size=3))
    said = draw(st.dictionaries(st.sampled_from(list(HAZARDS)), st.booleans()))
    values["suitability"] = {hazard: said[hazard] for hazard in HAZARDS if hazard in said}
    values["source_date"] = draw(st.none() | st.dates(date(1990, 1, 1), date(2100, 1, 1)))
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
    values["checked_at"] = draw(st.none() | moments.map(lambda at: at.replace(microsecond=0)))
    values["demonstration"] = draw(st.booleans())
    values["region_code"] = None
    return {name: values[name] for name in checks.FIELDS}
