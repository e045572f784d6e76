"""What an answer is worth: pure functions of a question and an answer, for practice and exams alike.

An answer is a JSON value, by the question's type:

=============  ==========================================================================================
single         number of the option, from 0 in the order of the bank; truefalse as well
multiple       list of such numbers
ordering       list of the items' numbers (from 0 in the right order) in the order that was given
matching       list with, for each pair's left side, the number of the pair whose right side was put to it
numeric, text  what was typed
hotspot        list of the ids of the areas that were chosen
scenario       list of the numbers of the ways that were taken, from the first node on
=============  ==========================================================================================

``None`` is no answer. Anything else than the above is worth nothing and raises nothing: answers come from browsers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from portal.training.content.normal import normal
from portal.training.content.values import (
    MULTIPLE,
    OUTCOMES,
    Choice,
    Hotspot,
    Matching,
    Node,
    Numeric,
    Ordering,
    Question,
    Scenario,
    ShortText,
    Way,
)
from portal.warnings.hazards import Phrase

#: Characters of a typed answer that are looked at.
LONGEST = 200
#: Steps of a scenario that are followed; more are a circle.
MOST_STEPS = 60
_NUMBER = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+|\d{1,15})(?:[.](\d{1,15}))?\Z", re.ASCII)
_NONE, _ALL = Fraction(0), Fraction(1)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What is said of one thing that was chosen. `chosen` and `said` are inline Markdown."""

    chosen: Phrase
    said: Phrase
    right: bool


@dataclass(frozen=True, slots=True)
class Graded:
    """`points` from 0 to 1, exact; `right` only where all of them were won; `feedback` on each thing that was chosen."""

    points: Fraction
    right: bool
    feedback: tuple[Feedback, ...] = ()


def grade(question: Question, answer: Any) -> Graded:
    """What `answer` is worth. Part of the points: several choices (right ones less wrong ones), ordering (neighbours that
    follow each other rightly), matching (pairs), scenario (how it ended)."""
    points, feedback = _GRADERS[type(question)](question, answer)
    return Graded(points, points == _ALL, tuple(feedback))


_Result = tuple[Fraction, list[Feedback]]


def _numbers(answer: Any, below: int) -> list[int] | None:
    """The list of different numbers from 0 to `below` - 1 that `answer` is, or None."""
    if not isinstance(answer, (list, tuple)) or len(answer) > below:
        return None
    numbers = [n for n in answer if _is_number(n, below)]
    return numbers if len(numbers) == len(answer) and len(set(numbers)) == len(numbers) else None


def _is_number(value: Any, below: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below


def _choice(question: Choice, answer: Any) -> _Result:
    if question.type != MULTIPLE:
        answer = [answer]
    chosen = _numbers(answer, len(question.options))
    if not chosen:
        return _NONE, []
    picked = [question.options[n] for n in sorted(chosen)]
    feedback = [Feedback(option.words, option.feedback, option.right) for option in picked]
    return _share([f.right for f in feedback], sum(option.right for option in question.options)), feedback


def _share(chosen: list[bool], rights: int) -> Fraction:
    hits = sum(chosen)
    return max(_NONE, Fraction(hits - (len(chosen) - hits), rights)) if rights else _NONE


def _ordering(question: Ordering, answer: Any) -> _Result:
    order = _numbers(answer, len(question.items))
    if order is None or len(order) != len(question.items):
        return _NONE, []
    follow = sum(after == before + 1 for before, after in pairwise(order))
    return Fraction(follow, max(1, len(order) - 1)), []


def _matching(question: Matching, answer: Any) -> _Result:
    if not answer or not isinstance(answer, (list, tuple)) or len(answer) != len(question.pairs):
        return _NONE, []
    hits = sum(_is_number(right, len(question.pairs)) and right == left for left, right in enumerate(answer))
    return Fraction(hits, len(question.pairs)), []


def _numeric(question: Numeric, answer: Any) -> _Result:
    value = number(answer, question.unit)
    right = value is not None and abs(value - question.value) <= question.tolerance
    return (_ALL if right else _NONE), []


def number(typed: Any, unit: Phrase) -> Decimal | None:
    """The number that somebody typed, also with the unit behind it, in full width, or with a comma for the point."""
    if not isinstance(typed, str) or len(typed) > LONGEST:
        return None
    text = unicodedata.normalize("NFKC", typed).replace(" ", "").replace("−", "-").casefold()
    if written := next((one for one in units(unit) if text.endswith(one)), None):
        text = text.removesuffix(written)
    if text.count(",") == 1 and not re.search(r",\d{3}\Z|[.]", text):
        text = text.replace(",", ".")
    found = _NUMBER.match(text)
    if not found:
        return None
    return Decimal(f"{found[1]}{found[2].replace(',', '')}.{found[3] or 0}")


def units(unit: Phrase) -> list[str]:
    """How a unit may stand behind a number, the longest first."""
    named = sorted({unit.zh, unit.en}, key=len, reverse=True)
    return [plain for name in named if (plain := unicodedata.normalize("NFKC", name).replace(" ", "").casefold())]


def _text(question: ShortText, answer: Any) -> _Result:
    if not isinstance(answer, str) or len(answer) > LONGEST:
        return _NONE, []
    typed = normal(answer)
    right = bool(typed) and any(normal(word) == typed for word in (*question.accept.zh, *question.accept.en))
    return (_ALL if right else _NONE), []


def _hotspot(question: Hotspot, answer: Any) -> _Result:
    if not isinstance(answer, (list, tuple)) or len(answer) > len(question.areas):
        return _NONE, []
    picked = [area for area in question.areas if area.id in answer]
    if len(picked) != len(answer):
        return _NONE, []
    feedback = [Feedback(area.label, area.feedback, area.right) for area in picked]
    return _share([f.right for f in feedback], sum(area.right for area in question.areas)), feedback


def _scenario(question: Scenario, answer: Any) -> _Result:
    steps, node = walk(question, answer)
    best = _ways_that_can_end_well(question)
    feedback = [Feedback(way.words, way.feedback, way.goto in best) for _node, way in steps]
    return Fraction(OUTCOMES[node.outcome]) if not node.ways and node.outcome in OUTCOMES else _NONE, feedback


def walk(question: Scenario, answer: Any) -> tuple[list[tuple[Node, Way]], Node]:
    """The way through a scenario: each node that was left and how, and the node where one stands. It stops at the first
    step that cannot be gone."""
    nodes = {node.id: node for node in question.nodes}
    here, steps = question.nodes[0], list[tuple[Node, Way]]()
    for taken in answer[:MOST_STEPS] if isinstance(answer, (list, tuple)) else ():
        if not _is_number(taken, len(here.ways)):
            break
        way = here.ways[taken]
        steps.append((here, way))
        here = nodes[way.goto]
    return steps, here


def _ways_that_can_end_well(question: Scenario) -> set[str]:
    """Ids of the nodes from which the best end can still be reached."""
    good = {node.id for node in question.nodes if node.outcome == "good"}
    for _round in question.nodes:
        good |= {node.id for node in question.nodes if any(way.goto in good for way in node.ways)}
    return good


_GRADERS: dict[type[Question], Callable[[Any, Any], _Result]] = {
    Choice: _choice, Ordering: _ordering, Matching: _matching, Numeric: _numeric, ShortText: _text, Hotspot: _hotspot,
    Scenario: _scenario,
}
