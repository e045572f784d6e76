"""Where it is: a point, a community, and words such as a road or a house number; at least one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.errors import Invalid, Problem
from portal.core.i18n import select_language
from portal.regions import codes, lookup, match

LONGEST = 200
#: Communities that are offered where what was typed may mean several.
OFFERED = 6


@dataclass(frozen=True)
class Place:
    """`region_code`: the community, or the district's where it is not known."""

    region_code: str
    longitude: float | None
    latitude: float | None
    words: str


class Doubt(Invalid):
    """What was typed may mean several communities: `offered` are (code, name) to choose from."""

    def __init__(self, message: Any, offered: list[tuple[str, str]]) -> None:
        super().__init__([Problem("community", message)])
        self.offered = offered


def read(point: str, community: str, words: str) -> Place:
    """From what was sent: `point` as ``lon,lat`` (WGS 84) or empty, `community` a code or a name, `words`. A point decides the
    community, unless one was named as well. Raises Invalid, Doubt."""
    words = " ".join(words.split())[:LONGEST]
    at, typed = _point(point), community.strip()[:60]
    named = _community(typed) if typed else None
    if typed and named is None:
        if at is None and len(words) < 2:
            raise Invalid.one("community", _l("No community here is called that. Choose one from the list, or leave this empty"
                                              " and write the road."))
        words = f"{typed} {words}"[:LONGEST].strip()  # a village, an estate: whoever reads it knows it
    if at is None and named is None and len(words) < 2:
        raise Invalid.one("community", _l("Say where it is: use your location, choose the community, or write the road and the"
                                          " number."))
    inside = lookup.at_point(*at) if at else None
    if at and inside is None:
        if named is None:
            raise Invalid.one("point", _l("This point lies outside the district, which can only look after its own. Choose the"
                                          " community instead, or call the district where it is."))
        at = None
    return Place(named or inside or current_settings().district, at[0] if at else None, at[1] if at else None, words)


def _point(text: str) -> tuple[float, float] | None:
    if not text.strip():
        return None
    parts = text[:60].replace("，", ",").split(",")
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError as error:
        raise Invalid.one("point", _l("This is no point on the map. Use the button, or leave it empty.")) from error
    if not (math.isfinite(lon) and math.isfinite(lat) and -180 <= lon <= 180 and -90 <= lat <= 90):
        raise Invalid.one("point", _l("This is no point on the map. Use the button, or leave it empty."))
    return round(lon, 6), round(lat, 6)


def _community(text: str) -> str | None:
    """The code of what was typed; None when no community is called so. Raises Doubt."""
    if codes.is_code(text) and (node := lookup.get(text)) is not None and codes.contains(current_settings().district, text):
        return node.code
    if (code := _labelled(text)) is not None:
        return code
    found = [m for m in match.find(text, OFFERED) if codes.contains(current_settings().district, m.code)]
    if not found:
        return None
    if (meant := match.the_one(found)) is not None:
        return meant.code
    language = select_language()
    raise Doubt(_("This may be several places: choose one."), [(m.code, label(m.code, language)) for m in found])


def _labelled(text: str) -> str | None:
    """The code of a community that is written as :func:`label` writes it, in either language."""
    return {label(code, language): code for code in communities() for language in ("zh", "en")}.get(text)


def communities() -> list[str]:
    return lookup.communities_under([current_settings().district])


def label(code: str, language: str) -> str:
    """A community with its street, as it is chosen from a list; the district for what is not known closer."""
    node = lookup.get(code)
    if node is None:
        return code
    street = lookup.get(codes.parent_of(code) or "") if node.level == "community" else None
    if street is None:
        return node.name(language)
    own, above = node.name(language), street.name(language)
    return f"{above} {own}" if language == "zh" else f"{own}, {above}"
