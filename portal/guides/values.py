"""Guides as values that never change, in both languages together."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from portal.training.content.values import Lists, Medium
from portal.warnings.hazards import Phrase

#: What a guide is: advice with fixed sections, or a list to tick off and print.
ADVICE, TICKS = "advice", "ticks"
KINDS = (ADVICE, TICKS)
#: The groups of the list of guides, in their order.
GROUPS = {
    "weather": Phrase("天气", "Weather"),
    "water-earth": Phrase("水与大地", "Water and earth"),
    "fire-accident": Phrase("火灾与事故", "Fire and accidents"),
    "life": Phrase("生活与健康", "Daily life and health"),
    "prepare": Phrase("家庭准备", "Preparing at home"),
}
#: The sections of advice, in their order. `signals` may be left out.
SIGNALS, BEFORE, DURING, AFTER, NEVER = "signals", "before", "during", "after", "never"
SECTIONS = {
    SIGNALS: Phrase("看懂预警", "Reading the warnings"),
    BEFORE: Phrase("之前", "Before"),
    DURING: Phrase("之中", "During"),
    AFTER: Phrase("之后", "After"),
    NEVER: Phrase("千万不要", "What not to do"),
}
OPTIONAL = (SIGNALS,)


@dataclass(frozen=True, slots=True)
class Section:
    """`key` is one of :data:`SECTIONS`, or a number in a list to tick. `items` are inline Markdown, a sentence or two each."""

    key: str
    title: Phrase
    items: Lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """`hazards`: codes of events (see content/hazards). `sources` say where the advice comes from, or that it is from memory.
    `figure` is None where there is no picture."""

    id: str
    kind: str
    group: str
    title: Phrase
    summary: Phrase
    hazards: tuple[str, ...]
    keywords: Lists
    updated: date
    sources: Lists
    figure: Medium | None
    alt: Phrase
    sections: tuple[Section, ...] = field(repr=False)
