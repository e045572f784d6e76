"""The guides as they are shown: read once per process and again when a file changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.guides import reader
from portal.guides.values import Guide

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shelf:
    """`token` changes with every file of the guides."""

    token: str
    guides: tuple[Guide, ...] = field(repr=False)

    def get(self, name: str) -> Guide | None:
        return next((guide for guide in self.guides if guide.id == name), None)

    def for_hazard(self, code: str) -> list[Guide]:
        """The guides for an event; those that name the fewest events first, because they are nearest to it."""
        return sorted((guide for guide in self.guides if code in guide.hazards), key=lambda guide: len(guide.hazards))


def read(content: Path) -> Shelf:
    """The guides of a content directory; empty where there are none. A guide with faults is left out, and logged once."""
    return _read(content, token(content))


def token(content: Path) -> str:
    """Changes with names, sizes and times of the files; cheap enough to be asked at every publishing."""
    folder = content / reader.FOLDER
    seen = []
    for path in sorted([*folder.glob("*.md"), *(folder / "media").glob("*")]):
        try:
            stat = path.lstat()
        except FileNotFoundError:
            continue
        seen.append((path.name, stat.st_size, stat.st_mtime_ns))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


@lru_cache(maxsize=4)
def _read(content: Path, mark: str) -> Shelf:
    reading = reader.read(content)
    if reading.faults:
        logger.warning("the guides have %d faults (the first: %s); run: anlan content lint", len(reading.faults),
                       reading.faults[0])
    return Shelf(mark, reading.guides)


def figure_path(guide: Guide) -> str:
    """Where a guide's picture is published: its name changes with its content, so that it may be kept for a year."""
    if guide.figure is None:
        return ""
    stem, _dot, ending = guide.figure.name.rpartition(".")
    return f"/assets/guides/{stem}-{hashlib.sha256(guide.figure.body).hexdigest()[:10]}.{ending}"


def grouped(guides: Sequence[Guide]) -> dict[str, list[Guide]]:
    """Group → its guides, in the order of the guides."""
    found: dict[str, list[Guide]] = {}
    for guide in guides:
        found.setdefault(guide.group, []).append(guide)
    return found
