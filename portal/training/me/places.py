"""Finding one's community: by its name, or down the tree of regions."""

from __future__ import annotations

from dataclasses import dataclass

from portal.regions import codes, lookup
from portal.regions.lookup import Node

COMMUNITY = "community"
#: Communities shown for what was typed.
MOST = 30
LONGEST = 60


@dataclass(frozen=True, slots=True)
class Found:
    """`communities` to choose from, `areas` to look into; `more`: some communities were left out."""

    communities: tuple[Node, ...]
    areas: tuple[Node, ...]
    more: bool = False


def by_name(text: str, language: str) -> Found:
    """What a name, pinyin or code may mean: communities, and those of a street or district that it means."""
    hits = lookup.search(text[:LONGEST], language, limit=MOST + 1)
    found = [hit for hit in hits if hit.level == COMMUNITY]
    areas = tuple(hit for hit in hits if hit.level != COMMUNITY)
    return Found(tuple(found[:MOST]), areas[:MOST], more=len(found) > MOST)


def within(code: str | None) -> Found:
    """What lies one level below a region, or at the top; a level with a single region is passed through."""
    nodes = lookup.children(code) if code else list(lookup.current().roots)
    while len(nodes) == 1 and nodes[0].level != COMMUNITY:
        nodes = list(nodes[0].children)
    return Found(tuple(n for n in nodes if n.level == COMMUNITY), tuple(n for n in nodes if n.level != COMMUNITY))


def community(code: str) -> Node | None:
    node = lookup.get(code)
    return node if node is not None and node.level == COMMUNITY else None


def words(code: str | None, language: str) -> str:
    """A community with the region that it lies in; empty for none, the code for one that is no longer known."""
    if not code:
        return ""
    node = lookup.get(code)
    if node is None:
        return code
    parent = codes.parent_of(code)
    above = lookup.get(parent) if parent else None
    return f"{node.name(language)} · {above.name(language)}" if above else node.name(language)

