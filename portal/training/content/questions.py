"""One question in one language: what its type asks of its words, list, table or YAML."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _

from portal.training.content import markdown
from portal.training.content import scenarios as stories
from portal.training.content.bank_text import EXPLANATION, Block, Line, items, joined
from portal.training.content.faults import Notes
from portal.training.content.fields import Fields
from portal.training.content.markdown import Seen
from portal.training.content.normal import normal
from portal.training.content.rows import Row, same
from portal.training.content.values import HOTSPOT, MULTIPLE, NUMERIC, SINGLE, TEXT, TRUEFALSE, TYPES

OPTIONS, ITEMS, PAIRS, AREAS = (2, 8), (3, 7), (3, 6), (2, 12)
TRUE_FALSE = {"zh": ("对", "错"), "en": ("True", "False")}
_COMMON = ("type", "difficulty", "objective", "rev", "medical", "source")
_OWN = {NUMERIC: ("answer",), TEXT: ("accept",), HOTSPOT: ("image", "alt", "areas")}
_OPTION = re.compile(r"[-*+] +\[([ xX])\] +(.*)\Z")
_NO_OPTION = re.compile(r"[-*+] *\[.?\]")
_ITEM = re.compile(r"\d{1,3}[.)] +(.*)\Z")
_CELL = re.compile(r"(?<!\\)\|")
_DELIMITER = re.compile(r"\s*:?-+:?\s*\Z")


@dataclass(slots=True)
class Half:
    """A question in one language. `facts` must be the same in both, and so must the `shared` of its rows; `own` may differ."""

    id: str
    line: int
    language: str
    type: str
    facts: dict[str, Any]
    source: str
    words: str
    explanation: str
    seen: Seen
    rows: list[Row] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read(block: Block, language: str, notes: Notes) -> Half | None:
    """The question of a block; None where it has no type."""
    at = block.fields
    kind = at.choice("type", TYPES)
    if not kind:
        return None
    at.known((*_COMMON, *_OWN.get(kind, ())))
    medical = at.yes("medical", default=False)
    source = at.text("source", required=medical)
    if source:
        markdown.check(source, at.line("source"), notes, [markdown.WEB])
    half = Half(
        id=block.id, line=block.line, language=language, type=kind,
        facts={"difficulty": at.whole("difficulty", 1, 3), "objective": at.text("objective"),
               "rev": at.whole("rev", 1, 9999), "medical": medical},
        source=source, words="", explanation=_explanation(block, language, notes), seen=Seen(), lines=dict(at.section.lines),
    )
    _READERS[kind](block, half, notes)
    if not half.words:
        notes.add(block.line, _("the question has no words"))
    return half


def _explanation(block: Block, language: str, notes: Notes) -> str:
    text, line = joined(block.explanation)
    if not text:
        notes.add(block.line, _("the explanation is missing; end the question with “### %(heading)s” and what to remember",
                                heading=EXPLANATION[language]))
    markdown.check(text, line, notes)
    return text


def _words(lines: list[Line], half: Half, notes: Notes) -> None:
    half.words, line = joined(lines)
    half.seen = markdown.check(half.words, line, notes, [markdown.PICTURES])


def _choice(block: Block, half: Half, notes: Notes) -> None:
    before, listed = items(block.words, _OPTION.match, notes, feedback=True)
    for number, line in block.words:
        if _NO_OPTION.match(line) and not _OPTION.match(line):
            notes.add(number, _("an option begins with “- [ ] ” where it is wrong and “- [x] ” where it is right"))
    _words(before, half, notes)
    for item in listed:
        if not item.text:
            notes.add(item.line, _("the option is empty"))
        if not item.why:
            notes.add(item.line, _("the option has no feedback; say under it why it is right or wrong: “  > …”"))
        for text in (item.text, item.why):
            markdown.check(text, item.line, notes)
        half.rows.append(Row(item.line, (item.found[1] in "xX",), (item.text, item.why)))
    _check_options(half, notes)


def _check_options(half: Half, notes: Notes) -> None:
    right = sum(row.shared[0] for row in half.rows)
    _check_count(half, OPTIONS, notes)
    _check_twice(half, 0, notes)
    if half.type == SINGLE and right != 1:
        notes.add(half.line, _("exactly one option must be right ([x]); here %(n)s are", n=right))
    elif half.type == MULTIPLE and (not right or right == len(half.rows)):
        notes.add(half.line, _("at least one option must be right ([x]) and at least one wrong"))
    elif half.type == TRUEFALSE:
        wanted = TRUE_FALSE[half.language]
        if tuple(row.texts[0] for row in half.rows) != wanted:
            notes.add(half.line, _("the two options are “%(yes)s” and “%(no)s”, in this order", yes=wanted[0], no=wanted[1]))
        elif right != 1:
            notes.add(half.line, _("exactly one option must be right ([x]); here %(n)s are", n=right))


def _ordering(block: Block, half: Half, notes: Notes) -> None:
    before, listed = items(block.words, _ITEM.match, notes, feedback=False)
    _words(before, half, notes)
    for item in listed:
        markdown.check(item.text, item.line, notes)
        half.rows.append(Row(item.line, (), (item.text,)))
    _check_count(half, ITEMS, notes)
    _check_twice(half, 0, notes)


def _matching(block: Block, half: Half, notes: Notes) -> None:
    first = next((at for at, (_n, line) in enumerate(block.words) if line.lstrip().startswith("|")), len(block.words))
    _words(block.words[:first], half, notes)
    table = [(n, line) for n, line in block.words[first:] if line.strip()]
    rows = [(n, _cells(line)) for n, line in table]
    for number, cells in rows:
        if len(cells) != 2:
            notes.add(number, _("the table has two columns: | left | right |"))
            return
    if len(rows) < 2 or not all(_DELIMITER.match(cell) for cell in rows[1][1]):
        notes.add(half.line, _("the pairs stand in a table of two columns under a header and |---|---|"))
        return
    half.own["heads"] = tuple(rows[0][1])
    half.rows += [Row(number, (), tuple(cells)) for number, cells in rows[2:]]
    for row in half.rows:
        for cell in row.texts:
            markdown.check(cell, row.line, notes)
    _check_count(half, PAIRS, notes)
    _check_twice(half, 0, notes)
    _check_twice(half, 1, notes)


def _cells(line: str) -> list[str]:
    text = line.strip()
    if not text.startswith("|"):
        return []
    return [cell.strip().replace("\\|", "|") for cell in _CELL.split(re.sub(r"(?<!\\)\|\Z", "", text[1:]))]


def _numeric(block: Block, half: Half, notes: Notes) -> None:
    _words(block.words, half, notes)
    if (answer := block.fields.part("answer")) is None:
        return
    answer.known(("value", "tolerance", "unit"))
    value, tolerance = answer.number("value", -1e9, 1e9), answer.number("tolerance", 0, 1e9)
    if value and tolerance >= abs(value):
        answer.bad("tolerance", _("is as large as the value itself; then nearly everything is right"))
    half.facts |= {"value": value, "tolerance": tolerance, "unit": answer.phrase("unit", required=False)}


def _text(block: Block, half: Half, notes: Notes) -> None:
    _words(block.words, half, notes)
    half.own["accept"] = accept = block.fields.texts("accept", 1, 30)
    for one in accept:
        if not normal(one):
            block.fields.bad("accept", _("“%(text)s” is nothing but spaces and punctuation", text=one))


def _hotspot(block: Block, half: Half, notes: Notes) -> None:
    _words(block.words, half, notes)
    at = block.fields
    image, alt = at.text("image"), at.text("alt")
    if image and not (found := markdown.MEDIUM.match(image)):
        at.bad("image", _("must be ../media/name.svg, png or webp, in small letters"))
    elif image and found:
        half.own["image"] = found[1]
        half.seen.pictures.append((found[1], at.line("image")))
    if alt and len(alt) < markdown.LEAST_ALT:
        at.bad("alt", _("say what the picture shows, in at least %(n)s characters", n=markdown.LEAST_ALT))
    half.own["alt"] = alt
    for area in at.parts("areas", *AREAS):
        half.rows.append(_area(area, notes))
    if half.rows and len({row.shared[-1] for row in half.rows}) < 2:
        at.bad("areas", _("at least one area must be right and at least one wrong"))
    _check_areas(half, notes)
    _check_twice(half, 0, notes)


def _area(area: Fields, notes: Notes) -> Row:
    area.known(("id", "x", "y", "w", "h", "label", "right", "feedback"))
    x, y, w, h = (area.number(key, least, 100) for key, least in (("x", 0), ("y", 0), ("w", 1), ("h", 1)))
    if x + w > 100 or y + h > 100:
        area.bad("w", _("the area leaves the picture; x + w and y + h are at most 100"))
    texts = (area.text("label"), area.text("feedback"))
    for text in texts:
        markdown.check(text, area.line("label"), notes)
    return Row(area.section.line, (area.id(), x, y, w, h, area.yes("right", default=False)), texts)


def _check_areas(half: Half, notes: Notes) -> None:
    for n, row in enumerate(half.rows):
        for other in half.rows[:n]:
            if row.shared[0] == other.shared[0]:
                notes.add(row.line, _("%(id)s stands twice", id=row.shared[0]))
            if row.shared[-1] != other.shared[-1] and _overlap(row.shared[1:5], other.shared[1:5]):
                notes.add(row.line, _("a right and a wrong area lie on each other (%(one)s, %(other)s)",
                                      one=other.shared[0], other=row.shared[0]))


def _overlap(one: tuple[Decimal, ...], other: tuple[Decimal, ...]) -> bool:
    (x, y, w, h), (a, b, c, d) = one, other
    return x < a + c and a < x + w and y < b + d and b < y + h


def _scenario(block: Block, half: Half, notes: Notes) -> None:
    opening, half.rows = stories.read(block.words, half.line, half.seen, notes)
    seen = half.seen
    _words(opening, half, notes)
    half.seen.pictures += seen.pictures


def _check_count(half: Half, bounds: tuple[int, int], notes: Notes) -> None:
    least, most = bounds
    if not least <= len(half.rows) <= most:
        notes.add(half.line, _("the question has %(n)s entries; there must be %(least)s to %(most)s", n=len(half.rows),
                               least=least, most=most))


def _check_twice(half: Half, column: int, notes: Notes) -> None:
    seen: set[str] = set()
    for row in half.rows:
        words = same(row.texts[column])
        if words in seen:
            notes.add(row.line, _("says the same as another one above"))
        seen.add(words)


_READERS: dict[str, Callable[[Block, Half, Notes], None]] = {
    SINGLE: _choice, MULTIPLE: _choice, TRUEFALSE: _choice, "ordering": _ordering, "matching": _matching, NUMERIC: _numeric,
    TEXT: _text, HOTSPOT: _hotspot, "scenario": _scenario,
}
