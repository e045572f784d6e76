"""The pages of communities: what is in force there, where to go, whom to call, what is dangerous, what is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.regions.codes import parent_of
from portal.regions.snapshot import Node
from portal.shelters.communities import store as communities
from portal.shelters.communities import words as community_words
from portal.shelters.public import routes
from portal.shelters.public.lists import drawing
from portal.shelters.public.press import Press
from portal.shelters.public.source import Source
from portal.shelters.public.view import FILTERS, Place
from portal.shelters.registry import words
from portal.shelters.roads.obstructions import EFFECT_LABELS, KINDS
from portal.warnings import archive
from portal.warnings.models import CANCEL, Bulletin, Warning

#: Documents of a community on paper, as they are called in addresses.
PAPER = ("map", "plan", "card")
_SHOWN_OF_OBSTRUCTION = ("kind", "name_zh", "name_en", "effect", "factor", "families", "begins_at", "expires_at", "source_note")


@dataclass
class Community:
    """One community's page in both languages."""

    press: Press
    source: Source
    node: Node
    known: communities.Known

    @cached_property
    def own(self) -> list[Place]:
        """The shelters in it, the open ones first."""
        own = [place for place in self.source.places if place.shelter.region_code == self.node.code]
        return sorted(own, key=lambda place: (not place.open, place.shelter.id))

    @cached_property
    def tables(self) -> Sequence[routes.Table]:
        return routes.tables(self.source.view, self.node.code, self.source.families) if self.source.view else ()

    @cached_property
    def near(self) -> list[Place]:
        """The shelters to which its ways lead."""
        ids = sorted({i for table in self.tables for i in table.shelters})
        return [self.source.by_id[i] for i in ids if i in self.source.by_id]

    def put(self) -> None:
        for language in LANGUAGES:
            path = f"/{language}/communities/{self.node.code}/"
            self.press.html("public/community.html", language, path, lambda: self._facts, partial(self._context, language))

    @cached_property
    def _facts(self) -> list[Any]:
        return [
            [[w.number, w.tier, w.onset, w.expires, [h.identifier for h in self.press.heads(w.id)]] for w in self._warnings],
            [place.facts for place in self.own], [place.facts for place in self.near],
            [table.facts() for table in self.tables], self.source.view is None,
            [[f.key, f.zh, f.en] for f in self.source.families.values()],
            [[getattr(row, name) for name in _SHOWN_OF_OBSTRUCTION] for row in self._obstructions],
            communities.stamp_of(self.known),
        ]

    @cached_property
    def _warnings(self) -> list[Warning]:
        return self.source.warnings_of(self.node.code)

    @cached_property
    def _obstructions(self) -> Sequence[Any]:
        return self.source.obstructions_of(self.node.code)

    def _context(self, language: str) -> dict[str, Any]:
        found = {place.shelter.id: place for place in (*self.own, *self.near)}
        return {
            "community": self.node,
            "street": lookup.get(parent_of(self.node.code) or ""),
            "warnings": [(w, _substance(archive.bulletins_of(w.id))) for w in self._warnings],
            "needed": self.source.needed(self._warnings),
            "own": self.own, "tables": self.tables, "places": found, "computed": self.source.view,
            "known": self.known, "risks": community_words.RISKS,
            "obstructions": self._obstructions, "kinds": KINDS, "effects": EFFECT_LABELS,
            "families": self.source.families, "paper": PAPER,
            "map": drawing(self.press, [self.node.code], list(found.values()), language, width=420),
            "filters": {name: words.FACTS[name] for name in FILTERS}, "facts": words.FACTS, "statuses": words.STATUSES,
            "spaces": words.SPACES, "yes_no": words.yes_no_unknown,
        }


def put(press: Press, source: Source) -> None:
    known = communities.known([node.code for node in source.communities])
    _index(press, source)
    for node in source.communities:
        Community(press, source, node, known[node.code]).put()


def _substance(chain: Sequence[Bulletin]) -> Bulletin | None:
    """The newest bulletin that says what happens and what to do."""
    return next((b for b in reversed(chain) if b.kind != CANCEL), chain[-1] if chain else None)


def _index(press: Press, source: Source) -> None:
    warned = {node.code: [w.tier for w in source.warnings_of(node.code)] for node in source.communities}
    counts = {node.code: 0 for node in source.communities}
    for place in source.places:
        if place.shelter.region_code in counts:
            counts[place.shelter.region_code] += 1
    streets: dict[str, list[Node]] = {}
    for node in source.communities:
        streets.setdefault(parent_of(node.code) or "", []).append(node)
    for language in LANGUAGES:
        press.html("public/communities.html", language, f"/{language}/communities/", [warned, counts],
                   lambda: {"streets": [(lookup.get(code), nodes) for code, nodes in streets.items()], "warned": warned,
                            "counts": counts}, needed=True)
