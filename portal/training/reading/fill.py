"""Fills the public files with courses and lessons, a few at a time.

Lessons come first and the list last, so that nothing leads to a page that is not there yet. What the time does not allow stays
as it is and is put in the next generation: a warning that waits for this one waits a second at most.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from portal.config import Settings
from portal.core.i18n import LANGUAGES
from portal.training.content.values import Course
from portal.training.reading import view
from portal.training.reading.shelf import Shelf, picture_path, pictures

logger = logging.getLogger(__name__)

HTML = "text/html; charset=utf-8"
TYPES = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}
#: The lists of all courses, which every page of the site leads to.
LISTS = {f"/{language}/courses/" for language in LANGUAGES}
_OWN = re.compile(rf"/(?:{'|'.join(LANGUAGES)})/courses/|/assets/courses/")


class Publishing(Protocol):
    """One run of the publisher of the site, which stands above this room."""

    settings: Settings
    now: datetime
    building: Any
    wanted: Callable[[], bool]

    def key(self, *parts: Any) -> str: ...

    def put(self, path: str, content_type: str, key: str, make: Callable[[], bytes]) -> None: ...

    def page(self, template: str, language: str, path: str, **context: Any) -> bytes: ...


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return _OWN.match(path) is not None


class Filling:
    """Puts the pages of a shelf until its time is over. `behind`: how many are left; `trouble`: the first error of a page, whose
    last form then stays while the others go on. `games`: id of each course that has games; its pages lead to them."""

    def __init__(self, publishing: Publishing, shelf: Shelf, until: float, games: Collection[str] = ()) -> None:
        self._publishing, self._shelf, self._until, self._games = publishing, shelf, until, games
        self.behind = self._made = 0
        self.trouble: Exception | None = None

    def fill(self) -> None:
        for course in self._shelf.courses:
            self._pictures(course)
            self._lessons(course)
        if not self.behind:
            for course in self._shelf.courses:
                self.page("training/course.html", f"/courses/{course.id}/", [repr(course), course.id in self._games],
                          {"course": course, "games": course.id in self._games})
            shown = [(c.id, c.version, repr((c.title, c.summary, c.hours)), c.minutes) for c in self._shelf.courses]
            self.page("training/courses.html", "/courses/", [shown, bool(self._games)],
                      {"courses": self._shelf.courses, "games": bool(self._games)})

    def _pictures(self, course: Course) -> None:
        for medium in course.media.values():
            path = picture_path(course, medium)
            self._put(path, TYPES[medium.name.rpartition(".")[2]], self._publishing.key(path), partial(bytes, medium.body))

    def _lessons(self, course: Course) -> None:
        shown = pictures(course)
        places = view.places(course)
        for place in places:
            words = place.lesson.text.zh + place.lesson.text.en
            facts = [repr(place), [repr(item) for item in shown.items() if f"/media/{item[0]}" in words]]
            self.page("training/lesson.html", f"/courses/{course.id}/{place.lesson.id}/", facts,
                       {"course": course, "place": place, "pictures": shown})

    def page(self, template: str, path: str, facts: Any, context: dict[str, Any]) -> None:
        """Put a page in every language. `facts`: all that it is made of; `path` stands below the language."""
        for language in LANGUAGES:
            own = f"/{language}{path}"
            self._put(own, HTML, self._publishing.key(own, facts),
                      partial(self._publishing.page, template, language, own, **view.tools(language), **context))

    def _put(self, path: str, content_type: str, key: str, make: Callable[[], bytes]) -> None:
        building = self._publishing.building
        if not building.is_same(path, key):
            if self._made and time.monotonic() > self._until:
                self.behind += 1
                return
            self._made += 1  # one at least in each slice, so that it comes to an end on whatever machine
        try:
            self._publishing.put(path, content_type, key, make)
        except OSError:
            raise  # the disk, not the page
        except Exception as error:
            logger.exception("%s could not be rendered; its last form stays", path)
            self.trouble = self.trouble or error
