"""Blocks that stand one below another, and the art of getting them onto one page: first smaller, then shorter, and what is
left out is said.

A block knows how high it is at a width and a scale (1.0: the size it was made for), and draws itself below `top`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.shelters.paper import symbols
from portal.shelters.paper.sheet import BOLD, INK, LINE, PALE, REGULAR, SOFT, Sheet

LEADING = 1.32
GAP = 5.0
LARGEST, SMALLEST = 1.2, 0.74
_STEPS = tuple(LARGEST - 0.02 * n for n in range(round((LARGEST - SMALLEST) / 0.02) + 1))


class Block(Protocol):
    def height(self, sheet: Sheet, width: float, scale: float) -> float: ...
    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None: ...
    def trim(self) -> int:
        """Leave one item out; how many are left out now (0: nothing can be)."""


@dataclass
class Solid:
    """A block of which nothing can be left out."""

    def trim(self) -> int:
        return 0


@dataclass
class Heading(Solid):
    text: Any
    size: float = 11.0

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return self.size * scale * 1.75

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        base = top - size * 1.25
        sheet.box(x, base - size * 0.28, 3, size * 1.15, fill=INK, stroke=None)
        sheet.text(x + 8, base, self.text, size, BOLD)


@dataclass
class Text(Solid):
    text: Any
    size: float = 9.0
    font: str = REGULAR
    colour: Any = INK

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return len(sheet.wrap(self.text, self.size * scale, width, self.font)) * self.size * scale * LEADING + 1

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        lines = sheet.wrap(self.text, size, width, self.font)
        sheet.lines(x, top, lines, size, leading=LEADING, font=self.font, colour=self.colour)
        sheet.clean(str(self.text))


@dataclass
class Items:
    """A list. `sign`: what stands before each item: empty for a dash, `box` for one to tick, `number` for its number."""

    items: list[Any]
    size: float = 9.0
    sign: str = ""
    more: Callable[[int], Any] | None = None
    left_out: int = 0

    def trim(self) -> int:
        if self.more is None or len(self.items) <= 2:
            return 0
        self.items = self.items[:-1]
        self.left_out += 1
        return self.left_out

    def _all(self) -> list[Any]:
        return [*self.items, self.more(self.left_out)] if self.left_out and self.more else self.items

    def _lead(self, scale: float) -> float:
        return self.size * scale * (1.35 if self.sign else 0.95)

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        size, room = self.size * scale, width - self._lead(scale)
        return sum(len(sheet.wrap(item, size, room)) * size * LEADING + size * 0.14 for item in self._all())

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size, lead = self.size * scale, self._lead(scale)
        for n, item in enumerate(self._all(), start=1):
            base = top - size * 1.07
            if self.sign == "box":
                symbols.tick_box(sheet, x + 0.5, base - size * 0.06, size * 0.82)
            elif self.sign == "number":
                sheet.text(x, base, f"{n}.", size, BOLD)
            else:
                sheet.box(x + size * 0.25, base + size * 0.26, size * 0.22, size * 0.22, fill=INK, stroke=None)
            sheet.clean(str(item))
            top = sheet.lines(x + lead, top, sheet.wrap(item, size, width - lead), size, leading=LEADING) - size * 0.14


Cell = Any  # text, or something that draws itself: callable(sheet, x, y of the middle, width, size)


@dataclass
class Table:
    """Rows of cells. `widths` are shares of the width; a cell is text (several lines with \\n) or a drawing. `more(n)` says
    that n rows are left out."""

    head: Sequence[Any]
    rows: list[Any]
    widths: Sequence[float]
    size: float = 8.5
    bold: frozenset[int] = frozenset()
    more: Callable[[int], Any] | None = None
    least: int = 2
    left_out: int = 0
    pad: float = 3.0

    def trim(self) -> int:
        if self.more is None or len(self.rows) <= self.least:
            return 0
        self.rows = self.rows[:-1]
        self.left_out += 1
        return self.left_out

    def _lines(self, sheet: Sheet, row: Sequence[Cell], width: float, size: float, *, head: bool = False) -> list[list[str]]:
        return [[""] if callable(cell) else sheet.wrap(cell, size, share * width - 2 * self.pad,
                                                       BOLD if head or n in self.bold else REGULAR)
                for n, (cell, share) in enumerate(zip(row, self.widths, strict=True))]

    def _row_height(self, lines: list[list[str]], size: float) -> float:
        return max(len(cell) for cell in lines) * size * 1.25 + self.pad * 1.3

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        size = self.size * scale
        high = self._row_height(self._lines(sheet, self.head, width, size * 0.9, head=True), size * 0.9) if self.head else 0
        high += sum(self._row_height(self._lines(sheet, row, width, size), size) for row in self.rows)
        return high + (self._note_height(sheet, width, size) if self.left_out else 0)

    def _note_height(self, sheet: Sheet, width: float, size: float) -> float:
        note = self.more(self.left_out) if self.more else ""
        return len(sheet.wrap(note, size, width)) * size * LEADING + 2

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        first = top
        if self.head:
            lines = self._lines(sheet, self.head, width, size * 0.9, head=True)
            high = self._row_height(lines, size * 0.9)
            sheet.box(x, top - high, width, high, fill=PALE, stroke=None)
            self._row(sheet, x, top, width, lines, self.head, size * 0.9, high, head=True)
            top -= high
        for row in self.rows:
            lines = self._lines(sheet, row, width, size)
            high = self._row_height(lines, size)
            self._row(sheet, x, top, width, lines, row, size, high)
            sheet.rule(x, top, x + width, top, 0.4, LINE)
            top -= high
        sheet.box(x, top, width, first - top, stroke=INK, line=0.7)
        at = x
        for share in self.widths[:-1]:
            at += share * width
            sheet.rule(at, top, at, first, 0.3, LINE)
        if self.left_out and self.more:
            note = self.more(self.left_out)
            sheet.lines(x, top - 1, sheet.wrap(note, size, width), size, leading=LEADING, colour=SOFT)

    def _row(self, sheet: Sheet, x: float, top: float, width: float, lines: list[list[str]], cells: Sequence[Cell], size: float,
             high: float, *, head: bool = False) -> None:
        for n, (cell, share) in enumerate(zip(cells, self.widths, strict=True)):
            if callable(cell):
                cell(sheet, x + share * width / 2, top - high / 2, share * width, size)
            else:
                sheet.clean(str(cell).replace("\n", " "))
                spare = max(0.0, high - self.pad * 1.3 - len(lines[n]) * size * 1.25) / 2
                sheet.lines(x + self.pad, top - self.pad * 0.65 - spare, lines[n], size, leading=1.25,
                            font=BOLD if head or n in self.bold else REGULAR)
            x += share * width


@dataclass
class Label(Solid):
    """A strip with a word on it, as for a tier: `fill` and `ink` are colours, and the word says the same."""

    text: Any
    fill: Any = PALE
    ink: Any = INK
    size: float = 9.0

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return self.size * scale * 1.75

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        high = size * 1.5
        sheet.box(x, top - high, width, high, fill=self.fill, stroke=INK, line=0.6)
        sheet.text(x + 4, top - size * 1.12, self.text, size, BOLD, self.ink)


@dataclass
class Space(Solid):
    points: float = GAP

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return self.points * scale

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        pass


@dataclass
class Column:
    """Blocks in a column `width` wide, from `top` down to `bottom`."""

    x: float
    width: float
    blocks: list[Any] = field(default_factory=list)

    def height(self, sheet: Sheet, scale: float) -> float:
        return sum(block.height(sheet, self.width, scale) for block in self.blocks)

    def draw(self, sheet: Sheet, top: float, scale: float) -> float:
        for block in self.blocks:
            block.draw(sheet, self.x, top, self.width, scale)
            top -= block.height(sheet, self.width, scale)
        return top


def fit(sheet: Sheet, columns: Sequence[Column], room: float) -> float:
    """The scale at which every column fits into `room` points; where none does, blocks are trimmed at the smallest, those
    that leave out the fewest first. Raises ValueError when even then it does not fit."""
    for scale in _STEPS:
        if all(column.height(sheet, scale) <= room for column in columns):
            return scale
    smallest = _STEPS[-1]
    for column in columns:
        while column.height(sheet, smallest) > room:
            able = sorted((b for b in column.blocks if hasattr(b, "left_out")), key=lambda b: b.left_out)
            if not any(block.trim() for block in able):
                raise ValueError("the sheet cannot hold what it must say")
    return smallest

