"""Courses as values that never change: what lessons, questions and checklists are, in both languages together.

Questions hold their answer keys. Nothing that is published or sent to a browser may be made from a question as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from portal.warnings.hazards import Phrase

SINGLE, MULTIPLE, TRUEFALSE, ORDERING, MATCHING = "single", "multiple", "truefalse", "ordering", "matching"
NUMERIC, TEXT, HOTSPOT, SCENARIO = "numeric", "text", "hotspot", "scenario"
TYPES = (SINGLE, MULTIPLE, TRUEFALSE, ORDERING, MATCHING, NUMERIC, TEXT, HOTSPOT, SCENARIO)
#: How a scenario ends, and the share of a question's point that it is worth.
OUTCOMES = {"good": Decimal(1), "fair": Decimal("0.5"), "bad": Decimal(0)}
#: When an examinee sees what was right.
FEEDBACK = ("never", "after_pass", "after_each")
#: Minutes of one hour of theory (学时).
HOUR_MINUTES = 45


@dataclass(frozen=True, slots=True)
class Lists:
    """A list of texts in each language; the two need not be of one length."""

    zh: tuple[str, ...]
    en: tuple[str, ...]

    def __getitem__(self, language: str) -> tuple[str, ...]:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What all types share. `line` is where its heading stands in the Chinese bank. `rev` is raised when what is right
    changes. `words` and `explanation` are Markdown; `source` may be empty where the question is not medical."""

    id: str
    type: str
    difficulty: int
    objective: str
    rev: int
    medical: bool
    source: Phrase
    words: Phrase
    explanation: Phrase
    line: int

    @property
    def fits_exam(self) -> bool:
        """Whether an exam may ask it. A scenario may not: what follows from a choice would tell the answer."""
        return True


@dataclass(frozen=True, slots=True)
class Option:
    """`words` and `feedback` are inline Markdown."""

    words: Phrase
    feedback: Phrase
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Question):
    """single, multiple, truefalse."""

    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordering(Question):
    """`items` stand in the right order."""

    items: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching(Question):
    """Each of `pairs` is right; no two right-hand sides are the same."""

    heads: tuple[Phrase, Phrase]
    pairs: tuple[tuple[Phrase, Phrase], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric(Question):
    """Right is what differs from `value` by at most `tolerance`."""

    value: Decimal
    tolerance: Decimal
    unit: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortText(Question):
    """Right is what is the same as one of `accept` (see :func:`portal.training.content.normal.normal`) in either language."""

    accept: Lists


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on a picture, in per cent of its width and height."""

    id: str
    x: Decimal
    y: Decimal
    w: Decimal
    h: Decimal
    label: Phrase
    feedback: Phrase
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotspot(Question):
    """`image` is the name of a medium in each language; the labels of `areas` are the choices where there is no picture."""

    image: Phrase
    alt: Phrase
    areas: tuple[Area, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One choice in a scenario: what one does, the node that it leads to, and what comes of it."""

    words: Phrase
    goto: str
    feedback: Phrase


@dataclass(frozen=True, slots=True)
class Node:
    """A situation. One without `ways` is an end and has an `outcome` of :data:`OUTCOMES`."""

    id: str
    words: Phrase
    outcome: str
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Question):
    """It begins at the first of `nodes`, and an end can be reached from each of them."""

    nodes: tuple[Node, ...]

    @property
    def fits_exam(self) -> bool:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """`number` and `name` come from the file's name, `text` is Markdown. An objective's id is ``<lesson id>.<n from 1>``."""

    id: str
    number: int
    name: str
    title: Phrase
    minutes: int
    objectives: tuple[Phrase, ...]
    key_points: tuple[Phrase, ...]
    sources: Lists
    text: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    id: str
    title: Phrase
    lessons: tuple[Lesson, ...]
    questions: tuple[Question, ...]

    @property
    def minutes(self) -> int:
        return sum(lesson.minutes for lesson in self.lessons)


@dataclass(frozen=True, slots=True)
class Step:
    id: str
    words: Phrase
    hint: Phrase
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """A practical skill. Passed with all required steps and `others` per cent of the rest."""

    id: str
    title: Phrase
    minutes: int
    needs: Phrase
    others: int
    steps: tuple[Step, ...]
    source: Phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """`draw`: module id → how many of its questions are drawn."""

    minutes: int
    grace_seconds: int
    attempts: int
    wait_hours: int
    one_at_a_time: bool
    feedback: str
    draw: Mapping[str, int]

    @property
    def questions(self) -> int:
        return sum(self.draw.values())


@dataclass(frozen=True, slots=True)
class Renewal:
    """The shorter way to a further certificate: possible from `days_before` the end of the one that is held; `exam`: the exam is
    sat again; `skills`: those practical skills are passed again."""

    days_before: int = 90
    exam: bool = True
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hours:
    """In hours of :data:`HOUR_MINUTES` minutes."""

    theory: Decimal
    practical: Decimal
    assessment: Decimal


@dataclass(frozen=True, slots=True)
class Medium:
    """A picture of a course. `width` and `height` in pixels, 0 where the file does not say."""

    name: str
    body: bytes = field(repr=False)
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """`validity_months` 0: what it certifies does not expire. Without an `exam` it is for reading and practice. `games`: ids of
    scenarios that everybody may play, one a module at most."""

    id: str
    version: str
    title: Phrase
    summary: Phrase
    audience: Phrase
    hours: Hours
    validity_months: int
    pass_mark: int
    exam: Exam | None
    notes: Phrase
    modules: tuple[Module, ...]
    checklists: tuple[Checklist, ...]
    media: Mapping[str, Medium]
    renewal: Renewal = Renewal()
    games: tuple[str, ...] = ()

    @property
    def lessons(self) -> Iterator[Lesson]:
        return (lesson for module in self.modules for lesson in module.lessons)

    @property
    def minutes(self) -> int:
        return sum(module.minutes for module in self.modules)
