"""The card 明白卡 of a guide: one sheet of A4 for the wall, with what to do, in print that is read at arm's length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from portal.guides.search.documents import plain
from portal.guides.values import AFTER, BEFORE, DURING, NEVER, SIGNALS, TICKS, Guide, Section
from portal.shelters.paper import flow
from portal.shelters.paper.flow import Column, Items, Solid, Space
from portal.shelters.paper.sheet import BOLD, HEIGHT, INK, LINE, MARGIN, SOFT, WIDTH, Document, Sheet
from portal.web import fonts

_LEFT, _RIGHT, _BETWEEN, _QR = MARGIN, WIDTH - MARGIN, 18.0, 78.0
_BOTTOM = MARGIN + 40


@dataclass
class _Title(Solid):
    """The title of a section, on as many lines as it needs."""

    text: str
    size: float = 13.0

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        size = self.size * scale
        return len(sheet.wrap(self.text, size, width - 8, BOLD)) * size * 1.3 + size * 0.3

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        lines = sheet.wrap(self.text, size, width - 8, BOLD)
        bottom = sheet.lines(x + 8, top, lines, size, leading=1.3, font=BOLD)
        sheet.box(x, bottom + size * 0.1, 3, top - bottom - size * 0.2, fill=INK, stroke=None)
        sheet.clean(self.text)


def pdf(guide: Guide, language: str, address: str, authority: str) -> bytes:
    """One page. `address`: of the guide, for the QR code. Words are those of the locale at work."""
    document = Document(f"{guide.title[language]} · {_('What to do')}", language, authority)
    sheet = document.sheet()
    top = _head(sheet, guide, language, address)
    width = (_RIGHT - _LEFT - _BETWEEN) / 2
    left, right = _halves(guide, language)
    columns = [Column(_LEFT, width, left), Column(_LEFT + width + _BETWEEN, width, right)]
    scale = flow.fit(sheet, columns, top - _BOTTOM)
    for column in columns:
        column.draw(sheet, top, scale)
    middle = _LEFT + width + _BETWEEN / 2
    sheet.rule(middle, top, middle, _BOTTOM, 0.5, LINE)
    _foot(sheet, guide, address, authority)
    return document.finish()


def _head(sheet: Sheet, guide: Guide, language: str, address: str) -> float:
    top, room = HEIGHT - MARGIN, _RIGHT - _LEFT - _QR - 10
    sheet.qr(_RIGHT - _QR + 6, top - _QR + 8, _QR, address)
    sheet.text(_RIGHT - _QR / 2 + 6, top - _QR + 4, _("Newest form"), 7, colour=SOFT, align="centre")
    title, size = guide.title[language], 27.0
    while size > 14 and fonts.width(title, BOLD, size) > room:
        size -= 0.5
    sheet.text(_LEFT, top - 24, title, size, BOLD)
    sheet.lines(_LEFT, top - 32, sheet.wrap(guide.summary[language], 9.5, room, most=3), 9.5, colour=SOFT)
    base = top - _QR - 6
    sheet.rule(_LEFT, base, _RIGHT, base, 1.4, INK)
    return base - 4


def _halves(guide: Guide, language: str) -> tuple[list[Any], list[Any]]:
    """Advice: before and after on the left, the danger itself on the right, the signals where room is left. Lists: two halves."""
    if guide.kind == TICKS:
        sizes = [len(s.items[language]) + 2 for s in guide.sections]
        at = min(range(len(sizes) + 1), key=lambda n: abs(sum(sizes[:n]) - sum(sizes[n:])))
        parts = guide.sections[:at], guide.sections[at:]
        return _blocks(parts[0], language, "box"), _blocks(parts[1], language, "box")
    found = {section.key: section for section in guide.sections}
    left = [found[key] for key in (BEFORE, AFTER) if key in found]
    right = [found[key] for key in (DURING, NEVER) if key in found]
    if signals := found.get(SIGNALS):
        min(left, right, key=lambda part: sum(len(plain(item)) for s in part for item in s.items[language])).append(signals)
    return _blocks(left, language), _blocks(right, language)


def _blocks(sections: Sequence[Section], language: str, sign: str = "") -> list[Any]:
    found: list[Any] = []
    for section in sections:
        lines: list[Any] = [plain(item) for item in section.items[language]]
        found += [_Title(section.title[language]),
                  Items(lines, 10.0, sign, more=lambda n: _("%(n)s more on the page of the QR code", n=n)), Space(7.0)]
    return found


def _foot(sheet: Sheet, guide: Guide, address: str, authority: str) -> None:
    sheet.rule(_LEFT, _BOTTOM - 6, _RIGHT, _BOTTOM - 6, 0.8, INK)
    sheet.text(_LEFT, _BOTTOM - 20, _("119 fire and rescue · 120 ambulance · 110 police"), 11, BOLD)
    sheet.text(_LEFT, _BOTTOM - 33, " · ".join([authority, guide.updated.isoformat()]), 7.5, colour=SOFT)
    sheet.text(_RIGHT, _BOTTOM - 33, address, 7.5, colour=SOFT, align="right")
