"""Fills the public files with guides, their list, the page of the search and the files that it searches.

Guides change when their files change, warnings at any moment. So a publishing of warnings takes the guides over as they are, and
renders anew only what changed of those that are there already: the line that says which warnings are in force.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.guides import shelf as shelves
from portal.guides import view
from portal.guides.search import documents
from portal.guides.shelf import Shelf
from portal.guides.values import Guide
from portal.shelters.public.press import HTML, JSON, Press, Publishing
from portal.shelters.registry import store
from portal.training.content.markdown import inline
from portal.training.reading import shelf as courses
from portal.warnings import archive

logger = logging.getLogger(__name__)

#: Seconds that the guides may take in one generation; what is left comes in the next.
SECONDS = 1.0
TYPES = {"svg": "image/svg+xml", "png": "image/png", "webp": "image/webp"}
_OWN = re.compile(rf"/(?:{'|'.join(LANGUAGES)})/(?:guides|search)/|/search/|/assets/guides/")


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return _OWN.match(path) is not None


def fill(publishing: Publishing, *, whole: bool) -> int:
    """Put what is known now. With `whole`, everything; without, only what was published before. Whatever goes wrong, the files of
    the generation before stay and warnings go on. How many files were left as they were because time was over."""
    try:
        filling = _Filling(publishing, shelves.read(publishing.settings.content), whole)
        filling.fill()
        return filling.press.behind
    except Exception:
        logger.exception("the guides could not be published; the last ones stay")
        db.session.rollback()
        publishing.building.keep(is_own)
        return 0


class _Filling:
    def __init__(self, publishing: Publishing, shelf: Shelf, whole: bool) -> None:
        self._publishing, self._shelf, self._whole = publishing, shelf, whole
        self._warnings = [w for w in archive.in_force(publishing.now) if publishing.heads.get(w.id)]
        self._shelters = store.listing()
        self.press = Press(publishing, time.monotonic() + SECONDS)  # once all is read, so that each generation gets on

    def fill(self) -> None:
        for guide in self._shelf.guides:
            if guide.figure:
                path = shelves.figure_path(guide)
                self._put(path, TYPES[path.rpartition(".")[2]], [path], partial(bytes, guide.figure.body))
        for language in LANGUAGES:
            for guide in self._shelf.guides:
                facts, context = view.of(guide, self._shelf, self._warnings)
                self._page("guides/guide.html", language, f"guides/{guide.id}/", facts, context)
            there = [g for g in self._shelf.guides if f"/{language}/guides/{g.id}/" in self._publishing.building.entries]
            facts, context = view.of_list(there, self._warnings)
            self._page("guides/list.html", language, "guides/", facts, context, needed=True)
            self._page("guides/search.html", language, "search/", [], {"query": "", "groups": None}, needed=True)
            self._files(there, language)

    def _files(self, there: Sequence[Guide], language: str) -> None:
        """What phones search, of the guides that are `there`. Lessons are read only when there is time."""
        publishing = self._publishing
        content, district = publishing.settings.content, publishing.settings.district
        path, lessons = f"/search/{language}.json", f"/search/lessons-{language}.json"
        body = documents.dump([*documents.of_guides(there, language), *documents.of_places(self._shelters, district, language)])
        self._put(path, JSON, [body.decode()], lambda: body, needed=True)
        if self._whole:
            self._put(lessons, JSON, [courses.token(content)],
                      lambda: documents.dump(documents.of_lessons(content, language)))
        else:
            publishing.building.keep_one(lessons)

    def _page(self, template: str, language: str, rest: str, facts: list[Any], context: dict[str, Any], *,
              needed: bool = False) -> None:
        path = f"/{language}/{rest}"
        self._put(path, HTML, facts, partial(self._publishing.page, template, language, path, sentence=inline, **context),
                  needed=needed)

    def _put(self, path: str, content_type: str, facts: list[Any], make: Callable[[], bytes], *, needed: bool = False) -> None:
        """`needed`: other pages lead to it, so that it is put whatever was there before."""
        if self._whole or needed or self._publishing.building.had(path):
            self.press.put(path, content_type, self._publishing.key(path, facts), make, needed=needed)
