"""The form of wishes: what was ticked and typed, kept from page to page, and the communities that it offers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from werkzeug.datastructures import MultiDict

from portal.config import TIERS
from portal.core.i18n import LANGUAGES
from portal.regions import codes, lookup, match
from portal.regions.lookup import Node
from portal.subscribers import kinds, wishes
from portal.subscribers.audiences import BY_KEY
from portal.subscribers.wishes import Wishes

COMMUNITY = "community"
#: Communities that a name finds, and such as are offered by street; a larger district is searched.
MOST_FOUND, MOST_LISTED = 12, 400
LONGEST_NAME = 60


@dataclass(frozen=True)
class Typed:
    """A form as it was sent. `wanted`: keys of kinds that are ticked; `looked`: the name that the page has answered already."""

    region_codes: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ("residents",)
    language: str = LANGUAGES[0]
    wanted: tuple[str, ...] = tuple(kinds.BY_KEY)
    lowest_tier: str = TIERS[0]
    quiet: bool = False
    quiet_from: str = "22"
    quiet_to: str = "7"
    name: str = ""
    looked: str = ""

    def values(self) -> dict[str, object]:
        """What :func:`wishes.check` takes."""
        return {"region_codes": self.region_codes, "audiences": self.audiences, "language": self.language,
                "muted_kinds": [key for key in kinds.BY_KEY if key not in self.wanted], "lowest_tier": self.lowest_tier,
                "quiet_from": self.quiet_from if self.quiet else None, "quiet_to": self.quiet_to if self.quiet else None}


def of_wishes(chosen: Wishes) -> Typed:
    """The form of somebody who comes back to it."""
    told = wishes.told(chosen)
    typed = Typed(chosen.region_codes, tuple(told["audiences"]) or ("residents",), chosen.language,
                  tuple(key for key in kinds.BY_KEY if key not in told["without"]), told["lowest_tier"])
    return replace(typed, quiet=True, quiet_from=str(chosen.quiet[0]), quiet_to=str(chosen.quiet[1])) if chosen.quiet else typed


def read(form: MultiDict[str, str]) -> Typed:
    """The form as it was sent, cut to sane lengths; whether it can be taken is said by :func:`wishes.check`."""
    ticked = [code for code in form.getlist("region_codes")[:4 * wishes.MOST_REGIONS] if codes.is_code(code)]
    return Typed(
        tuple(dict.fromkeys(ticked)), tuple(form.getlist("audiences")[:len(BY_KEY)]), form.get("language", "")[:8],
        tuple(form.getlist("kinds")[:len(kinds.KINDS)]), form.get("lowest_tier", "")[:10], form.get("quiet") == "1",
        form.get("quiet_from", "")[:4], form.get("quiet_to", "")[:4], form.get("name", "").strip()[:LONGEST_NAME],
        form.get("looked", "")[:LONGEST_NAME])


def is_particular(typed: Typed) -> bool:
    """Whether less is wanted than everything, at any hour."""
    plain = Typed()
    return typed.quiet or (set(typed.wanted), typed.lowest_tier) != (set(plain.wanted), plain.lowest_tier)


# -- communities -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Offer:
    """A tick: a community, or a street for all of its communities."""

    code: str
    label: str
    communities: int = 1
    ticked: bool = False


@dataclass(frozen=True)
class Offered:
    """What can be ticked, each once: what is chosen, what the typed name may mean, and the rest by street."""

    chosen: list[Offer] = field(default_factory=list)
    found: list[Offer] = field(default_factory=list)
    streets: list[tuple[str, list[Offer]]] = field(default_factory=list)
    is_all_listed: bool = True


def offered(typed: Typed, language: str, district: str, *, tick: Sequence[str] = ()) -> Offered:
    """The ticks of the page; those of `tick` (found by a place or a name that leaves no doubt) are ticked already."""
    chosen = below(typed.region_codes)
    shown = set(chosen)
    found = []
    for node in [node for code in tick if (node := lookup.get(code))] + (by_name(typed.name, language) if typed.name else []):
        if node.code not in shown and not (node.level != COMMUNITY and shown.issuperset(below([node.code]))):
            shown.add(node.code)
            found.append(_offer(node, language, ticked=node.code in tick))
    listed = lookup.communities_under([district]) if lookup.get(district) else []
    streets = [] if len(listed) > MOST_LISTED else [
        (street.name(language), offers) for street in lookup.children(district)
        if (offers := [_offer(node, language, ticked=False, short=True) for node in street.walk()
                       if node.code not in shown and (node.level == COMMUNITY or len(below([node.code])) > 1)])]
    return Offered([_offer(node, language, ticked=True) for code in chosen if (node := lookup.get(code))],
                   found, streets, len(listed) <= MOST_LISTED)


def below(region_codes: Sequence[str]) -> list[str]:
    """The communities of these regions as far as they are known, sorted."""
    return lookup.communities_under([code for code in region_codes if lookup.get(code)])


def by_name(text: str, language: str) -> list[Node]:
    """Communities and streets that a name may mean, the likeliest first: as typed on a telephone, or the beginning of it."""
    hits = [lookup.get(one.code) for one in match.find(text, MOST_FOUND)] + list(lookup.search(text, language, limit=MOST_FOUND))
    nodes: dict[str, Node] = {}
    for node in hits:
        if node is not None and node.level in (COMMUNITY, "street"):
            nodes.setdefault(node.code, node)
            if node.level == "street":
                nodes |= {one.code: one for one in node.children if one.code not in nodes}
    return list(nodes.values())[:MOST_FOUND]


def the_one(text: str) -> str | None:
    """The community that the name means without a doubt."""
    found = match.the_one(match.find(text))
    return found.code if found is not None and codes.level_of(found.code) == COMMUNITY else None


def at(longitude: str, latitude: str) -> str | None:
    """The community of a point that a phone told; None outside, and for what is no point."""
    try:
        lon, lat = float(longitude), float(latitude)
    except ValueError:
        return None
    return lookup.at_point(lon, lat) if math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90 else None


def label(code: str, language: str) -> str:
    """A community with its street; the code for one that is no longer known."""
    node = lookup.get(code)
    return _offer(node, language, ticked=False).label if node else code


def _offer(node: Node, language: str, *, ticked: bool, short: bool = False) -> Offer:
    above = None if short else lookup.get(codes.parent_of(node.code) or "")
    name = node.name(language)
    if node.level != COMMUNITY:
        return Offer(node.code, name, len(below([node.code])), ticked)
    return Offer(node.code, f"{name} · {above.name(language)}" if above else name, 1, ticked)
