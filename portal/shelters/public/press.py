"""What the publisher of the site gives to those who fill it, and how long they may take.

The publisher stands above this room; here is only what is used of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from portal.config import Settings

logger = logging.getLogger(__name__)

HTML = "text/html; charset=utf-8"
JSON, GEOJSON = "application/json", "application/geo+json"
SCRIPT, MANIFEST = "text/javascript; charset=utf-8", "application/manifest+json"


#: Seconds that a publishing may always take for these files; after them it ends when another publisher waits.
LEAST_SECONDS = 1.0


class Kept(Protocol):
    """The generation that is built."""

    entries: dict[str, Any]

    def is_same(self, path: str, key: str) -> bool: ...

    def keep_one(self, path: str) -> bool: ...


class Publishing(Protocol):
    """One run of the publisher: see portal/site/publish.py."""

    settings: Settings
    now: datetime
    building: Any
    assets: dict[str, tuple[str, bytes]]
    heads: dict[Any, list[Any]]
    wanted: Callable[[], bool]

    def key(self, *parts: Any) -> str: ...

    def put(self, path: str, content_type: str, key: str, make: Callable[[], bytes]) -> None: ...

    def page(self, template: str, language: str, path: str, **context: Any) -> bytes: ...


class Press:
    """Puts files into a publishing until its time is over; then what is in force stays, and is counted as `behind`.

    So a warning waits for the pages of shelters no longer than the publisher allows. A `needed` path, to which every page of
    the site leads, is rendered whatever the time where it was never published. A page that cannot be rendered keeps its last
    form, and the others go on: `trouble` is the first such error, `kept` how many there were.
    """

    def __init__(self, publishing: Publishing, until: float) -> None:
        self.publishing, self._until, self._polite = publishing, until, time.monotonic() + LEAST_SECONDS
        self.settings, self.now, self.key = publishing.settings, publishing.now, publishing.key
        self.assets = publishing.assets
        self.behind, self.kept = 0, 0
        self.trouble: Exception | None = None

    def put(self, path: str, content_type: str, key: str, make: Callable[[], bytes], *, needed: bool = False) -> None:
        building: Kept = self.publishing.building
        if self._over and not building.is_same(path, key) and self._leave(path, needed):
            return
        try:
            self.publishing.put(path, content_type, key, make)
        except (OSError, SQLAlchemyError):
            raise  # the disk or the database, not the page
        except Exception as error:
            logger.exception("%s could not be rendered; its last form stays", path)
            self.trouble = self.trouble or error
            self.kept += 1
            building.keep_one(path)

    @property
    def _over(self) -> bool:
        now = time.monotonic()
        return now > self._until or (now > self._polite and self.publishing.wanted())

    def _leave(self, path: str, needed: bool) -> bool:
        """Leave a path as it is in force; False where it must be made now."""
        left = bool(self.publishing.building.keep_one(path)) or not needed
        self.behind += left
        return left

    def heads(self, warning_id: Any) -> list[Any]:
        """The heads of a warning's bulletins, see portal.warnings.archive."""
        return self.publishing.heads.get(warning_id, [])

    def html(self, template: str, language: str, path: str, facts: list[Any] | Callable[[], list[Any]],
             context: Callable[[], dict[str, Any]], *, needed: bool = False) -> None:
        """A page in one language. `facts` are all that it shows, or give them where finding them takes time; `context` is
        asked only when they changed."""
        if callable(facts):
            if self._over and self._leave(path, needed):
                return
            facts = facts()
        self.put(path, HTML, self.key(path, facts),
                 lambda: self.publishing.page(template, language, path, **context()), needed=needed)
