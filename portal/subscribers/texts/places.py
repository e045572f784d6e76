"""Places in texts: which are meant, and how they are named in an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask_babel import get_locale
from flask_babel import gettext as _

from portal import current_settings
from portal.regions import lookup, match
from portal.regions.match import Match
from portal.regions.names import Spelling
from portal.regions.snapshot import Node

_BETWEEN = re.compile(r"[\s,，、;；/+＋&]+|和|与|以及|\band\b")
MOST_PLACES, NAMED, CHOICES = 10, 4, 3


@dataclass(frozen=True, slots=True)
class Places:
    """`codes`: what is meant without doubt; `choices`: what may be meant, where it is doubtful. Both empty: like nothing."""

    codes: tuple[str, ...] = ()
    choices: tuple[Match, ...] = ()
    narrower: Match | None = None  # a community with the name of the street that was taken


def language() -> str:
    """The language that is set."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh"


def meant(text: str) -> Places:
    """The places that a text names: one, or several with something between them."""
    found = match.find(text)
    if one := match.the_one(found):
        level = lookup.current().nodes[one.code].level
        inner = [m for m in found if m.code != one.code and lookup.current().nodes[m.code].level == "community"]
        return Places((one.code,), narrower=inner[0] if level == "street" and len(inner) == 1 else None)
    parts = [part for part in _BETWEEN.split(text) if part]
    if 1 < len(parts) <= MOST_PLACES:
        each = [match.the_one(match.find(part)) for part in parts]
        if all(each):
            return Places(tuple(dict.fromkeys(m.code for m in each if m)))
    return Places(choices=tuple(found))


def communities(codes: Iterable[str]) -> set[str]:
    """The communities of these places."""
    return set(lookup.communities_under(codes))


def named(codes: Iterable[str]) -> str:
    """Communities in words: a street of which all are there by its name, at most :data:`NAMED` names."""
    nodes, wanted, said = lookup.current().nodes, set(codes), list[str]()
    for top in lookup.current().roots:
        said += _named(top, wanted)
    said += sorted(code for code in wanted if code not in nodes)
    more = len(said) - NAMED
    if more > 0:
        said = [*said[:NAMED], _("%(count)s more", count=more)]
    return _(", ").join(said)


def _named(node: Node, wanted: set[str]) -> list[str]:
    below = [one.code for one in node.walk() if one.level == "community"]
    if not below or wanted.isdisjoint(below):
        return []
    if node.level not in ("province", "city") and wanted.issuperset(below):
        return [node.name(language())]
    return [name for child in node.children for name in _named(child, wanted)]


def choices(found: Sequence[Match], word: str) -> str:
    """What to write back for each of them, with the street where two have one name."""
    names = [one.name(language()) for one in found]
    said = []
    for one, name in zip(found[:CHOICES], names, strict=False):
        above = lookup.get(one.code[:9] + "000") if names.count(name) > 1 else None
        said.append(f"{word} {above.name(language()) if above else ''}{'' if language() == 'zh' or not above else ' '}{name}")
    return _("; ").join(said)


def example() -> str:
    """The name of a street here, as people would write it."""
    streets = [node for node in lookup.children(current_settings().district) if node.level == "street"]
    if not streets:
        return _("and a place")
    node = streets[0]
    return Spelling.of(node).zh_short if language() == "zh" else node.name_en.split(" ")[0]
