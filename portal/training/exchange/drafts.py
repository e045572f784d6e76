"""What was read of a file of another program: questions in one language, in our terms, and what could not be taken, by line."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from portal.training.content.questions import TRUE_FALSE
from portal.training.content.unfinished import TRANSLATE
from portal.training.content.values import TRUEFALSE

#: Questions of one file.
MOST_QUESTIONS = 1000
#: Where an objective is not known. It is none of any lesson, so that lint names each question that still has it.
NO_OBJECTIVE = "to-choose"


@dataclass(frozen=True, slots=True)
class Option:
    """`words` and `feedback` are inline Markdown; the feedback may be empty."""

    words: str
    feedback: str
    right: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A question. `line`: where it stands in its file; `name`: how it is called there; `id`: how it wants to be called here,
    empty where any will do. `notes`: what of it was lost. Texts are Markdown; those that are empty are still to be written."""

    line: int
    name: str
    type: str
    words: str
    explanation: str = ""
    id: str = ""
    category: str = ""
    options: tuple[Option, ...] = ()
    items: tuple[str, ...] = ()
    heads: tuple[str, str] = ("", "")
    pairs: tuple[tuple[str, str], ...] = ()
    value: Decimal = Decimal(0)
    tolerance: Decimal = Decimal(0)
    unit: tuple[str, str] = ("", "")
    accept: tuple[str, ...] = ()
    difficulty: int = 2
    objective: str = NO_OBJECTIVE
    rev: int = 1
    medical: bool = False
    source: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Untaken:
    """A question, or a line, that was left out."""

    line: int
    name: str
    reason: str


@dataclass(slots=True)
class Reading:
    """What came of reading one file. `pictures`: name → body, as the drafts name them (``../media/<name>``)."""

    drafts: list[Draft] = field(default_factory=list)
    untaken: list[Untaken] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    def leave(self, line: int, name: str, reason: str) -> None:
        self.untaken.append(Untaken(line, name[:80], reason))


class Refused(Exception):
    """One question cannot be taken; the message says why."""


class Unreadable(ValueError):
    """A file of which nothing can be read; `line` is 0 where none can be named."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


def to_translate(draft: Draft, language: str) -> Draft:
    """The same question in the other language `language`: each of its texts behind a mark that lint refuses."""
    def mark(text: str) -> str:
        return f"{TRANSLATE} {text}" if text else ""

    options = tuple(replace(one, words=mark(one.words), feedback=mark(one.feedback)) for one in draft.options)
    if draft.type == TRUEFALSE:
        options = tuple(replace(one, words=words) for one, words in zip(options, TRUE_FALSE[language], strict=True))
    return replace(draft, words=mark(draft.words), explanation=mark(draft.explanation), source=mark(draft.source),
                   options=options, items=tuple(map(mark, draft.items)), heads=(mark(draft.heads[0]), mark(draft.heads[1])),
                   pairs=tuple((mark(left), mark(right)) for left, right in draft.pairs), accept=tuple(map(mark, draft.accept)))

