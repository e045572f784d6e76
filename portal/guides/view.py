"""What the pages of guides show, and the facts by which it is known whether they must be rendered again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.guides.shelf import Shelf, figure_path, grouped
from portal.guides.values import ADVICE, GROUPS, NEVER, TICKS, Guide
from portal.shelters.registry.suitability import Family, family_of
from portal.warnings import hazards
from portal.warnings.models import Warning

#: Other guides of the group that a guide leads to.
MOST_NEAR = 4


def of(guide: Guide, shelf: Shelf, warnings: Sequence[Warning]) -> tuple[list[Any], dict[str, Any]]:
    """(facts, context) of the page of one guide."""
    now = [w for w in warnings if w.hazard in guide.hazards]
    families = families_of(guide)
    near = [other for other in shelf.guides if other.group == guide.group and other.id != guide.id][:MOST_NEAR]
    near += [other for other in shelf.guides if other.kind == TICKS and other.id != guide.id]
    facts = [repr(guide), repr(guide.sections), figure_path(guide), [_shown(w) for w in now],
             [(f.key, f.zh, f.en) for f in families],
             [(other.id, repr(other.title)) for other in near]]
    return facts, {"guide": guide, "figure": figure_path(guide), "in_force": now, "families": families, "near": near,
                   "never": NEVER, "ticks": guide.kind == TICKS, "hazard_name": hazard_name}


def of_list(guides: Sequence[Guide], warnings: Sequence[Warning]) -> tuple[list[Any], dict[str, Any]]:
    """(facts, context) of the list: what is in force now first."""
    urgent = [(warning, guide) for warning in warnings for guide in guides if warning.hazard in guide.hazards]
    facts = [[(g.id, repr(g.title), repr(g.summary), g.group) for g in guides], [(_shown(w), g.id) for w, g in urgent]]
    return facts, {"groups": grouped(guides), "group_names": GROUPS, "urgent": urgent, "hazard_name": hazard_name,
                   "advice": ADVICE}


def families_of(guide: Guide) -> list[Family]:
    """The families of hazards for which one goes to a shelter, each once."""
    found = [family for code in guide.hazards if (family := family_of(code))]
    return list(dict.fromkeys(found))


def hazard_name(code: str, language: str) -> str:
    return hazards.catalogue().name(code, language)


def _shown(warning: Warning) -> list[Any]:
    return [warning.number, warning.tier, warning.hazard]
