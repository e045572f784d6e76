"""The index of the server: read from the published files, as phones do, so that a search asks no database."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from portal.guides.search import documents
from portal.guides.search.index import Document, Index

logger = logging.getLogger(__name__)

#: The published files of one language.
NAMES = ("search/{language}.json", "search/lessons-{language}.json")


class Indexes:
    """Keeps the index of each language until its files change. `root`: the generation in force."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._guard = threading.Lock()
        self._made: dict[str, tuple[object, Index]] = {}

    def get(self, language: str) -> Index | None:
        """None where nothing has been published yet."""
        mark = [self._stat(name.format(language=language)) for name in NAMES]
        if mark[0] is None:
            return None
        with self._guard:
            known, index = self._made.get(language, (None, None))
            if index is None or known != mark:
                found: list[Document] = []
                for name in NAMES:
                    found += self._read(name.format(language=language))
                index = Index(found)
                self._made[language] = (mark, index)
            return index

    def _stat(self, name: str) -> tuple[int, int, int] | None:
        try:
            about = (self._root / name).stat()
        except OSError:
            return None
        return about.st_ino, about.st_size, about.st_mtime_ns

    def _read(self, name: str) -> list[Document]:
        try:
            return documents.load((self._root / name).read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            logger.exception("%s cannot be used for the search", name)
            return []
