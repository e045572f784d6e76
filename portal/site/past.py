"""The archive: what has ended, by month, by tier, by hazard, by region, and as one small file that a device searches.

Months are paged. A tier, a hazard or a region has one page with its newest warnings and the months in which there are more:
so a warning that ends changes one page of each, however long the archive is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from portal.config import TIERS
from portal.core.clock import local
from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.regions.codes import contains
from portal.site.stories import TIER_NAMES, Story, hazard_name
from portal.warnings.models import IN_FORCE, Warning

if TYPE_CHECKING:
    from portal.site.publish import Publishing

HTML, JSON = "text/html; charset=utf-8", "application/json"
#: Past warnings on one page of the archive.
PAGE = 50
#: The newest warnings in the file that devices search; older ones are on the pages of their months, and the page says so.
INDEXED = 3000


def put(publishing: Publishing) -> None:
    """Every page of the archive, and its index."""
    _Archive(publishing).put()


def index_path(language: str) -> str:
    return f"/search/archive-{language}.json"


class _Archive:
    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._ended = [w for w in publishing.warnings if publishing.state_of(w) != IN_FORCE]
        self._facts = {w.id: _digest(publishing.facts_of(w)) for w in self._ended}
        self._story = cache(publishing.story_of)
        self._streets = _streets_of(publishing.settings.district)

    def put(self) -> None:
        months = self._grouped(lambda w: [self._month(w)])
        facets = {"tier": self._grouped(lambda w: [w.tier]), "hazard": self._grouped(lambda w: [w.hazard]),
                  "region": self._grouped(self._streets_of)}
        sizes = {kind: {value: len(found) for value, found in groups.items()} for kind, groups in facets.items()}
        examples = {code: found[0] for code, found in facets["hazard"].items()}
        counts = [(month, len(found)) for month, found in months.items()]
        self._page("/archive/", self._ended[:PAGE],
                   {"total": len(self._ended), "indexed": INDEXED, "sizes": sizes, "counts": counts}, examples)
        for month, found in months.items():
            self._month_pages(month, found)
        for kind, groups in facets.items():
            for value, found in groups.items():
                self._facet(kind, value, found, examples)
        for language in LANGUAGES:
            self._index(language)

    # -- groups --------------------------------------------------------------------------------------------
    def _grouped(self, of: Callable[[Warning], Sequence[str]]) -> dict[str, list[Warning]]:
        groups: dict[str, list[Warning]] = defaultdict(list)
        for warning in self._ended:
            for value in of(warning):
                groups[value].append(warning)
        return groups

    def _month(self, warning: Warning) -> str:
        return f"{local(warning.issued_at, self._publishing.settings.timezone):%Y-%m}"

    def _streets_of(self, warning: Warning) -> list[str]:
        """The streets that a warning touched: each one where it was for the whole district."""
        return [code for code in self._streets
                if any(contains(code, region) or contains(region, code) for region in warning.region_codes)]

    # -- pages ---------------------------------------------------------------------------------------------
    def _month_pages(self, month: str, found: Sequence[Warning]) -> None:
        parts = [found[at : at + PAGE] for at in range(0, len(found), PAGE)]
        for number, part in enumerate(parts, 1):
            path = f"/archive/{month}/" + (f"{number}/" if number > 1 else "")
            self._page(path, part, {"month": month, "page": number, "pages": len(parts)})

    def _facet(self, kind: str, value: str, found: Sequence[Warning], examples: dict[str, Warning]) -> None:
        older = list(Counter(map(self._month, found[PAGE:])).items())
        self._page(f"/archive/{kind}/{value}/", found[:PAGE],
                   {"facet": kind, "value": value, "total": len(found), "older": older}, examples)

    def _page(self, path: str, part: Sequence[Warning], more: dict[str, Any], examples: dict[str, Warning] | None = None) -> None:
        """`examples`: for each hazard a warning whose bulletins name it."""
        stories = cache(lambda: [self._story(w) for w in part])
        facts = [self._facts[w.id] for w in part]
        for language in LANGUAGES:
            own = f"/{language}{path}"
            self._publishing.put(own, HTML, self._publishing.key(own, more, facts),
                                 partial(self._bytes, stories, language, own, more, examples or {}))

    def _bytes(self, stories: Callable[[], list[Story]], language: str, path: str, more: dict[str, Any],
               examples: dict[str, Warning]) -> bytes:
        return self._publishing.render.archive(stories(), language, path, **more, **self._named(more, language, examples))

    def _named(self, more: dict[str, Any], language: str, examples: dict[str, Warning]) -> dict[str, Any]:
        """What is filtered by, with its names and how many warnings there are."""
        def hazard(code: str) -> str:
            return hazard_name(self._story(examples[code]).substance, language)

        value, kind = more.get("value", ""), more.get("facet", "")
        if kind:
            return {"name": hazard(value) if kind == "hazard" else self._region(value, language) if kind == "region" else ""}
        if "sizes" not in more:
            return {}
        sizes = more["sizes"]
        return {
            "tier_counts": [(tier, sizes["tier"][tier]) for tier in reversed(TIERS) if tier in sizes["tier"]],
            "hazards": sorted(((hazard(code), code, size) for code, size in sizes["hazard"].items())),
            "regions": [(self._region(code, language), code, size) for code, size in sorted(sizes["region"].items())],
        }

    @staticmethod
    def _region(code: str, language: str) -> str:
        return lookup.names([code]).get(code, {}).get(language, code)

    # -- the file that devices search --------------------------------------------------------------------------
    def _index(self, language: str) -> None:
        path, part = index_path(language), self._ended[:INDEXED]
        self._publishing.put(path, JSON, self._publishing.key(path, [self._facts[w.id] for w in part]),
                             partial(self._index_bytes, part, language))

    def _index_bytes(self, part: Sequence[Warning], language: str) -> bytes:
        """Rows of: number, tier, hazard code, `YYYY-MM-DD` of its issue, whether it was lifted (1) or ran out (0), headline,
        positions of its streets in `regions`; with the names of hazards, months and regions beside them."""
        streets = self._streets
        zone, rows = self._publishing.settings.timezone, []
        hazards: dict[str, str] = {}
        for warning in part:
            story = self._story(warning)
            hazards.setdefault(warning.hazard, hazard_name(story.substance, language))
            rows.append([warning.number, warning.tier, warning.hazard, f"{local(warning.issued_at, zone):%Y-%m-%d}",
                         int(story.state == "cancelled"), story.headline(language),
                         [streets.index(code) for code in self._streets_of(warning)]])
        tiers = {tier: str(self._publishing.render.said(TIER_NAMES[tier], language)) for tier in reversed(TIERS)}
        return json.dumps({"hazards": hazards, "tiers": tiers, "all": len(self._ended), "rows": rows,
                           "regions": [[code, self._region(code, language)] for code in streets]},
                          ensure_ascii=False, separators=(",", ":")).encode()


def _streets_of(district: str) -> list[str]:
    nodes = lookup.current().nodes
    return sorted(code for code in nodes if contains(district, code) and code[6:9] != "000" and code[9:] == "000")


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False, default=str).encode()).hexdigest()[:32]
