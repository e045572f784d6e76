"""A list as a file: CSV as spreadsheets write it (UTF-8 or GBK), its rows with their lines, in bounded memory."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from portal.subscribers.roster import columns

MAX_LINE, LONGEST_CELL = 16 * 1024, 500
_BLOCK = 256 * 1024


class Unreadable(Exception):
    """The list cannot be read on; `reason` is a key of reasons.FILES with its values, and the line."""

    def __init__(self, key: str, line: int = 0, **values: Any) -> None:
        self.reason: dict[str, Any] = {"key": key, "line": line, **values}
        super().__init__(f"{key} in line {line}")


@dataclass(frozen=True, slots=True)
class Looked:
    """What the file is: `encoding` to read it by, its bytes, and their SHA-256."""

    encoding: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Table:
    """`places`: name of a column → where it stands in a row of `width` cells. `ignored`: columns of which nothing is read."""

    places: Mapping[str, int]
    width: int
    ignored: tuple[str, ...]
    rows: Iterator[tuple[int, list[str]]]


def look(file: BinaryIO) -> Looked:
    """Read the whole file once: is it text, and of which kind? Raises Unreadable."""
    possible = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while True:
        block = file.read(_BLOCK)
        if not size:
            _refuse(block)
        size += len(block)
        digest.update(block)
        for name in list(possible):
            try:
                possible[name].decode(block, not block)
            except UnicodeDecodeError:
                del possible[name]
        if not block or not possible:
            break
    if not possible:
        raise Unreadable("not_text")
    return Looked("utf-8-sig" if "utf-8" in possible else "gb18030", size, digest.hexdigest())


def _refuse(head: bytes) -> None:
    if not head:
        raise Unreadable("empty")
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise Unreadable("utf16")
    if head[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise Unreadable("workbook")


def read(file: BinaryIO, encoding: str, *, place_said: bool, most: int) -> Table:
    """The table of the file. `place_said`: somebody said which community everybody belongs to, so that no column must.
    `most`: rows that are too many beyond. Raises Unreadable, also while the rows are read."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    first = text.readline(MAX_LINE)
    while first and not first.strip("\ufeff\r\n \t,;"):
        first = text.readline(MAX_LINE)
    delimiter = max((",", "\t", ";"), key=first.count)
    text.seek(0)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    heading = _next(reader)
    if heading is None:
        raise Unreadable("empty")
    places, ignored = _heading(heading, reader.line_num, place_said)
    return Table(places, len(heading), ignored, _rows(reader, most))


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    number = 0
    try:
        while line := text.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise Unreadable("long_line", number)
            yield line.removeprefix("\ufeff") if number == 1 else line
    finally:
        text.detach()  # the file is the caller's


def _next(reader: Any) -> list[str] | None:
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                return cells
    except csv.Error as error:
        raise Unreadable("not_csv", reader.line_num) from error
    return None


def _heading(cells: list[str], line: int, place_said: bool) -> tuple[dict[str, int], tuple[str, ...]]:
    found: dict[str, int] = {}
    ignored = []
    for place, cell in enumerate(cells):
        name = columns.called(cell)
        if name in found:
            raise Unreadable("column_twice", line, names=cell.strip()[:40])
        if name:
            found[name] = place
        elif cell.strip():
            ignored.append(cell.strip()[:40])
    needed = (columns.PHONE,) if place_said else (columns.PHONE, columns.COMMUNITY)
    if missing := [name for name in needed if name not in found]:
        raise Unreadable("no_columns", line, names="; ".join(" / ".join(columns.HEADS[lang][columns.COLUMNS.index(one)]
                                                                     for lang in columns.HEADS) for one in missing))
    return found, tuple(ignored)


def _rows(reader: Any, most: int) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of each row that is not empty."""
    count = 0
    while (cells := _next(reader)) is not None:
        count += 1
        if count > most:
            raise Unreadable("too_many_rows", reader.line_num, n=most)
        yield reader.line_num, cells
