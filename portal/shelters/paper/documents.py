"""The kinds of paper, and making them: one sheet, or many in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import force_locale, lazy_gettext
from flask_babel import gettext as _

from portal import current_settings
from portal.shelters.paper import card_sheet, map_sheet, plan_sheet
from portal.shelters.paper.card_sheet import Leading
from portal.shelters.paper.facts import Facts
from portal.shelters.paper.household import Household
from portal.shelters.paper.sheet import Document, Sheet
from portal.shelters.paper.source import Source, family_or_main
from portal.web import fonts

MAP, PLAN, CARD = "map", "plan", "card"
KINDS: dict[str, Any] = {
    MAP: lazy_gettext("Evacuation map"),
    PLAN: lazy_gettext("One-page plan"),
    CARD: lazy_gettext("Household card (blank)"),
}


@dataclass(frozen=True)
class Made:
    """A finished PDF. `lacking`: characters that the typeface has not and that stand as □ on it."""

    pdf: bytes
    lacking: list[str] = field(default_factory=list)


def _blank(sheet: Sheet, facts: Facts) -> None:
    card_sheet.draw(sheet, facts, Household(facts.code), Leading())


_DRAW: dict[str, Callable[[Sheet, Facts], None]] = {MAP: map_sheet.draw, PLAN: plan_sheet.draw, CARD: _blank}


def title(kind: str, facts: Facts, language: str) -> str:
    """What the file is called inside."""
    return f"{facts.name[language]} {KINDS[kind]}"


def make(kind: str, facts: Facts, language: str) -> Made:
    """One sheet of a community. The same facts give the same bytes. Raises KeyError for an unknown kind."""
    with force_locale(language):
        document = Document(title(kind, facts, language), language, facts.authority[language])
        draw_into(document, kind, facts)
        return Made(document.finish(), document.lacking)


def draw_into(document: Document, kind: str, facts: Facts) -> list[str]:
    """Add a sheet to a document, under its language; the characters that the typeface lacks on it."""
    with force_locale(document.language):
        sheet = document.sheet()
        document.outline(title(kind, facts, document.language))
        _DRAW[kind](sheet, facts)
        return sheet.lacking


def card(household: Household, language: str) -> Made:
    """The card of one household. Raises Invalid when its community is not known, KeyError for an unknown family."""
    source = Source([household.region_code], family_or_main(household.family))
    facts = source.facts(household.region_code)
    with force_locale(language):
        document = Document(_("Household card"), language, facts.authority[language])
        card_sheet.draw(document.sheet(), facts, household, leading(source, facts, household))
        return Made(document.finish(), document.lacking)


def leading(source: Source, facts: Facts, household: Household) -> Leading:
    """Where a household goes: to the shelter that somebody chose, else along the way from its place or starting place."""
    way = None
    if household.place is not None:
        with_words = source.route_from(*household.place)
        if with_words is not None:
            way = source.way(_house(), household.place, with_words, facts)
            if way.number is None and hasattr(with_words, "shelter_id"):
                return _chosen(source, facts, household, with_words.shelter_id, way)
    elif household.origin:
        way = next((w for w in facts.ways if household.origin in (w.origin.zh, w.origin.en)), None)
    goal = facts.goal(way.number) if way else None
    if household.shelter_id is not None and (goal is None or goal.id != household.shelter_id):
        return Leading(None, source.goal_of(household.shelter_id, facts.code))
    return Leading(way, goal)


def _chosen(source: Source, facts: Facts, household: Household, found: int, way: Any) -> Leading:
    """A shelter that is not among the numbered ones of the community."""
    wanted = household.shelter_id if household.shelter_id is not None else found
    return Leading(way if wanted == found else None, source.goal_of(wanted, facts.code))


def _house() -> Any:
    from portal.warnings.hazards import Phrase

    words = {}
    for language in ("zh", "en"):
        with force_locale(language):
            words[language] = _("our door")
    return Phrase(words["zh"], words["en"])


def codes_of(characters: Iterable[str]) -> str:
    """Characters by their code points, for messages."""
    return fonts.named(characters)


def collection(kinds: Sequence[str], language: str) -> Document:
    """An empty file for sheets of many communities; see `draw_into`."""
    with force_locale(language):
        name = str(KINDS[kinds[0]]) if len(kinds) == 1 else _("Evacuation paper")
        settings = current_settings()
        return Document(f"{settings.authority_zh if language == 'zh' else settings.authority_en} {name}", language)
