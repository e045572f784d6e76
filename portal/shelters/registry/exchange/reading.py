"""A file that somebody hands in: kept on disk, its encoding and format found, read row by row in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from flask_babel import lazy_gettext as _l

from portal.core.errors import Problem
from portal.regions import sources

MAX_BYTES = 200 * 1024 * 1024
_BLOCK = 256 * 1024


class Unreadable(Exception):
    """The file cannot be read on from `row` (0: at all); `message` is lazy."""

    def __init__(self, message: Any, row: int = 0) -> None:
        self.message, self.row = message, row
        super().__init__(str(message))


@dataclass
class Row:
    """One row as it was found. `given`: field → what stands there, for fields that the file speaks of; `problems` are
    those of its form; their fields are named as in `given`."""

    number: int
    given: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Handed:
    """A file on our own disk, with its SHA-256."""

    path: Path
    sha256: str


@contextmanager
def kept(stream: BinaryIO) -> Iterator[Handed]:
    """The stream's bytes in a temporary file. Raises Unreadable when there are too many, or none."""
    digest, size = hashlib.sha256(), 0
    with tempfile.TemporaryDirectory(prefix="anlan-shelters-") as directory:
        path = Path(directory) / "handed"
        with path.open("wb") as file:
            while block := stream.read(_BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise Unreadable(_l("The file is larger than %(most)s MB.", most=MAX_BYTES // 1024 // 1024))
                digest.update(block)
                file.write(block)
        if not size:
            raise Unreadable(_l("The file is empty."))
        yield Handed(path, digest.hexdigest())


def encoding_of(path: Path, possible: tuple[str, ...]) -> str:
    """The first of the encodings in which the whole file is text. Raises Unreadable."""
    decoders = {name: codecs.getincrementaldecoder(name)() for name in possible}
    with path.open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise Unreadable(_l("The file is UTF-16 (“Unicode text” of a spreadsheet): save it as CSV UTF-8."))
        file.seek(0)
        while True:
            block = file.read(_BLOCK)
            for name in list(decoders):
                try:
                    decoders[name].decode(block, not block)
                except UnicodeDecodeError:
                    del decoders[name]
            if not block:
                break
    if not decoders:
        raise Unreadable(_l("The file is not text in %(encodings)s: save it as UTF-8.", encodings=", ".join(possible)))
    return next(iter(decoders))


def csv_rows(path: Path, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not empty. Raises Unreadable where it is no CSV."""
    try:
        yield from sources.csv_rows(path, encoding)
    except sources.Unreadable as error:
        raise _told(error) from error


def miscounted(found: int, needed: int) -> Problem:
    """What is wrong with a row that has other cells than its heading names."""
    return Problem("", _l("The row has %(found)s cells and the heading %(needed)s: look for a comma too many or too few.",
                          found=found, needed=needed))


def features(path: Path) -> Iterator[tuple[int, Any]]:
    """(number, object) of each feature of a GeoJSON FeatureCollection. Raises Unreadable where it is none."""
    try:
        yield from sources.features(path, "utf-8-sig")
    except sources.Unreadable as error:
        raise _told(error) from error


def _told(error: sources.Unreadable) -> Unreadable:
    number = "".join(c for c in error.place if c.isdigit())
    return Unreadable(_l("The file cannot be read on from here (%(why)s).", why=error.reason), int(number or 0))
