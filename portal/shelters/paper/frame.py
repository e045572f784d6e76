"""What every sheet has around it: its name, for which hazards and when it holds, the QR code, who made it."""

from __future__ import annotations

from flask_babel import gettext as _

from portal.core.clock import local
from portal.shelters.paper.facts import Facts
from portal.shelters.paper.sheet import BOLD, HEIGHT, INK, MARGIN, SOFT, WIDTH, Sheet
from portal.web import fonts

LEFT, RIGHT = MARGIN, WIDTH - MARGIN
ROOM = RIGHT - LEFT
QR = 74.0
HEAD = 84.0
FOOT = 27.0
TOP, BOTTOM = HEIGHT - MARGIN + 6 - HEAD, MARGIN - 8 + FOOT


def as_of(facts: Facts) -> str:
    """The moment of the ways, in the district's zone: `2026-11-25 17:40`."""
    return f"{local(facts.as_of, facts.zone):%Y-%m-%d %H:%M}" if facts.as_of else ""


def basis(facts: Facts) -> str:
    """Which shelters the ways lead to, in words."""
    if facts.basis == "open":
        return _("Ways to the shelters that were open at %(time)s", time=as_of(facts))
    if facts.basis == "plan":
        return _("Plan: ways to all suitable shelters. Ask whether one is open before you leave.")
    return _("No ways are computed yet: the network of streets or the shelters are missing.")


def head(sheet: Sheet, facts: Facts, title: str, *, strip: str = "", caption: str = "") -> None:
    """Title, place, strip and QR code, above TOP."""
    language, top = sheet.language, HEIGHT - MARGIN + 6
    sheet.qr(RIGHT - QR + 6, top - QR + 4, QR, facts.url(language))
    sheet.text(RIGHT - QR / 2 + 6, top - QR - 1, caption or _("Live page"), 7, colour=SOFT, align="centre")
    room = ROOM - QR - 8
    size = 21.0
    while size > 13 and fonts.width(title, BOLD, size) > room:
        size -= 0.5
    sheet.text(LEFT, top - 22, title, size, BOLD)
    place = " · ".join(part for part in (facts.district[language], facts.street[language], facts.name[language]) if part)
    if facts.demonstration:
        wide = sheet.text(LEFT, top - 38, place, 9.5, colour=SOFT)
        _mark(sheet, LEFT + wide + 8, top - 38, _("Demonstration: invented data"))
    else:
        sheet.text(LEFT, top - 38, place, 9.5, colour=SOFT)
    family = facts.families[facts.family][language]
    lines = [_("For: %(hazards)s", hazards=family), strip or basis(facts)]
    sheet.text(LEFT, top - 55, lines[0], 10.5, BOLD)
    for n, line in enumerate(sheet.wrap(lines[1], 8.5, room, most=2)):
        sheet.text(LEFT, top - 67 - n * 10, line, 8.5)
    sheet.rule(LEFT, TOP + 3, RIGHT, TOP + 3, 1.4, INK)


def _mark(sheet: Sheet, x: float, y: float, text: str) -> None:
    wide = fonts.width(text, BOLD, 8)
    sheet.box(x - 3, y - 2.6, wide + 6, 11.5, stroke=INK, line=0.8)
    sheet.text(x, y, text, 8, BOLD)


def foot(sheet: Sheet, facts: Facts, extra: str = "") -> None:
    """Who made it, of when, where it is kept up to date; and what the typeface could not show. Draw it last."""
    language = sheet.language
    y = BOTTOM - 9
    sheet.rule(LEFT, BOTTOM - 1, RIGHT, BOTTOM - 1, 0.8, INK)
    made = [facts.authority[language]]
    if facts.as_of:
        made.append(_("Facts of %(time)s", time=as_of(facts)))
    made.append(_("Version %(version)s", version=facts.version))
    sheet.text(LEFT, y - 1, " · ".join(made), 7.5, colour=SOFT)
    url = facts.url(language)
    sheet.text(RIGHT, y - 11, url, 7.5, colour=SOFT, align="right")
    notes = [extra] if extra else []
    if sheet.lacking:
        notes.append(_("%(sign)s: the typeface lacks %(codes)s; write it in by hand.", sign=fonts.MISSING_SIGN,
                       codes=fonts.named(sheet.lacking)))
    if notes:
        room = ROOM - fonts.width(url, fonts.REGULAR, 7.5) - 10
        sheet.text(LEFT, y - 11, sheet.wrap(" ".join(notes), 7.5, room, BOLD, most=1)[0], 7.5, BOLD)
