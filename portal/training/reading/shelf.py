"""The courses as they are shown: read once per process and again when a file changed. No bank is opened for it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from portal.training.content import reader
from portal.training.content.markdown import Picture
from portal.training.content.values import Course, Medium

logger = logging.getLogger(__name__)

#: Files below the folder of courses that are looked at; more are no courses.
MOST_FILES = 10_000
#: Folders of a course that hold nothing for readers.
_CLOSED = ("banks",)


@dataclass(frozen=True, slots=True)
class Shelf:
    """`token` changes with every file that is shown. `faults`: how many things `anlan content lint` says of these files."""

    token: str
    courses: tuple[Course, ...] = field(repr=False)
    faults: int


def token(content: Path) -> str:
    """Changes with names, sizes and times of the files that are shown; cheap enough to be asked every minute."""
    root = content / reader.FOLDER
    seen: list[tuple[str, int, int]] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _CLOSED)
        for name in sorted(files):
            path = Path(folder) / name
            try:
                stat = path.lstat()
            except FileNotFoundError:
                continue
            seen.append((str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns))
        if len(seen) > MOST_FILES:
            break
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def read(content: Path) -> Shelf:
    """The courses of a content directory that have a lesson to show, the longest first."""
    return _read(content, token(content))


@lru_cache(maxsize=2)
def _read(content: Path, mark: str) -> Shelf:
    readings = [reader.read(directory, banks=False) for directory in reader.folders(content)]
    faults = 0
    for reading in readings:
        if reading.faults:
            faults += len(reading.faults)
            logger.warning("the course %s has %d faults (the first: %s); run: anlan content lint", reading.name,
                           len(reading.faults), reading.faults[0])
    shown = [reading.course for reading in readings if reading.course is not None and any(reading.course.lessons)]
    courses = tuple(sorted(shown, key=lambda course: -course.hours.theory))
    return Shelf(mark, courses, faults)


def picture_path(course: Course, medium: Medium) -> str:
    """Where a picture is published: its name changes with its content, so that it may be kept for a year."""
    stem, _dot, ending = medium.name.rpartition(".")
    return f"/assets/courses/{course.id}/{stem}-{hashlib.sha256(medium.body).hexdigest()[:10]}.{ending}"


def pictures(course: Course) -> Mapping[str, Picture]:
    """Name of a medium → where it is published."""
    return {name: Picture(picture_path(course, medium), medium.width, medium.height) for name, medium in course.media.items()}
