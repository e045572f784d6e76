"""Tables as files: CSV as schools' spreadsheets write it, read row by row with its lines, and written so that none runs it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import Problem

#: Rows and bytes of one file, and faults that are named one by one; the others are counted.
MOST_ROWS, MOST_BYTES, MOST_NAMED = 50_000, 8 * 1024 * 1024, 200
_LONGEST_CELL = 500
#: What a spreadsheet would run as a formula, after any apostrophes; in full width too.
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r]")
_GUARDED = re.compile(r"''*[=+\-@＝＋－＠\t\r]")


class Unreadable(Exception):
    """The file cannot be read at all, or not on from `line` (0: as a whole); `message` is lazy."""

    def __init__(self, line: int, message: Any) -> None:
        self.line, self.message = line, message
        super().__init__(f"line {line}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row. Never holds what stood there: it may be anybody's number."""

    line: int
    problems: tuple[Problem, ...]


@dataclass(slots=True)
class Faults:
    """All that is wrong with a file: `count` rows, of which the first are named."""

    named: list[Fault] = field(default_factory=list)
    count: int = 0

    def add(self, line: int, *problems: Problem) -> None:
        self.count += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(Fault(line, problems))

    def in_order(self) -> list[Fault]:
        return sorted(self.named, key=lambda one: one.line)

    @property
    def left_out(self) -> int:
        return self.count - len(self.named)


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a file by the names of its columns; `ignored`: columns that are not asked for, of which nothing is kept."""

    ignored: tuple[str, ...]
    rows: Iterator[Row]


def decoded(body: bytes) -> str:
    """The text of a file: UTF-8 with or without its mark, else GB 18030 (of which GBK is a part). Raises Unreadable."""
    if len(body) > MOST_BYTES:
        raise Unreadable(0, _l("The file is larger than %(n)s MB.", n=MOST_BYTES // 2**20))
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise Unreadable(0, _l("The file is UTF-16: save it as “CSV UTF-8”."))
    if body[:4] == b"PK\x03\x04" or body[:4] == b"\xd0\xcf\x11\xe0":
        raise Unreadable(0, _l("This is a workbook, not CSV: save the sheet as “CSV UTF-8”."))
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError as error:
            if body.startswith(codecs.BOM_UTF8):
                line = body[:error.start].count(b"\n") + 1
                raise Unreadable(line, _l("This line is not UTF-8, though the file says so: save it anew as “CSV UTF-8”.")
                                 ) from error
    raise Unreadable(0, _l("The file is neither UTF-8 nor GBK text: save it as “CSV UTF-8”."))


def read(body: bytes, called: Mapping[str, str], required: Sequence[str], faults: Faults) -> Table:
    """A file's table. `called`: each heading that is known → the column's name. A row that has more or fewer cells than the
    heading goes into `faults` as the rows are read, and is left out. Raises Unreadable, also while they are read."""
    text = decoded(body)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    heading, ignored = _heading(_next(reader), called, required, reader.line_num)
    return Table(ignored, _rows(reader, heading, faults))


def _delimiter(text: str) -> str:
    """What separates the cells of the first line: what spreadsheets of some countries write is taken too."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return max((",", "\t", ";"), key=first.count)


def _next(reader: Any) -> list[str]:
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            raise Unreadable(0, _l("The file is empty.")) from None
        except csv.Error as error:
            raise Unreadable(reader.line_num, _l("This is not CSV.")) from error
        if any(cell.strip() for cell in cells):
            return cells


def _heading(cells: list[str], called: Mapping[str, str], required: Sequence[str],
             line: int) -> tuple[list[str], tuple[str, ...]]:
    names = [called.get("".join(cell.split()).lower(), "") for cell in cells]
    if missing := [name for name in required if name not in names]:
        wanted = "; ".join(" / ".join(head for head, name in called.items() if name == one) for one in missing)
        raise Unreadable(line, _l("The first line must name the columns. Missing: %(names)s.", names=wanted))
    known = [name for name in names if name]
    if len(set(known)) < len(known):
        raise Unreadable(line, _l("The first line names a column twice."))
    return names, tuple(cell.strip()[:40] for cell, name in zip(cells, names, strict=True) if not name and cell.strip())


def _rows(reader: Any, heading: list[str], faults: Faults) -> Iterator[Row]:
    count = 0
    while True:
        try:
            cells = _next(reader)
        except Unreadable as end:
            if end.line:
                raise
            return
        count += 1
        if count > MOST_ROWS:
            raise Unreadable(reader.line_num, _l("More than %(n)s rows: divide the file.", n=MOST_ROWS))
        while len(cells) > len(heading) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(heading):
            faults.add(reader.line_num, Problem("", _l("%(found)s cells, and %(wanted)s columns are named.", found=len(cells),
                                                       wanted=len(heading))))
        elif any(len(cell) > _LONGEST_CELL for cell in cells):
            faults.add(reader.line_num, Problem("", _l("A cell is longer than anything that belongs here.")))
        else:
            yield Row(reader.line_num, {name: unguarded(cell.strip()) for name, cell in zip(heading, cells, strict=True) if name})


# -- writing -------------------------------------------------------------------------------------------------
def written(heading: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """A file in pieces: UTF-8 with its mark, without which spreadsheets take it for GBK, and no cell that one would run."""
    yield codecs.BOM_UTF8 + line(heading)
    for row in rows:
        yield line(row)


def line(cells: Sequence[Any]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_cell(cell) for cell in cells])
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> Any:
    return "" if value is None else value if isinstance(value, int) else guarded(str(value))


def guarded(text: str) -> str:
    """Text that no spreadsheet runs as a formula: one apostrophe more before what begins like one."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that was given to :func:`guarded`; also of a number before which somebody typed an apostrophe."""
    return text[1:] if _GUARDED.match(text) or (text[:1] == "'" and text[1:2].isdigit()) else text
