"""What the pages of courses say of a course besides its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from portal.training.content import markdown
from portal.training.content.markdown import Picture
from portal.training.content.values import Course, Lesson
from portal.warnings.hazards import Phrase


@dataclass(frozen=True, slots=True)
class Step:
    """A neighbour of a lesson."""

    id: str
    title: Phrase


@dataclass(frozen=True, slots=True)
class Place:
    """A lesson where it stands: `at` counts from 1 through its course, which is called `course_title` and has `of` lessons."""

    lesson: Lesson
    module: Phrase
    course_title: Phrase
    at: int
    of: int
    before: Step | None
    after: Step | None


def places(course: Course) -> list[Place]:
    """Every lesson of a course with its neighbours, across modules."""
    found = [(module, lesson) for module in course.modules for lesson in module.lessons]
    steps = [Step(lesson.id, lesson.title) for _module, lesson in found]
    return [Place(lesson, module.title, course.title, at + 1, len(found), steps[at - 1] if at else None,
                  steps[at + 1] if at + 1 < len(found) else None) for at, (module, lesson) in enumerate(found)]


def tools(language: str) -> dict[str, Any]:
    """Functions that the templates call."""
    return {"text": lambda words, pictures: text(words[language], pictures), "sentence": sentence, "figure": figure}


def text(words: str, pictures: Mapping[str, Picture]) -> Markup:
    """HTML of a lesson's Markdown: see :mod:`portal.training.content.markdown` for why it is safe."""
    return Markup(markdown.html(words, pictures))  # noqa: S704  (made by our own renderer, which passes no HTML on)


def sentence(words: str) -> Markup:
    return Markup(markdown.inline(words))  # noqa: S704  (as above)


def plain(words: str) -> str:
    """The words of a choice in a list, which holds no emphasis."""
    return str(sentence(words).striptags())


def figure(number: Decimal) -> str:
    """A number without needless noughts."""
    return f"{number.normalize():f}"
