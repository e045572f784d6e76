"""A sheet of A4 paper to draw on: text that is checked against the font, lines, boxes, QR codes.

Points (1/72 inch), from the lower left corner. Everything that is drawn is black on white or grey that a copier keeps; where a
colour stands, a shape or a pattern says the same.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import segno
from reportlab.lib.colors import Color, HexColor
from reportlab.pdfgen.canvas import Canvas

from portal.shelters.paper import typeset
from portal.web import fonts

WIDTH, HEIGHT = 595.28, 841.89
MARGIN = 34.0
MM = 72 / 25.4
INK, SOFT, LINE, PALE, WHITE = (HexColor(v) for v in ("#15202b", "#4a5866", "#8794a1", "#eceff2", "#ffffff"))
ACCENT = HexColor("#0b5876")
TIERS = {"blue": ("#1559b7", "#ffffff"), "yellow": ("#f7d417", "#15202b"), "orange": ("#f28c1e", "#15202b"),
         "red": ("#c4101b", "#ffffff")}
REGULAR, BOLD = fonts.REGULAR, fonts.BOLD


@dataclass
class Document:
    """One PDF of one or more sheets. `lacking`: characters that the font has not, of all sheets so far."""

    title: str
    language: str
    author: str = ""
    lacking: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        fonts.ready()
        self._target = io.BytesIO()
        # `invariant`: no clock and no chance in the file, so that unchanged facts give unchanged bytes.
        self.canvas: Any = Canvas(self._target, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1,
                                  lang="zh-CN" if self.language == "zh" else "en", initialFontName=fonts.REGULAR)
        title, _ = fonts.printable(self.title)
        self.canvas.setTitle(title)
        self.canvas.setAuthor(fonts.printable(self.author)[0])
        self.canvas.setCreator("Anlan")
        self.canvas.setProducer("Anlan")
        self.canvas.setViewerPreference("DisplayDocTitle", "true")
        self.pages = 0

    def sheet(self) -> Sheet:
        """A new, empty sheet."""
        if self.pages:
            self.canvas.showPage()
        self.pages += 1
        return Sheet(self)

    def outline(self, title: str) -> None:
        """An entry of the table of contents that points at the sheet at work."""
        key = f"sheet-{self.pages}"
        self.canvas.bookmarkPage(key)
        self.canvas.addOutlineEntry(fonts.printable(title)[0], key)

    def finish(self) -> bytes:
        self.canvas.showPage()
        self.canvas.save()
        return self._target.getvalue()


class Sheet:
    """One page at work. `lacking`: characters of this page that the font has not."""

    def __init__(self, document: Document) -> None:
        self.document, self.canvas, self.language = document, document.canvas, document.language
        self.lacking: list[str] = []

    def clean(self, text: str) -> str:
        """The text as it can be drawn; what cannot is remembered."""
        drawn, lacking = fonts.printable(text)
        for where in (self.lacking, self.document.lacking):
            where += [c for c in lacking if c not in where]
        return drawn

    # -- text ----------------------------------------------------------------------------------------------
    def text(self, x: float, y: float, text: Any, size: float = 9, font: str = REGULAR, colour: Color = INK,
             align: str = "left") -> float:
        """One line whose baseline is at `y`; the points that it is wide."""
        drawn = self.clean(str(text))
        wide = fonts.width(drawn, font, size)
        at = x - wide if align == "right" else x - wide / 2 if align == "centre" else x
        self.canvas.setFillColor(colour)
        self.canvas.setFont(font, size)
        self.canvas.drawString(at, y, drawn)
        return wide

    def wrap(self, text: Any, size: float, room: float, font: str = REGULAR, most: int = 0) -> list[str]:
        drawn = "\n".join(fonts.printable(line)[0] for line in str(text).split("\n"))
        return typeset.wrap(drawn, font, size, room, most=most)

    def lines(self, x: float, top: float, lines: Sequence[str], size: float, *, leading: float = 1.35, font: str = REGULAR,
              colour: Color = INK) -> float:
        """Lines below `top`; where they end."""
        for line in lines:
            top -= size * leading
            self.text(x, top + size * (leading - 1) * 0.6, line, size, font, colour)
        return top

    def halo(self, x: float, y: float, text: str, size: float, font: str = REGULAR, colour: Color = INK) -> None:
        """A line of text with a white rim, readable over anything."""
        canvas = self.canvas
        drawn = self.clean(text)
        canvas.saveState()
        canvas.setStrokeColor(WHITE)
        canvas.setLineWidth(size * 0.26)
        canvas.setLineJoin(1)
        canvas.setFont(font, size)
        canvas.drawString(x, y, drawn, mode=1)
        canvas.restoreState()
        self.text(x, y, text, size, font, colour)

    # -- shapes --------------------------------------------------------------------------------------------
    def rule(self, x1: float, y1: float, x2: float, y2: float, width: float = 0.5, colour: Color = LINE,
             dash: Sequence[float] = ()) -> None:
        self.canvas.setStrokeColor(colour)
        self.canvas.setLineWidth(width)
        self.canvas.setDash(*([list(dash)] if dash else [[]]))
        self.canvas.line(x1, y1, x2, y2)
        self.canvas.setDash([])

    def box(self, x: float, y: float, width: float, height: float, *, fill: Color | None = None, stroke: Color | None = LINE,
            line: float = 0.5, radius: float = 0) -> None:
        canvas = self.canvas
        if fill is not None:
            canvas.setFillColor(fill)
        if stroke is not None:
            canvas.setStrokeColor(stroke)
            canvas.setLineWidth(line)
        if radius:
            canvas.roundRect(x, y, width, height, radius, stroke=int(stroke is not None), fill=int(fill is not None))
        else:
            canvas.rect(x, y, width, height, stroke=int(stroke is not None), fill=int(fill is not None))

    def polygon(self, points: Sequence[tuple[float, float]], *, fill: Color | None = None, stroke: Color | None = INK,
                line: float = 0.8) -> None:
        path = self.canvas.beginPath()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        path.close()
        if fill is not None:
            self.canvas.setFillColor(fill)
        if stroke is not None:
            self.canvas.setStrokeColor(stroke)
            self.canvas.setLineWidth(line)
        self.canvas.drawPath(path, stroke=int(stroke is not None), fill=int(fill is not None))

    def qr(self, x: float, y: float, size: float, address: str) -> None:
        """A QR code with its quiet zone, `size` points wide, as shapes and not as a picture."""
        code = segno.make(address, error="m", micro=False)
        border = 4
        modules = [list(row) for row in code.matrix_iter(border=border)]
        step = size / len(modules)
        self.box(x, y, size, size, fill=WHITE, stroke=None)
        path = self.canvas.beginPath()
        for r, row in enumerate(modules):
            start = None
            for c, dark in enumerate([*row, 0]):
                if dark and start is None:
                    start = c
                elif not dark and start is not None:
                    path.rect(x + start * step, y + size - (r + 1) * step, (c - start) * step, step * 1.01)
                    start = None
        self.canvas.setFillColor(INK)
        self.canvas.drawPath(path, stroke=0, fill=1)
