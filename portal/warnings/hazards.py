"""Hazards: what can happen, the tiers that exist for it, and what residents are told to do at each.

Everything here is read from ``content/hazards`` (see the README there), checked as a whole, and never changes
while the process runs. Event codes follow GB/T 35965; a code that is not in the catalogue is no error,
because the list of codes grows without us: :meth:`Catalogue.name` then answers with the code itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.config import TIERS
from portal.warnings.strict_yaml import ContentProblem

#: Tier to CAP severity. White (typhoon only) has no CAP word of its own and shares blue's.
SEVERITY = {"red": "Extreme", "orange": "Severe", "yellow": "Moderate", "blue": "Minor", "white": "Minor"}
#: Tier to the grade of the national emergency plans. White lies below the four grades and has none.
GRADE = {"red": "I", "orange": "II", "yellow": "III", "blue": "IV", "white": ""}

#: Kinds of text. The first three are kinds of bulletin; an update that changes the tier has words of its own.
ALERT, UPDATE, CANCEL, UPGRADE, DOWNGRADE = "alert", "update", "cancel", "upgrade", "downgrade"
KINDS = (ALERT, UPGRADE, DOWNGRADE, UPDATE, CANCEL)
CHANNELS = ("headline", "description", "instruction", "sms", "speaker")


@dataclass(frozen=True, slots=True)
class Phrase:
    """The same words in both languages."""

    zh: str
    en: str

    def __getitem__(self, language: str) -> str:
        """The words in `language`; every language but Chinese reads English."""
        return self.zh if language == "zh" else self.en


TIER_NAMES = {
    "white": Phrase("白色", "white"),
    "blue": Phrase("蓝色", "blue"),
    "yellow": Phrase("黄色", "yellow"),
    "orange": Phrase("橙色", "orange"),
    "red": Phrase("红色", "red"),
}
#: The words of the grades in 国家突发事件总体应急预案 and in 12379 headlines: "[IV级/一般]".
GRADE_NAMES = {
    "red": Phrase("特别严重", "extremely serious"),
    "orange": Phrase("严重", "serious"),
    "yellow": Phrase("较重", "fairly serious"),
    "blue": Phrase("一般", "moderate"),
    "white": Phrase("", ""),
}
#: The four groups of emergencies, by the first two digits of the event code (突发事件应对法, article 2).
GROUPS = {
    "11": Phrase("自然灾害", "Natural disasters"),
    "12": Phrase("事故灾难", "Accidents"),
    "13": Phrase("公共卫生事件", "Public health"),
    "14": Phrase("社会安全事件", "Public security"),
}
OTHER_GROUP = Phrase("其他突发事件", "Other emergencies")


@dataclass(frozen=True, slots=True)
class Criteria:
    """When a tier is issued. `confirmed` is False where the figures still have to be checked against
    `source`."""

    text: Phrase
    source: Phrase
    confirmed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What people are told. `threat` is what may happen (警示事项), `action` one breath of what to do for a
    text message, `steps` the list for a page, `spoken` the sentences for a horn."""

    threat: Phrase
    action: Phrase
    steps: tuple[Phrase, ...]
    spoken: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(Guidance):
    """One tier of one hazard. `urgency`, `certainty` and `responses` are defaults in CAP's words.
    `generic`: the hazard has no signal of its own for this tier, and the words are those that fit any
    hazard."""

    tier: str
    criteria: Criteria | None
    urgency: str
    certainty: str
    responses: tuple[str, ...]
    shelters_open: bool
    schools_suspend: bool
    generic: bool = False

    @property
    def severity(self) -> str:
        return SEVERITY[self.tier]

    @property
    def grade(self) -> str:
        """I to IV; empty for white."""
        return GRADE[self.tier]


#: A template's place: tier (empty: any tier), kind, language, channel.
TemplateKey = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Hazard:
    """One kind of event. `category` is CAP's; `tiers` are those that exist for it, weakest first; `full`
    tells whether it is described with signals of its own."""

    code: str
    names: Phrase
    category: str
    tiers: tuple[str, ...]
    full: bool
    about: Phrase
    file: str  # where it is described, beside its siblings
    signals: Mapping[str, Signal] = field(repr=False)
    all_clear: Guidance = field(repr=False)
    templates: Mapping[TemplateKey, str] = field(repr=False)

    @property
    def zh(self) -> str:
        return self.names.zh

    @property
    def en(self) -> str:
        return self.names.en

    @property
    def group(self) -> Phrase:
        """The group of emergencies that the code belongs to."""
        return GROUPS.get(self.code[:2], OTHER_GROUP)

    def name(self, language: str) -> str:
        return self.names[language]

    def has(self, tier: str) -> bool:
        return tier in self.tiers

    def signal(self, tier: str) -> Signal:
        """The signal of `tier`, or the words that fit any hazard at that tier. Raises KeyError for what is
        no tier."""
        return self.signals[tier]

    def template(self, tier: str, kind: str, language: str, channel: str) -> str:
        """The nearest template: of this tier, of this hazard, of any hazard. Raises KeyError for an unknown
        place."""
        for key in ((tier, kind, language, channel), ("", kind, language, channel)):
            if key in self.templates:
                return self.templates[key]
        raise KeyError((kind, language, channel))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All hazards by code."""

    hazards: Mapping[str, Hazard] = field(repr=False)

    def get(self, code: str) -> Hazard | None:
        return self.hazards.get(code)

    def name(self, code: str, language: str) -> str:
        """The hazard's name, or the code itself where the catalogue does not know it (a bulletin from
        elsewhere, or one that is older than the content)."""
        hazard = self.hazards.get(code)
        return hazard.name(language) if hazard else code

    def for_compose(self) -> tuple[Hazard, ...]:
        """Those to choose from: fully described ones first, then by code."""
        return tuple(sorted(self.hazards.values(), key=lambda h: (not h.full, h.code)))

    def __iter__(self) -> Iterator[Hazard]:
        return iter(self.hazards.values())

    def __len__(self) -> int:
        return len(self.hazards)

    def __contains__(self, code: object) -> bool:
        return code in self.hazards


class ContentError(Exception):
    """The content cannot be used; `problems` says all that is wrong, not only the first thing."""

    def __init__(self, problems: Iterable[ContentProblem]) -> None:
        self.problems = list(problems)
        super().__init__("the hazards cannot be used:\n" + "\n".join(f"  {p}" for p in self.problems))


@lru_cache(maxsize=16)
def _kept(directory: Path) -> Catalogue:
    from portal.warnings.hazard_files import read  # it builds the classes of this module

    found, problems = read(directory / "hazards")
    if problems:
        raise ContentError(problems)
    return Catalogue(found)


def load(path: Path) -> Catalogue:
    """The catalogue of the content directory `path`, read and checked once per process. Raises ContentError
    with everything that is wrong."""
    return _kept(Path(path).resolve())


def catalogue() -> Catalogue:
    """The catalogue of the application at work."""
    from portal import current_settings

    return load(current_settings().content)


def is_upgrade(before: str, after: str) -> bool:
    """Whether `after` is the more severe tier."""
    return TIERS.index(after) > TIERS.index(before)
