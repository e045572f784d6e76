"""The household card (防灾避险明白卡): who lives here, what threatens, by what one knows that one must leave, where to go and
which way, what to take, whom to call. Its fields are those of the card for geological disasters that communities hand out
in three copies: to the household, the community, and whoever hands it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from portal.shelters.communities import words
from portal.shelters.paper import flow, frame, symbols, tables
from portal.shelters.paper.facts import Facts, Goal, Way
from portal.shelters.paper.flow import Column, Heading, Items, Label, Solid, Space, Text
from portal.shelters.paper.frame import BOTTOM, LEFT, RIGHT, ROOM, TOP
from portal.shelters.paper.household import MOST_MEMBERS, Household
from portal.shelters.paper.sheet import BOLD, INK, LINE, PALE, REGULAR, SOFT, Sheet
from portal.shelters.paper.wording import wording
from portal.web import fonts

_BETWEEN = 14.0
_SIGNATURES = 40.0
_WAYS_ON_A_CARD = 4


@dataclass(frozen=True)
class Leading:
    """Where this household goes: `way` from its door or the nearest starting place, `goal` the shelter; None: not known."""

    way: Way | None = None
    goal: Goal | None = None


def draw(sheet: Sheet, facts: Facts, household: Household, leading: Leading) -> None:
    """Draw the whole sheet."""
    strip = _("One copy each for the household, the community and the subdistrict. Hang it where everybody sees it.")
    frame.head(sheet, facts, _("Household card: know where to go"), strip=strip)
    top = _household(sheet, household, TOP - 6)
    width = (ROOM - _BETWEEN) / 2
    left = Column(LEFT, width, _left(sheet, facts, household, leading))
    right = Column(LEFT + width + _BETWEEN, width, _right(sheet, facts, household))
    room = top - BOTTOM - _SIGNATURES - 8
    scale = flow.fit(sheet, [left, right], room)
    for column in (left, right):
        _stretch(sheet, column, scale, room)
        column.draw(sheet, top - 4, scale)
    _signatures(sheet, BOTTOM + 4)
    frame.foot(sheet, facts)


def _stretch(sheet: Sheet, column: Column, scale: float, room: float) -> None:
    """What is left of a column goes to the lines that are written on, then between the parts."""
    spare = room - column.height(sheet, scale)
    if lines := [block for block in column.blocks if isinstance(block, Lines)]:
        for block in lines:
            more = int(spare * 0.6 / len(lines) / (Lines.step * scale))
            block.count += more
        spare = room - column.height(sheet, scale)
    gaps = [block for block in column.blocks if isinstance(block, Space) and block.points >= flow.GAP]
    for gap in gaps:
        gap.points += min(18.0, spare / max(1, len(gaps)) / scale)


@dataclass
class Lines(Solid):
    """Empty lines to write on."""

    count: int = 2
    step = 17.0

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return self.count * self.step * scale

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        for n in range(1, self.count + 1):
            y = top - n * self.step * scale + 2
            sheet.rule(x, y, x + width, y, 0.5, LINE)


# -- the household -------------------------------------------------------------------------------------------
def _household(sheet: Sheet, household: Household, top: float) -> float:
    """The grid of who lives here; where it ends."""
    high = 21.0
    rows = [
        [(_("Card no."), household.number, 0.25), (_("Head of household"), household.head, 0.30),
         (_("People"), household.people, 0.16), (_("Telephone"), household.phone, 0.29)],
        [(_("Address"), household.address, 1.0)],
    ]
    y = top
    for row in rows:
        x = LEFT
        for label, value, share in row:
            _cell(sheet, x, y - high, ROOM * share, high, label, value)
            x += ROOM * share
        y -= high
    return _members(sheet, household, y)


def _cell(sheet: Sheet, x: float, y: float, width: float, high: float, label: str, value: str) -> None:
    sheet.box(x, y, width, high, stroke=INK, line=0.7)
    wide = sheet.text(x + 4, y + high / 2 - 3, label, 8, colour=SOFT)
    if value:
        room = width - wide - 14
        size = 11.0
        while size > 7 and len(sheet.wrap(value, size, room)) > 1:
            size -= 0.5
        lines = sheet.wrap(value, size, room, most=2 if size <= 7 else 1)
        base = y + high / 2 - size * 0.36 + (size * 0.55 if len(lines) > 1 else 0)
        sheet.clean(value)
        for n, line in enumerate(lines):
            sheet.text(x + wide + 9, base - n * size * 1.1, line, size, BOLD)


def _members(sheet: Sheet, household: Household, top: float) -> float:
    heads = [(_("Name"), 0.11), (_("Sex"), 0.055), (_("Age"), 0.055), (_("Needs help with"), 0.28)] * 2
    high, rows = 17.0, MOST_MEMBERS // 2
    x = LEFT
    for label, share in heads:
        sheet.box(x, top - 13, ROOM * share, 13, fill=PALE, stroke=INK, line=0.5)
        sheet.text(x + 3, top - 9.5, label, 7.5, colour=SOFT)
        x += ROOM * share
    for n in range(MOST_MEMBERS):
        member = household.members[n] if n < len(household.members) else None
        x = LEFT + (n // rows) * ROOM / 2
        y = top - 13 - (n % rows + 1) * high
        values = (member.name, member.sex, member.age, member.help) if member else ("", "", "", "")
        for value, (_label, share) in zip(values, heads[:4], strict=True):
            sheet.box(x, y, ROOM * share, high, stroke=INK, line=0.5)
            if value:
                sheet.text(x + 3, y + 5, sheet.wrap(value, 8.5, ROOM * share - 5, most=1)[0], 8.5)
                sheet.clean(value)
            x += ROOM * share
    return top - 13 - rows * high - 6


# -- the left half: where to go ------------------------------------------------------------------------------
def _left(sheet: Sheet, facts: Facts, household: Household, leading: Leading) -> list[Any]:
    language = sheet.language
    blocks: list[Any] = [Heading(_("Where we go")), Goalpost(facts, leading.goal)]
    blocks += [Space(), Heading(_("Our way"))]
    if leading.way is not None:
        blocks += _way(leading, facts, language)
    else:
        blocks += [Lines(3)]
        if facts.ways:
            near = facts.ways[:_WAYS_ON_A_CARD]
            part = [_from_to(facts, way, language) for way in near]
            hint = _("Begin at the nearest of these places; the map shows the rest:")
            blocks += [Space(2), Text(hint, 8, colour=SOFT), Items(part, 8.5)]
    blocks += [Text(frame.basis(facts), 8, colour=SOFT)]
    blocks += [Space(), Heading(_("If the way is cut")),
               Text(_("Stay, go up to a higher floor, call 119. Do not wade."), 9.5, BOLD)]
    blocks += [Space(), Heading(_("What threatens us"))]
    if household.danger:
        blocks += [Text(household.danger, 9.5)]
    else:
        blocks += [Boxes([str(words.RISKS[kind]) for kind in words.RISKS if kind != "other"])]
        blocks += [Lines(1)]
    near_by = [d for d in facts.dangers if d.kind in words.RISKS_OF_FAMILY.get(facts.family, ())][:3]
    if near_by:
        names = "、" if language == "zh" else ", "
        blocks += [Text(_("Risk points of the community: %(names)s", names=names.join(d.name[language] for d in near_by)), 8,
                        colour=SOFT)]
    return blocks


def _way(leading: Leading, facts: Facts, language: str) -> list[Any]:
    """How far it is, and each stretch with its number. Without a way: what to do instead. That it is a plan stands below, as on
    every sheet, and not among the steps."""
    way = leading.way
    assert way is not None  # noqa: S101  (asked by whoever calls)
    told = list(way.words[language])
    begins = Text(_("From: %(place)s", place=way.origin[language]), 8, colour=SOFT)
    if leading.goal is None:
        return [Items(told, 9.5), begins]
    if facts.basis == "plan":
        told = told[1:]
    return [Text(told[0], 9.5, BOLD), begins, Items(told[1:], 9, "number", more=_longer)]


def _from_to(facts: Facts, way: Way, language: str) -> str:
    goal = facts.goal(way.number)
    if goal is None:
        return _("%(place)s: %(words)s", place=way.origin[language], words=tables.no_way(way, language))
    return _("%(place)s → %(shelter)s, %(n)s\u00a0min", place=way.origin[language], shelter=goal.name[language], n=way.minutes)


def _longer(n: int) -> str:
    return _("The way goes on for %(n)d more steps: scan the QR code.", n=n)


@dataclass
class Goalpost(Solid):
    """The shelter, large; or an empty field for its name."""

    facts: Facts
    goal: Goal | None

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return 62 * scale

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        high = 60 * scale
        sheet.box(x, top - high, width, high, stroke=INK, line=1.4)
        if self.goal is None:
            for n, label in enumerate((_("Shelter"), _("Address"), _("Telephone"))):
                sheet.text(x + 6, top - (15 + n * 18) * scale, label, 8.5 * scale, colour=SOFT)
                sheet.rule(x + 52 * scale, top - (17 + n * 18) * scale, x + width - 6, top - (17 + n * 18) * scale, 0.5, LINE)
            return
        goal, language = self.goal, sheet.language
        fits = goal.fits(self.facts.family)
        symbols.goal(sheet, x + 18 * scale, top - high / 2, goal.number or 1, goal.space, fits, 22 * scale)
        left, room = x + 38 * scale, width - 44 * scale
        size = 13.0 * scale
        name = goal.name[language]
        while size > 8 and len(sheet.wrap(name, size, room, BOLD)) > 1:
            size -= 0.5
        sheet.text(left, top - 18 * scale, sheet.wrap(name, size, room, BOLD, most=1)[0], size, BOLD)
        sheet.clean(name)
        address = goal.address[language]
        if address:
            sheet.text(left, top - 33 * scale, sheet.wrap(address, 8.5 * scale, room, most=1)[0], 8.5 * scale)
        phone = goal.phone or "—"
        sheet.text(left, top - 49 * scale, _("Telephone: %(number)s", number=phone), 9.5 * scale, BOLD)


@dataclass
class Boxes(Solid):
    """Words with boxes to tick, as many to a line as fit."""

    labels: list[str]
    size: float = 8.5

    def _rows(self, sheet: Sheet, width: float, scale: float) -> list[list[tuple[float, str]]]:
        size = self.size * scale
        rows: list[list[tuple[float, str]]] = [[]]
        x = 0.0
        for label in self.labels:
            needs = size * 1.3 + fonts.width(label, REGULAR, size) + size
            if x + needs > width and rows[-1]:
                rows.append([])
                x = 0.0
            rows[-1].append((x, label))
            x += needs
        return rows

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return len(self._rows(sheet, width, scale)) * self.size * scale * 1.55

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        for row in self._rows(sheet, width, scale):
            top -= size * 1.55
            for left, label in row:
                symbols.tick_box(sheet, x + left, top + size * 0.28, size * 0.85)
                sheet.text(x + left + size * 1.25, top + size * 0.36, label, size)


# -- the right half: when, with what, whom to call ------------------------------------------------------------
def _right(sheet: Sheet, facts: Facts, household: Household) -> list[Any]:
    language, said = sheet.language, wording()
    blocks: list[Any] = [Heading(_("When we leave"))]
    blocks += [flow.Table([], [[name[language], does[language]] for name, does in said.signals], [0.27, 0.73], size=8,
                          bold=frozenset({0}))]
    blocks += [Space(2), Text(_("Yellow: get ready. Orange or red, or whenever you are told: leave at once. You feel danger:"
                                " do not wait for anybody."), 8.5, BOLD)]
    blocks += [Space(), Heading(_("What we take along")), Items([t[language] for t in said.take], 9, "box")]
    blocks += [Space(), Heading(_("Before and on the way")), Items([t[language] for t in said.leave], 9, "box")]
    blocks += [Space(), Heading(_("Whom we call")), _calls(sheet, facts, household)]
    blocks += [Space(2), Label("   ".join(f"{c.number} {c.name[language]}" for c in said.calls[:3]), PALE, size=9)]
    return blocks


def _calls(sheet: Sheet, facts: Facts, household: Household) -> flow.Table:
    language = sheet.language
    rows: list[list[Any]] = [[_("Who helps us: %(name)s", name=household.helper or "__________"), household.helper_phone or " "]]
    rows += [[post.post[language], post.phone] for post in facts.posts[:4]]
    return flow.Table([], rows, [0.6, 0.4], size=8.5, bold=frozenset({1}))


def _signatures(sheet: Sheet, y: float) -> None:
    """Three fields in one row: who handed the card out, who received it, when."""
    share = ROOM / 3
    for n, label in enumerate((_("Handed out by (seal)"), _("Signature of the household"), _("Date"))):
        x = LEFT + n * share
        sheet.box(x, y, share if n < 2 else RIGHT - x, _SIGNATURES - 8, stroke=INK, line=0.7)
        sheet.text(x + 4, y + _SIGNATURES - 18, label, 7.5, colour=SOFT)
