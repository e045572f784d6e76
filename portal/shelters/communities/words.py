"""Words for what a community knows of itself: the ten "haves" of preparedness, and the kinds of its risk points.

The ten are those of the pilot for grassroots disaster prevention (防灾减灾救灾基层能力建设"十个有"), in its order:
有组织体系、有大喇叭、有警报器、有避难场所、有风险地图、有明白卡、有应急值守、有应急照明、有小册子、有宣传栏.
What each one asks for is put in one line, after the same text (a horn that talks every day too; a gong, a hand siren or a
megaphone; a card for each kind of disaster; a post that answers day and night).
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext

#: Key → the name of the "have".
TEN: dict[str, Any] = {
    "organisation": _l("An organisation"),
    "speakers": lazy_pgettext("ten", "Loudspeakers"),
    "alarms": _l("Alarms"),
    "shelter": _l("A shelter"),
    "risk_map": _l("A risk map"),
    "card": _l("Household cards"),
    "duty": _l("A duty post"),
    "lighting": _l("Emergency lighting"),
    "booklet": _l("A booklet"),
    "board": _l("A notice board"),
}

#: Key → what must be there for a "yes".
TEN_MEANS: dict[str, Any] = {
    "organisation": _l("Posts with names and tasks, and who stands in for whom"),
    "speakers": _l("They speak in every part of the community, on ordinary days too"),
    "alarms": _l("A gong, a hand siren or a megaphone, which need no power and no network"),
    "shelter": _l("With its capacity, its keeper, its parts, signs and the way there at the crossings"),
    "risk_map": _l("Known dangers on a map and in a list, with warning signs at the places"),
    "card": _l("Each household at risk holds its card: one for each kind of disaster"),
    "duty": _l("Somebody answers day and night, by telephone and by radio"),
    "lighting": _l("Lamps or a generator for the shelter and the ways to it"),
    "booklet": _l("What to do, in print, in every household"),
    "board": _l("A board at a place that people pass, kept up to date"),
}

#: Kinds of risk points.
RISKS: dict[str, Any] = {
    "slope": _l("Dangerous slope"),
    "waterlogging": _l("Place that floods"),
    "river": _l("River or reservoir bank"),
    "underground": _l("Underpass or basement"),
    "building": _l("Dangerous building"),
    "shed": _l("Temporary sheds"),
    "fire": _l("Fire hazard"),
    "hazmat": _l("Hazardous materials"),
    "other": _l("Other danger"),
}

#: Kinds of risk points that matter for each family of hazards (see `registry.suitability`): what a paper names first.
RISKS_OF_FAMILY: dict[str, tuple[str, ...]] = {
    "wind": ("shed", "building", "other"),
    "water": ("waterlogging", "river", "underground", "other"),
    "slope": ("slope", "other"),
    "quake": ("building", "slope", "hazmat", "other"),
    "fire": ("fire", "hazmat", "other"),
    "temperature": ("shed", "other"),
}

THERE, MISSING, UNKNOWN = "there", "missing", "unknown"
#: Answers to a "have": key → (words, the column's value).
ANSWERS: dict[str, tuple[Any, bool | None]] = {
    THERE: (_l("there"), True),
    MISSING: (_l("missing"), False),
    UNKNOWN: (_l("unknown"), None),
}


def answer_of(there: bool | None) -> str:
    return UNKNOWN if there is None else THERE if there else MISSING
