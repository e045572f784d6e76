"""Pages without data of their own, which phones keep: the one that finds the way on the reader's device, and the one that
stands in for a page that is not kept."""

from __future__ import annotations

from typing import Any

from portal.core.i18n import LANGUAGES
from portal.shelters.public.press import Press
from portal.shelters.public.source import Source
from portal.shelters.roads import store as roads


def put(press: Press, source: Source) -> None:
    """It holds no data of its own, so that it is rendered once and kept by phones: families and words only."""
    facts: list[Any] = [[[f.key, f.zh, f.en] for f in source.families.values()],
                        [[node.code, node.name_zh, node.name_en] for node in source.communities]]
    graph = roads.newest()
    origin = " · ".join(text for text in (graph.source, graph.licence) if text) if graph else ""  # its licence may ask for it
    for language in LANGUAGES:
        press.html("public/route.html", language, f"/{language}/route/", [facts, origin],
                   lambda: {"families": source.families, "communities": source.communities, "origin": origin}, needed=True)
        press.html("public/offline.html", language, f"/{language}/offline/", [], dict, needed=True)
