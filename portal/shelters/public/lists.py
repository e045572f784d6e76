"""The lists of shelters: all of them, and those for one family of hazards."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from portal.core.i18n import LANGUAGES
from portal.regions.svg import map_svg
from portal.shelters.public.press import Press
from portal.shelters.public.source import Source
from portal.shelters.public.view import FILTERS, Place, by_community
from portal.shelters.registry import words
from portal.shelters.registry.suitability import Family

#: More shelters than this are not on one page: it says how many are left out, and each community's page has its own.
LONGEST = 400
#: Pixels of the map.
WIDTH = 560


def put(press: Press, source: Source) -> None:
    for language in LANGUAGES:
        _put(press, source, language, None)
        for family in source.families.values():
            _put(press, source, language, family)


def _put(press: Press, source: Source, language: str, family: Family | None) -> None:
    path = f"/{language}/shelters/" + (f"{family.key}/" if family else "")
    facts = [source.facts, [[f.key, f.zh, f.en] for f in source.families.values()]]
    press.html("public/list.html", language, path, facts, partial(_context, press, source, language, family),
               needed=family is None)


def _context(press: Press, source: Source, language: str, family: Family | None) -> dict[str, Any]:
    shown, left_out = source.places[:LONGEST], max(0, len(source.places) - LONGEST)
    parts = _parts(shown, family)
    return {
        "families": source.families,
        "family": family,
        "open": sorted(by_community(parts["open"]), key=lambda group: not any(place.open for place in group.places)),
        "opening": by_community(parts["opening"]),
        "plan": by_community(parts["plan"]),
        "unknown": by_community(parts["unknown"]),
        "unsuitable": by_community(parts["unsuitable"]),
        "count": len(shown),
        "left_out": left_out,
        "filters": {name: words.FACTS[name] for name in FILTERS},
        "facts": words.FACTS,
        "statuses": words.STATUSES,
        "spaces": words.SPACES,
        "yes_no": words.yes_no_unknown,
        "map": drawing(press, [press.settings.district], shown, language, family),
        "oldest": min((place.shelter.status_at for place in parts["open"] if place.shelter.status_at), default=None),
    }


def _parts(places: Sequence[Place], family: Family | None) -> dict[str, list[Place]]:
    """Open and suitable, suitable and being opened, suitable and not open, not known to be suitable, and not suitable; without a
    family all are in the first three."""
    parts: dict[str, list[Place]] = {"open": [], "opening": [], "plan": [], "unknown": [], "unsuitable": []}
    for place in places:
        verdict = place.verdicts.get(family.key) if family else True
        state = "open" if place.usable else "opening" if place.opening else "plan"
        parts["unsuitable" if verdict is False else "unknown" if verdict is None else state].append(place)
    return parts


def drawing(press: Press, regions: Sequence[str], places: Sequence[Place], language: str, family: Family | None = None,
            width: int = WIDTH) -> Markup:
    """The regions with the shelters on them; for a family, only those that are known to be suitable."""
    points = [
        (*place.at, f"at at-{place.sign}", place.shelter.name(language))
        for place in places
        if place.at and (family is None or place.verdicts.get(family.key) is True)
    ]
    return map_svg(regions, language, width=width, points=points)
