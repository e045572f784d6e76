"""What a learner is told after an answer: whether it was right, why, and what would have been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from portal.training.content.markdown import Picture
from portal.training.content.values import Choice, Hotspot, Matching, Numeric, Ordering, Question, Scenario, ShortText
from portal.training.grading import grade, walk
from portal.training.learners import asking
from portal.training.reading.view import sentence, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`verdict`: right, partly or wrong. `given`: each thing that was chosen, what is said of it, and whether it was right (None
    where that is not said one by one). `solution`: what is right, `listed` where its order counts; `outcome` of a scenario."""

    verdict: str
    words: Markup
    given: tuple[tuple[Markup, Markup, bool | None], ...]
    solution: tuple[Markup, ...]
    listed: bool
    told: tuple[tuple[Markup, ...], ...]
    ending: Markup
    outcome: str
    explanation: Markup
    source: Markup


def tell(question: Question, answer: Any, language: str, pictures: Mapping[str, Picture]) -> Told:
    graded = grade(question, answer)
    verdict = "right" if graded.right else "partly" if graded.points else "wrong"
    given: list[tuple[Markup, Markup, bool | None]] = []
    story: tuple[tuple[Markup, ...], ...] = ()
    ending, outcome = Markup(""), ""
    if isinstance(question, Scenario):
        story = asking.story(question, answer, language, pictures)
        _steps, here = walk(question, answer)
        ending, outcome = text(here.words[language], pictures), here.outcome
    elif graded.feedback:
        given = [(sentence(one.chosen[language]), sentence(one.said[language]), one.right) for one in graded.feedback]
    else:
        given = [(words, Markup(""), right) for words, right in _given(question, answer, language)]
    solution = _solution(question, language) if not graded.right else ()
    return Told(verdict=verdict, words=text(question.words[language], pictures), given=tuple(given), solution=tuple(solution),
                listed=isinstance(question, Ordering), told=story, ending=ending, outcome=outcome,
                explanation=text(question.explanation[language], pictures), source=sentence(question.source[language]))


def _given(question: Question, answer: Any, language: str) -> list[tuple[Markup, bool | None]]:
    """What was answered, of types that have no feedback of their own for each choice."""
    match question:
        case Ordering() if isinstance(answer, list):
            return [(sentence(question.items[n][language]), None) for n in answer]
        case Matching() if isinstance(answer, list):
            return [(_pair(question.pairs[left][0][language], question.pairs[right][1][language]), left == right)
                    for left, right in enumerate(answer)]
        case Numeric():
            return [(Markup("{} {}").format(str(answer), question.unit[language]), None)]
        case ShortText():
            return [(Markup("{}").format(str(answer)), None)]
    return []


def _solution(question: Question, language: str) -> list[Markup]:
    match question:
        case Choice():
            return [sentence(option.words[language]) for option in question.options if option.right]
        case Ordering():
            return [sentence(item[language]) for item in question.items]
        case Matching():
            return [_pair(left[language], right[language]) for left, right in question.pairs]
        case Numeric():
            low, high = question.value - question.tolerance, question.value + question.tolerance
            words = _number(low) if low == high else f"{_number(low)}–{_number(high)}"
            return [Markup("{} {}").format(words, question.unit[language])]
        case ShortText():
            return [Markup("{}").format(word) for word in question.accept[language][:1]]
        case Hotspot():
            return [sentence(area.label[language]) for area in question.areas if area.right]
    return []


def _pair(left: str, right: str) -> Markup:
    return Markup("{} → {}").format(sentence(left), sentence(right))


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
