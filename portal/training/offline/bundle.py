"""A course as a phone takes it along: lessons as HTML in both languages, and the questions of practice with their answers.

Everything in it is for practice, where the answer is told at once anyway; nothing of an attempt at an exam is in it. It holds
nobody's data: how far somebody is comes apart from it (:mod:`portal.training.offline.state`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import func, select

from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.training import courses_store
from portal.training.content.markdown import Picture
from portal.training.content.normal import normal
from portal.training.content.values import (
    Choice,
    Course,
    Hotspot,
    Lesson,
    Matching,
    Numeric,
    Ordering,
    Question,
    Scenario,
    ShortText,
)
from portal.training.grading import units
from portal.training.learners.media import pictures
from portal.training.models import CourseMedium
from portal.training.offline.tables import tables
from portal.training.reading import view

#: Raised when the form changes, so that phones do not read an old one with new scripts.
FORM = 1
#: Bundles that a process keeps; each is about a megabyte.
_KEPT = 6

Words = dict[str, str]


@dataclass(frozen=True, slots=True)
class Bundle:
    """`body` is JSON, `packed` the same by gzip; `size` in bytes with all pictures, as a phone keeps them."""

    body: bytes
    packed: bytes
    size: int


def of(version_id: int) -> Bundle:
    """The bundle of a version. Raises LookupError where there is no such version. Needs a request, for addresses."""
    return _made(str(db.engine.url), version_id)


@lru_cache(maxsize=_KEPT)
def _made(_database: str, version_id: int) -> Bundle:
    course, shown = courses_store.of(version_id), pictures(version_id)
    sizes = _sizes(version_id)
    told = {shown[name].url: sizes[sha256] for name, sha256 in courses_store.media(version_id).items() if sha256 in sizes}
    body = json.dumps({
        "form": FORM, "slug": course.id, "version_id": version_id, "version": course.version, "title": _words(course.title),
        "summary": _words(course.summary), "exam": course.exam is not None, "pictures": sorted(told.items()),
        "modules": _modules(course, shown), **tables(),
    }, ensure_ascii=False, separators=(",", ":")).encode()
    return Bundle(body, gzip.compress(body, 6, mtime=0), len(body) + sum(told.values()))


def _sizes(version_id: int) -> dict[str, int]:
    named = set(courses_store.media(version_id).values())
    rows = db.session.execute(select(CourseMedium.sha256, func.length(CourseMedium.body)).where(CourseMedium.sha256.in_(named)))
    return {row[0]: row[1] for row in rows}


def _modules(course: Course, shown: Mapping[str, Picture]) -> list[dict[str, Any]]:
    return [{"id": module.id, "title": _words(module.title), "lessons": [_lesson(lesson, shown) for lesson in module.lessons],
             "questions": [question(one, shown) for one in module.questions]} for module in course.modules]


def _lesson(lesson: Lesson, shown: Mapping[str, Picture]) -> dict[str, Any]:
    return {"id": lesson.id, "title": _words(lesson.title), "minutes": lesson.minutes,
            "objectives": [_line(aim) for aim in lesson.objectives], "points": [_line(point) for point in lesson.key_points],
            "text": _text(lesson.text, shown), "sources": {language: [str(view.sentence(source)) for source in
                                                                      lesson.sources[language]] for language in LANGUAGES}}


def question(one: Question, shown: Mapping[str, Picture]) -> dict[str, Any]:
    """A question with all that is needed to ask it, to grade it and to tell what was right. Words are HTML by language."""
    return {"id": one.id, "type": one.type, "rev": one.rev, "words": _text(one.words, shown),
            "explanation": _text(one.explanation, shown), "source": _line(one.source), **_OF[type(one)](one, shown)}


def _choice(one: Choice, _shown: Mapping[str, Picture]) -> dict[str, Any]:
    return {"options": [{"words": _line(o.words), "said": _line(o.feedback), "right": o.right} for o in one.options]}


def _ordering(one: Ordering, _shown: Mapping[str, Picture]) -> dict[str, Any]:
    return {"items": [_plain(item) for item in one.items]}


def _matching(one: Matching, _shown: Mapping[str, Picture]) -> dict[str, Any]:
    return {"heads": [_plain(head) for head in one.heads], "pairs": [[_plain(left), _plain(right)] for left, right in one.pairs]}


def _numeric(one: Numeric, _shown: Mapping[str, Picture]) -> dict[str, Any]:
    low, high = one.value - one.tolerance, one.value + one.tolerance
    words = view.figure(low) if low == high else f"{view.figure(low)}–{view.figure(high)}"
    return {"low": f"{low:f}", "high": f"{high:f}", "units": units(one.unit), "unit": _words(one.unit), "solution": words}


def _short(one: ShortText, _shown: Mapping[str, Picture]) -> dict[str, Any]:
    accept = {normal(word) for word in (*one.accept.zh, *one.accept.en)} - {""}
    return {"accept": sorted(accept), "solution": {language: next(iter(one.accept[language]), "") for language in LANGUAGES}}


def _hotspot(one: Hotspot, shown: Mapping[str, Picture]) -> dict[str, Any]:
    found = {language: shown.get(one.image[language]) for language in LANGUAGES}
    return {"picture": {language: [p.url, p.width, p.height] if p else None for language, p in found.items()},
            "alt": _words(one.alt),
            "areas": [{"id": area.id, "words": _line(area.label), "said": _line(area.feedback), "right": area.right,
                       "at": [float(area.x), float(area.y), float(area.w), float(area.h)]} for area in one.areas]}


def _scenario(one: Scenario, shown: Mapping[str, Picture]) -> dict[str, Any]:
    return {"nodes": [{"id": node.id, "words": _text(node.words, shown), "outcome": node.outcome,
                       "ways": [{"words": _line(way.words), "said": _line(way.feedback), "goto": way.goto} for way in node.ways]}
                      for node in one.nodes]}


_OF: dict[type[Question], Callable[[Any, Mapping[str, Picture]], dict[str, Any]]] = {
    Choice: _choice, Ordering: _ordering, Matching: _matching, Numeric: _numeric, ShortText: _short, Hotspot: _hotspot,
    Scenario: _scenario,
}


def _words(phrase: Any) -> Words:
    return {language: phrase[language] for language in LANGUAGES}


def _line(phrase: Any) -> Words:
    return {language: str(view.sentence(phrase[language])) for language in LANGUAGES}


def _plain(phrase: Any) -> Words:
    return {language: view.plain(phrase[language]) for language in LANGUAGES}


def _text(phrase: Any, shown: Mapping[str, Picture]) -> Words:
    return {language: str(view.text(phrase[language], shown)) for language in LANGUAGES}
