"""Questions as forms: what a page may show of one, and the answer that a form brings back.

Nothing here shows an answer key. Options stand in an order of their own for each time that a question is shown, by its `ref`;
the fields of a form hold places in that order, never numbers of the bank.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _
from markupsafe import Markup

from portal.core.errors import Problem
from portal.training.content.markdown import Picture
from portal.training.content.values import (
    MULTIPLE,
    TRUEFALSE,
    Choice,
    Hotspot,
    Matching,
    Node,
    Numeric,
    Ordering,
    Question,
    Scenario,
    ShortText,
)
from portal.training.grading import LONGEST, MOST_STEPS, walk
from portal.training.reading.view import plain, sentence, text
from portal.training.touch.pages import rectangles

#: The name of the field that the answer is in; lists have ``answer-0`` and so on.
FIELD = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question as a page shows it, in one language. `form`: radio, boxes, order, match, number, text or story. `choices` by
    their place; `lefts` and `heads` of a matching; `spots`: where each choice lies in the picture, of a hot-spot;
    `told`: what was done and what came of it so far, of a story with `path`."""

    form: str
    words: Markup
    choices: tuple[Markup, ...] = ()
    plain: tuple[str, ...] = ()
    lefts: tuple[str, ...] = ()
    heads: tuple[str, str] = ("", "")
    unit: str = ""
    picture: Picture | None = None
    alt: str = ""
    spots: tuple[tuple[float, float, float, float], ...] = ()
    situation: Markup = field(default_factory=Markup)
    told: tuple[tuple[Markup, Markup, Markup], ...] = ()
    path: str = ""


def order(question: Question, ref: str) -> list[int]:
    """Place → number in the bank, the same for the same `ref`."""
    many = {Choice: "options", Ordering: "items", Matching: "pairs", Hotspot: "areas"}.get(type(question))
    numbers = list(range(len(getattr(question, many)))) if many else []
    if question.type != TRUEFALSE:
        _shuffle(numbers, f"{ref}|{question.id}")
        if isinstance(question, Ordering) and numbers == sorted(numbers):
            numbers.reverse()
    return numbers


def _shuffle(numbers: list[int], seed: str) -> None:
    random.Random(hashlib.sha256(seed.encode()).digest()).shuffle(numbers)  # noqa: S311  (an order to look at, no secret)


def ways(question: Scenario, node: Node, ref: str) -> list[int]:
    """Place → number of a way of `node`, the same for the same `ref`: who writes a story begins with the good one."""
    numbers = list(range(len(node.ways)))
    _shuffle(numbers, f"{ref}|{question.id}|{node.id}")
    return numbers


def ask(question: Question, ref: str, language: str, pictures: Mapping[str, Picture], path: str = "") -> Asked:
    """What a page shows. `path`: the ways of a scenario that were taken so far, as a form brings them."""
    shown: dict[str, Any] = {"words": text(question.words[language], pictures)}
    places = order(question, ref)
    match question:
        case Choice():
            shown |= {"form": "boxes" if question.type == MULTIPLE else "radio",
                      "choices": tuple(sentence(question.options[n].words[language]) for n in places)}
        case Ordering():
            shown |= {"form": "order", "plain": tuple(plain(question.items[n][language]) for n in places)}
        case Matching():
            shown |= {"form": "match", "plain": tuple(plain(question.pairs[n][1][language]) for n in places),
                      "lefts": tuple(plain(left[language]) for left, _right in question.pairs),
                      "heads": tuple(plain(head[language]) for head in question.heads)}
        case Numeric():
            shown |= {"form": "number", "unit": question.unit[language]}
        case ShortText():
            shown |= {"form": "text"}
        case Hotspot():
            shown |= {"form": "boxes" if sum(area.right for area in question.areas) > 1 else "radio",
                      "choices": tuple(sentence(question.areas[n].label[language]) for n in places),
                      "alt": question.alt[language], "picture": pictures.get(question.image[language]),
                      "spots": rectangles(question.areas, places)}
        case Scenario():
            shown |= _story(question, ref, path, language, pictures)
    return Asked(**shown)


def story(question: Scenario, answer: Any, language: str, pictures: Mapping[str, Picture]) -> tuple[tuple[Markup, ...], ...]:
    """Of each step: the situation, what was done, what came of it."""
    steps, _here = walk(question, answer)
    return tuple((text(node.words[language], pictures), sentence(way.words[language]), sentence(way.feedback[language]))
                 for node, way in steps)


def _story(question: Scenario, ref: str, path: str, language: str, pictures: Mapping[str, Picture]) -> dict[str, Any]:
    taken = steps(path)
    _gone, here = walk(question, taken)
    return {"form": "story", "path": path, "told": story(question, taken, language, pictures),
            "situation": text(here.words[language], pictures),
            "choices": tuple(sentence(here.ways[n].words[language]) for n in ways(question, here, ref))}


def steps(path: str) -> list[int]:
    """The numbers of a path such as ``0.2.1``; what cannot be one is an empty path."""
    parts = path.split(".") if path else []
    return [int(part) for part in parts] if len(parts) <= MOST_STEPS and all(_is_place(part, 100) for part in parts) else []


def is_over(question: Scenario, path: list[int]) -> bool:
    """Whether the way leads to an end, or is longer than any may be."""
    gone, here = walk(question, path)
    return len(gone) == len(path) and (not here.ways or len(path) >= MOST_STEPS)


def read(question: Question, ref: str, form: Any) -> tuple[Any, list[Problem]]:
    """(the answer as :mod:`portal.training.grading` takes it, what is missing in it) of a form's fields."""
    if isinstance(question, Scenario):
        return _way(question, ref, form)
    return _READERS[type(question)](question, order(question, ref), form)


def _choice(question: Choice, places: list[int], form: Any) -> tuple[Any, list[Problem]]:
    chosen = [places[int(value)] for value in form.getlist(FIELD) if _is_place(value, len(places))]
    if not chosen:
        return None, [_missing()]
    return (sorted(set(chosen)) if question.type == MULTIPLE else chosen[0]), []


def _hotspot(question: Hotspot, places: list[int], form: Any) -> tuple[Any, list[Problem]]:
    chosen = [question.areas[places[int(value)]].id for value in form.getlist(FIELD) if _is_place(value, len(places))]
    return (list(dict.fromkeys(chosen)), []) if chosen else (None, [_missing()])


def _ordering(_question: Ordering, places: list[int], form: Any) -> tuple[Any, list[Problem]]:
    given = [form.get(f"{FIELD}-{n}", "") for n in range(len(places))]
    if not all(_is_place(value, len(places)) for value in given):
        return None, [Problem(f"{FIELD}-0", _("Choose something for every place."))]
    numbers = [places[int(value)] for value in given]
    if len(set(numbers)) < len(numbers):
        return None, [Problem(f"{FIELD}-0", _("Each item stands in one place only: choose each of them once."))]
    return numbers, []


def _matching(_question: Matching, places: list[int], form: Any) -> tuple[Any, list[Problem]]:
    given = [form.get(f"{FIELD}-{n}", "") for n in range(len(places))]
    if not all(_is_place(value, len(places)) for value in given):
        return None, [Problem(f"{FIELD}-0", _("Choose something for every line."))]
    return [places[int(value)] for value in given], []


def _typed(_question: Question, _places: list[int], form: Any) -> tuple[Any, list[Problem]]:
    typed = form.get(FIELD, "").strip()[:LONGEST]
    return (typed, []) if typed else (None, [Problem(FIELD, _("Type an answer."))])


def _way(question: Scenario, ref: str, form: Any) -> tuple[Any, list[Problem]]:
    path = steps(form.get("path", ""))
    gone, here = walk(question, path)
    path = path[:len(gone)]
    value = form.get(FIELD, "")
    places = ways(question, here, ref)
    return ([*path, places[int(value)]], []) if _is_place(value, len(places)) else (path, [_missing()])


def _missing() -> Problem:
    return Problem(FIELD, _("Choose an answer."))


def _is_place(value: str, below: int) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 3 and int(value) < below


_READERS: dict[type[Question], Callable[[Any, list[int], Any], tuple[Any, list[Problem]]]] = {
    Choice: _choice, Ordering: _ordering, Matching: _matching, Numeric: _typed, ShortText: _typed, Hotspot: _hotspot,
}
