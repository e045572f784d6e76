"""The games of the courses: read once per process and again when a file changed. Of a bank nothing but its games is kept."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.training.content import reader
from portal.training.content.checks import PICTURE
from portal.training.content.values import Course, Node, Scenario
from portal.training.reading import shelf as reading
from portal.warnings.hazards import Phrase

logger = logging.getLogger(__name__)

#: Bank files of one course that are looked at.
MOST_FILES = 200


@dataclass(frozen=True, slots=True)
class Game:
    """A scenario of a course. `id` is its module's, and its address; `title` its module's."""

    id: str
    title: Phrase
    course: Course = field(repr=False)
    scenario: Scenario = field(repr=False)

    @property
    def begin(self) -> Node:
        return self.scenario.nodes[0]

    def picture(self, language: str) -> tuple[str, str]:
        """(name of the medium, its words) of the first picture."""
        found = PICTURE.search(self.begin.words[language])
        return (found["name"], found["alt"]) if found else ("", "")


def token(content: Path) -> str:
    """Changes with all files that games are made of."""
    seen: list[tuple[str, int, int]] = []
    for course in reading.read(content).courses:
        if course.games:
            banks = sorted((content / reader.FOLDER / course.id / "banks").glob("*.md"))[:MOST_FILES]
            seen += [(str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in banks]
    return hashlib.sha256(f"{reading.token(content)} {seen!r}".encode()).hexdigest()[:32]


def read(content: Path) -> tuple[Game, ...]:
    """The games of a content directory, in the order of its courses and their outlines."""
    return _read(content, token(content))


@lru_cache(maxsize=2)
def _read(content: Path, _mark: str) -> tuple[Game, ...]:
    return tuple(game for course in reading.read(content).courses if course.games for game in _of(content, course))


def _of(content: Path, course: Course) -> list[Game]:
    whole = reader.read(content / reader.FOLDER / course.id).course
    if whole is None:
        return []
    found = {question.id: (module, question) for module in whole.modules for question in module.questions
             if isinstance(question, Scenario) and question.nodes}
    for name in course.games:
        if name not in found:
            logger.warning("the game %s of the course %s is no scenario of it; run: anlan content lint", name, course.id)
    return [Game(module.id, module.title, course, question) for module, question in
            (found[name] for name in dict.fromkeys(course.games) if name in found)]
