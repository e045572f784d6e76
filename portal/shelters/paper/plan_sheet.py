"""The one-page plan (一页纸预案): who, which dangers, how people are warned, what happens at each tier, where they go."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import ngettext
from reportlab.lib.colors import HexColor

from portal.shelters.paper import flow, frame, tables
from portal.shelters.paper.facts import Facts
from portal.shelters.paper.flow import Column, Heading, Items, Label, Space, Text
from portal.shelters.paper.frame import BOTTOM, LEFT, ROOM, TOP
from portal.shelters.paper.sheet import BOLD, PALE, SOFT, TIERS, Sheet
from portal.shelters.paper.wording import wording
from portal.warnings.hazards import GRADE
from portal.web.show import TIER_LABELS

_BETWEEN = 14.0


def draw(sheet: Sheet, facts: Facts) -> None:
    """Draw the whole sheet: it is always one."""
    strip = _("People: %(n)s", n=f"{facts.population:,}") if facts.population else _("People: unknown")
    strip += _(" · what to do when a warning comes, in one page. The subdistrict's orders go before this plan.")
    frame.head(sheet, facts, _("%(place)s: one-page plan", place=facts.name[sheet.language]), strip=strip)
    width = (ROOM - _BETWEEN) / 2
    columns = [Column(LEFT, width, _left(sheet, facts)), Column(LEFT + width + _BETWEEN, width, _right(sheet, facts))]
    room = TOP - BOTTOM - 8
    scale = flow.fit(sheet, columns, room)
    for column in columns:
        _spread(sheet, column, scale, room)
        column.draw(sheet, TOP - 2, scale)
    frame.foot(sheet, facts)


def _spread(sheet: Sheet, column: Column, scale: float, room: float) -> None:
    """Share what is left of a column between its parts, so that the page is full and not top-heavy."""
    gaps = [block for block in column.blocks if isinstance(block, Space) and block.points >= flow.GAP]
    spare = room - column.height(sheet, scale)
    for gap in gaps:
        gap.points += min(16.0, spare / max(1, len(gaps)) / scale)


def _left(sheet: Sheet, facts: Facts) -> list[object]:
    there = sum(1 for have in facts.ten if have.there)
    blocks: list[object] = [Heading(_("Who is responsible"))]
    blocks += [tables.posts(sheet, facts)] if facts.posts else [Text(_("No post is known yet. Call 12345."), font=BOLD)]
    blocks += [Space(), Heading(_("Risk points"))]
    blocks += [tables.dangers(sheet, facts)] if facts.dangers else [Text(_("None is known."))]
    blocks += [Space(), Heading(_("Where to go, and which way"))]
    blocks += [Text(frame.basis(facts), 8, colour=SOFT)]
    blocks += [tables.ways(sheet, facts)] if facts.ways else []
    blocks += [Space(), Heading(_("The ten \"haves\": %(n)d of 10 are there", n=there)), tables.Ten(facts, sheet.language),
               Text(_("✓ there   × missing   ? unknown"), 7.5, colour=SOFT)]
    return blocks


def _right(sheet: Sheet, facts: Facts) -> list[object]:
    language, said = sheet.language, wording()
    blocks: list[object] = [Heading(_("How everybody is warned"))]
    blocks += [flow.Table([], [[name[language], does[language]] for name, does in said.signals], [0.27, 0.73],
                          bold=frozenset({0}))]
    blocks += [Space(), Heading(_("What the community does at each tier"))]
    for tier, steps in said.tiers.items():
        fill, ink = (HexColor(colour) for colour in TIERS[tier])
        blocks += [Label(_("%(tier)s warning (grade %(grade)s)", tier=TIER_LABELS[tier], grade=GRADE[tier]), fill, ink),
                   Space(1.5), Items([step[language] for step in steps], 8.5, more=_more), Space(2)]
    blocks += [Space(), Heading(_("Shelters")), _shelters(sheet, facts)]
    calls = [f"{call.number} {call.name[language]}" for call in said.calls]
    rows = [[*calls[n : n + 2], ""][:2] for n in range(0, len(calls), 2)]
    blocks += [Space(), Label(_("In danger, call"), PALE), flow.Table([], rows, [0.5, 0.5], 9.5, frozenset({0, 1}))]
    return blocks


def _shelters(sheet: Sheet, facts: Facts) -> flow.Table:
    language = sheet.language
    rows = [[tables.goal_sign(g, facts.family), g.name[language], tables.capacity(g), g.phone or "—"] for g in facts.goals]
    if not rows:
        rows = [["—", _("No shelter is known here."), "—", "—"]]
    return flow.Table([tables.HEADS["no"], _("Shelter"), tables.HEADS["places"], _("Telephone")], rows, [0.1, 0.42, 0.18, 0.3],
                      more=tables.more)


def _more(n: int) -> str:
    return ngettext("%(num)d more step: see the full plan.", "%(num)d more steps: see the full plan.", n)
