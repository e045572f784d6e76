"""Tables that several sheets share: shelters, ways, dangers, posts, the ten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_pgettext, ngettext

from portal.shelters.communities import words
from portal.shelters.paper import symbols
from portal.shelters.paper.facts import Danger, Facts, Goal, Way
from portal.shelters.paper.flow import Table
from portal.shelters.paper.sheet import SOFT, Sheet

#: Heads of columns; as single words they mean other things elsewhere.
HEADS: dict[str, Any] = {
    "no": lazy_pgettext("paper", "No."),
    "from": lazy_pgettext("paper", "From"),
    "to": lazy_pgettext("paper", "To"),
    "sign": lazy_pgettext("paper", "Sign"),
    "people": lazy_pgettext("paper", "People"),
    "places": lazy_pgettext("paper", "Places"),
    "step_free": lazy_pgettext("paper", "Step-free"),
    "wind": lazy_pgettext("paper", "Wind"),
    "water": lazy_pgettext("paper", "Flood"),
    "slope": lazy_pgettext("paper", "Slide"),
    "quake": lazy_pgettext("paper", "Quake"),
    "fire": lazy_pgettext("paper", "Fire"),
    "temperature": lazy_pgettext("paper", "Heat, cold"),
}


def more(n: int) -> str:
    """Says how many rows are left out, and where the rest is."""
    return ngettext("%(num)d more: see the page behind the QR code.", "%(num)d more: see the page behind the QR code.", n)


def goal_sign(goal: Goal, family: str) -> Callable[..., None]:
    def draw(sheet: Sheet, x: float, y: float, width: float, size: float) -> None:
        symbols.goal(sheet, x, y, goal.number, goal.space, goal.fits(family), min(size * 1.55, width * 0.8))
    return draw


def danger_sign(danger: Danger) -> Callable[..., None]:
    return lambda sheet, x, y, width, size: symbols.danger(sheet, x, y - size * 0.1, danger.letter, size * 1.5)


def answer_sign(said: bool | None) -> Callable[..., None]:
    return lambda sheet, x, y, width, size: symbols.answer(sheet, x, y, said, size * 0.85)


def capacity(goal: Goal) -> str:
    return _("unknown") if goal.capacity is None else f"{goal.capacity:,}"


def family_heads(facts: Facts, language: str) -> list[Any]:
    """The families in a word each, for the heads of narrow columns."""
    return [HEADS.get(key, name[language]) for key, name in facts.families.items()]


def goals(sheet: Sheet, facts: Facts) -> Table:
    """Every shelter: for which hazards it is suitable, how many it holds, how to get in."""
    language, families = sheet.language, list(facts.families)
    rows = [[goal_sign(g, facts.family), _named(g, language), *(answer_sign(g.fits(key)) for key in families), capacity(g),
             answer_sign(g.step_free), g.phone or "—"] for g in facts.goals]
    heads = [HEADS["no"], _("Shelter, address"), *family_heads(facts, language), HEADS["places"], HEADS["step_free"],
             _("Telephone")]
    narrow = 0.058
    widths = [0.055, 1 - 0.055 - narrow * len(families) - 0.085 - 0.062 - 0.15, *[narrow] * len(families), 0.085, 0.062, 0.15]
    return Table(heads, rows, widths, size=8, more=more)


def _named(goal: Goal, language: str) -> str:
    address = goal.address[language]
    name = goal.name[language] + (_(" (unsafe: do not enter)") if goal.unsafe else "")
    return f"{name}\n{address}" if address else name


def ways(sheet: Sheet, facts: Facts, size: float = 8.5) -> Table:
    """From each starting place: to which shelter, how long, how far."""
    language = sheet.language
    rows: list[list[Any]] = []
    for way in facts.ways:
        goal = facts.goal(way.number)
        if goal is None:
            rows.append([way.origin[language], "—", no_way(way, language), "—"])
        else:
            far = _("%(n)s\u00a0min, %(far)s", n=way.minutes, far=distance(way.metres))
            rows.append([way.origin[language], goal_sign(goal, facts.family), goal.name[language],
                         far + (_(", steps") if way.steps else "")])
    heads = [HEADS["from"], HEADS["no"], HEADS["to"], _("On foot")]
    return Table(heads, rows, [0.3, 0.105, 0.355, 0.24], size=size, bold=frozenset({0}), more=more)


def no_way(way: Way, language: str) -> str:
    return (way.words.get(language) or (_("No safe route: stay where you are, go up to a higher floor, call 119."),))[0]


def distance(metres: float) -> str:
    """A length as people say it; the number stays with its unit."""
    if metres >= 1000:
        return _("%(n)s\u00a0km", n=f"{metres / 1000:.1f}")
    return _("%(n)s\u00a0m", n=max(10, round(metres / 10) * 10))


def dangers(sheet: Sheet, facts: Facts, size: float = 8.5) -> Table:
    language = sheet.language
    rows = [[danger_sign(d), f"{words.RISKS.get(d.kind, d.kind)}: {d.name[language]}" if sheet.language == "en"
             else f"{words.RISKS.get(d.kind, d.kind)}：{d.name[language]}", d.note[language] or "—",
             _("unknown") if d.people is None else f"{d.people:,}"] for d in facts.dangers]
    return Table([HEADS["sign"], _("Danger"), _("What to know"), HEADS["people"]], rows, [0.105, 0.42, 0.305, 0.17], size=size,
                 more=more)


def posts(sheet: Sheet, facts: Facts, size: float = 8.5) -> Table:
    language = sheet.language
    rows = [[p.post[language] + (f"\n{p.task[language]}" if p.task[language] else ""), p.phone] for p in facts.posts]
    return Table([_("Post and task"), _("Duty telephone")], rows, [0.68, 0.32], size=size, bold=frozenset({1}), more=more)


class Ten:
    """The ten "haves" in two columns, each with its sign and its note."""

    def __init__(self, facts: Facts, language: str, size: float = 8.5) -> None:
        self.facts, self.language, self.size = facts, language, size

    def _row(self, scale: float) -> float:
        return self.size * scale * 1.55

    def height(self, sheet: Sheet, width: float, scale: float) -> float:
        return self._row(scale) * 5 + 2

    def draw(self, sheet: Sheet, x: float, top: float, width: float, scale: float) -> None:
        size = self.size * scale
        for n, have in enumerate(self.facts.ten):
            left = x + (n // 5) * width / 2
            base = top - self._row(scale) * (n % 5 + 1) + size * 0.4
            symbols.answer(sheet, left + size * 0.6, base + size * 0.33, have.there, size * 0.95)
            wide = sheet.text(left + size * 1.5, base, have.label, size)
            note = have.note(self.language) if have.there is False else ""
            if note:
                room = width / 2 - size * 2 - wide
                short = sheet.wrap(note, size * 0.82, room, most=1)
                if room > 40 and short:
                    sheet.text(left + size * 1.9 + wide, base, short[0], size * 0.82, colour=SOFT)

    def trim(self) -> int:
        return 0
