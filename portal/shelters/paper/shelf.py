"""Public PDFs: made when somebody asks, kept on disk under the key of their facts, made by one at a time.

What a shelf holds is bounded, and may be removed at any moment: it is made again from the same facts, with the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flask import current_app

from portal import current_settings
from portal.shelters.paper import documents
from portal.shelters.paper.source import Source
from portal.shelters.paper.wording import wording

#: Files on the shelf and bytes of them; the ones that were asked for longest ago go first.
MOST_FILES, MOST_BYTES = 400, 100 * 1024 * 1024
#: For so many seconds what was asked of the database is not asked again.
FRESH_SECONDS = 20.0
#: How many may wait while one sheet is being made, and how long each.
MOST_WAITING, WAIT_SECONDS = 8, 10.0
_HERE = Path(__file__).resolve().parent


class Busy(Exception):
    """Too many are waiting for sheets to be made; try again a little later."""


@dataclass(frozen=True)
class Sheet:
    """A finished PDF and the key by which a reader knows whether theirs is the same."""

    key: str
    pdf: bytes


@cache
def _code_version() -> str:
    """Changes with everything that sheets are drawn by, so that an upgrade draws them again."""
    digest = hashlib.sha256()
    for path in sorted([*_HERE.rglob("*.py"), *_HERE.rglob("*.po"), *(_HERE.parent / "communities").rglob("*.po"),
                        _HERE.parent / "communities" / "words.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Shelf:
    """The shelf of one application."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._making = threading.Lock()
        self._guard = threading.Lock()
        self._waiting = 0
        self._known: dict[tuple[str, ...], tuple[float, str]] = {}

    def take(self, code: str, kind: str, language: str, family: str) -> Sheet:
        """The sheet as the facts are now (at most FRESH_SECONDS ago). Raises Busy."""
        name = (code, kind, language, family)
        if (key := self._remembered(name)) and (pdf := self._read(key)):
            return Sheet(key, pdf)
        with self._turn():
            if (key := self._remembered(name)) and (pdf := self._read(key)):
                return Sheet(key, pdf)  # made while we waited
            return self._make(name)

    def _remembered(self, name: tuple[str, ...]) -> str:
        with self._guard:
            at, key = self._known.get(name, (0.0, ""))
        return key if key and time.monotonic() - at < FRESH_SECONDS else ""

    def _turn(self) -> Any:
        return _Turn(self)

    def _make(self, name: tuple[str, ...]) -> Sheet:
        code, kind, language, family = name
        facts = Source([code], family).facts(code)
        key = hashlib.sha256("\0".join([_code_version(), wording().stamp, facts.key, kind, language]).encode()).hexdigest()[:40]
        pdf = self._read(key)
        if pdf is None:
            pdf = documents.make(kind, facts, language).pdf
            self._write(key, pdf)
        with self._guard:
            if len(self._known) > 4 * MOST_FILES:
                self._known.clear()
            self._known[name] = (time.monotonic(), key)
        return Sheet(key, pdf)

    # -- on disk -------------------------------------------------------------------------------------------
    def _read(self, key: str) -> bytes | None:
        path = self._folder / f"{key}.pdf"
        try:
            pdf = path.read_bytes()
            os.utime(path)  # it was asked for: it goes last
        except OSError:
            return None
        return pdf

    def _write(self, key: str, pdf: bytes) -> None:
        """Keep a sheet. A shelf that cannot be written to only makes its readers wait longer."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            scratch = self._folder / f".{key}-{os.getpid()}-{threading.get_ident()}"
            scratch.write_bytes(pdf)
            scratch.replace(self._folder / f"{key}.pdf")
            self._tidy()
        except OSError:
            current_app.logger.warning("a sheet could not be kept in %s", self._folder, exc_info=True)

    def _tidy(self) -> None:
        found = []
        for path in self._folder.iterdir():
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((about.st_mtime, about.st_size, path))
        found.sort(reverse=True)
        room = MOST_BYTES
        for n, (_at, size, path) in enumerate(found):
            room -= size
            if n >= MOST_FILES or room < 0:
                path.unlink(missing_ok=True)


class _Turn:
    """Waiting for the turn to make a sheet; refused at once when too many wait already."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __enter__(self) -> None:
        shelf = self._shelf
        with shelf._guard:
            if shelf._waiting >= MOST_WAITING:
                raise Busy
            shelf._waiting += 1
        try:
            if not shelf._making.acquire(timeout=WAIT_SECONDS):
                raise Busy
        finally:
            with shelf._guard:
                shelf._waiting -= 1

    def __exit__(self, *_about: object) -> None:
        self._shelf._making.release()


def shelf() -> Shelf:
    """The shelf of the application at work."""
    found = current_app.extensions.get("paper_shelf")
    if found is None:
        found = current_app.extensions.setdefault("paper_shelf", Shelf(current_settings().instance / "paper"))
    return found
