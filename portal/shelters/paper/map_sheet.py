"""The evacuation map (疏散路线图): where one is, where to go, which way, what lies in between."""

from __future__ import annotations

from flask_babel import gettext as _

from portal.shelters.paper import frame, symbols, tables
from portal.shelters.paper.facts import Facts
from portal.shelters.paper.flow import SMALLEST, Column, Space, Text
from portal.shelters.paper.frame import BOTTOM, LEFT, ROOM, TOP
from portal.shelters.paper.ground import Ground
from portal.shelters.paper.sheet import ACCENT, BOLD, INK, SOFT, WHITE, Sheet

#: The map gets what the tables leave, and never less.
LEAST_MAP = 330.0
_LEGEND = 138.0


def draw(sheet: Sheet, facts: Facts) -> None:
    """Draw the whole sheet."""
    frame.head(sheet, facts, _("%(place)s: evacuation map", place=facts.name[sheet.language]),
               caption=_("Scan: ways as of now"))
    left, right = ROOM * 0.655, ROOM * 0.345 - 10
    ways = Column(LEFT, left, [tables.ways(sheet, facts) if facts.ways else Text(frame.basis(facts), 11, BOLD)])
    goals = Column(LEFT, ROOM, [Space(6), tables.goals(sheet, facts)])
    scale = _fit(sheet, ways, goals, TOP - BOTTOM - LEAST_MAP - 12)
    middle = max(ways.height(sheet, scale), _LEGEND)
    below = middle + goals.height(sheet, scale)
    bottom = BOTTOM + below + 10
    Ground(sheet, facts, LEFT, bottom, ROOM, TOP - 4 - bottom).draw()
    top = bottom - 6
    ways.draw(sheet, top, scale)
    _legend(sheet, facts, LEFT + left + 10, top, right)
    goals.draw(sheet, top - middle, scale)
    frame.foot(sheet, facts, _left_out(facts))


def _fit(sheet: Sheet, ways: Column, goals: Column, room: float) -> float:
    """The scale at which both tables leave the map its place; rows go before letters get too small to read."""
    def high(scale: float) -> float:
        return max(ways.height(sheet, scale), _LEGEND) + goals.height(sheet, scale)

    scale = 1.0
    while scale > SMALLEST + 0.08 and high(scale) > room:
        scale -= 0.02
    while high(scale) > room:
        longest = max((b for b in (ways.blocks[0], goals.blocks[1]) if hasattr(b, "rows")), key=lambda block: len(block.rows))
        if not longest.trim():
            break
    return scale


def _left_out(facts: Facts) -> str:
    shelters, origins = facts.left_out
    parts = []
    if shelters:
        parts.append(_("%(n)d more shelters are on the page.", n=shelters))
    if origins:
        parts.append(_("%(n)d more starting places are on the page.", n=origins))
    return " ".join(parts)


def _legend(sheet: Sheet, facts: Facts, x: float, top: float, width: float) -> None:
    """What each sign means, in a box."""
    sheet.box(x, top - _LEGEND, width, _LEGEND, stroke=INK, line=0.7)
    sheet.text(x + 6, top - 11, _("Signs"), 9, BOLD)
    entries = [
        (_shelter("indoor", True), _("Shelter indoors, suitable")),
        (_shelter("outdoor", True), _("Shelter outdoors, suitable")),
        (_shelter("both", None), _("Nobody knows whether it suits")),
        (_shelter("outdoor", False), _("Not suitable: do not go there")),
        (_way, _("Way on foot, in this direction")),
        (lambda s, a, b: symbols.origin(s, a, b, 7), _("Starting place")),
        (lambda s, a, b: symbols.danger(s, a, b - 0.5, "A", 10), _("Risk point: keep away")),
        (_cut, _("Closed or flooded: no way through")),
        (_border, _("Border of the community")),
        (_steps, _("Steps / footpath")),
    ]
    size, row = 7.4, (_LEGEND - 20) / len(entries)
    for n, (sign, label) in enumerate(entries):
        base = top - 16 - row * (n + 0.78)
        sign(sheet, x + 15, base + 2.6)
        sheet.text(x + 30, base, sheet.wrap(label, size, width - 33, most=1)[0], size)


def _shelter(space: str, fits: bool | None):  # type: ignore[no-untyped-def]
    return lambda sheet, x, y: symbols.goal(sheet, x, y, 1, space, fits, 9)


def _way(sheet: Sheet, x: float, y: float) -> None:
    sheet.rule(x - 11, y, x + 8, y, 2.6, ACCENT)
    symbols.arrow(sheet, x + 4, y, 0, 9, ACCENT)


def _cut(sheet: Sheet, x: float, y: float) -> None:
    canvas = sheet.canvas
    canvas.saveState()
    path = canvas.beginPath()
    path.circle(x, y, 4.6)
    canvas.clipPath(path, stroke=0, fill=0)
    symbols.hatch(sheet, x - 5, y - 5, 10, 10, step=2.4, both=True)
    canvas.restoreState()
    canvas.setStrokeColor(INK)
    canvas.setLineWidth(0.8)
    canvas.circle(x, y, 4.6, stroke=1, fill=0)
    symbols.cross_mark(sheet, x, y, 5)


def _border(sheet: Sheet, x: float, y: float) -> None:
    sheet.rule(x - 11, y, x + 11, y, 1.8, INK, (7, 2, 1.4, 2))


def _steps(sheet: Sheet, x: float, y: float) -> None:
    sheet.rule(x - 11, y, x - 1, y, 3.2, SOFT, (0.8, 1.2))
    sheet.rule(x + 2, y, x + 11, y, 0.9, SOFT, (3, 2))
    sheet.canvas.setFillColor(WHITE)
