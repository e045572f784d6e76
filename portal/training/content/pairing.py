"""A bank in both languages: the same questions in the same form, told twice, become questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from portal.training.content import bank_text, files, questions, unfinished
from portal.training.content.faults import Fault, Notes
from portal.training.content.questions import Half
from portal.training.content.values import (
    HOTSPOT,
    MATCHING,
    MULTIPLE,
    NUMERIC,
    ORDERING,
    SCENARIO,
    SINGLE,
    TEXT,
    TRUEFALSE,
    Area,
    Choice,
    Hotspot,
    Lists,
    Matching,
    Node,
    Numeric,
    Option,
    Ordering,
    Question,
    Scenario,
    ShortText,
    Way,
)
from portal.warnings.hazards import Phrase

Halves = tuple[Half, Half]


def read(directory: Path, bank: str, found: list[Fault]) -> list[tuple[Question, Halves]]:
    """The questions of `banks/<bank>`, each with its two halves; those that are not the same in both languages are noted and
    left out."""
    zh = half_bank(directory, bank, "zh", found)
    en = half_bank(directory, bank, "en", found)
    if zh is None or en is None:
        return []
    notes = {language: Notes(f"{directory.name}/banks/{bank}.{language}.md", found) for language in ("zh", "en")}
    for one, other, language in ((zh, en, "zh"), (en, zh, "en")):
        for name, half in one.items():
            if name not in other:
                notes[language].add(half.line, _("%(id)s is not in the file of the other language", id=name))
    made = []
    for name, half in zh.items():
        if name in en and _is_same(half, en[name], notes["en"]):
            made.append((_question(half, en[name]), (half, en[name])))
    _compare_order([name for name in zh if name in en], [name for name in en if name in zh], en, notes["en"])
    return made


def half_bank(directory: Path, bank: str, language: str, found: list[Fault]) -> dict[str, Half] | None:
    """Id → question of a bank in one language; None where it cannot be read at all."""
    notes = Notes(f"{directory.name}/banks/{bank}.{language}.md", found)
    text = files.text(directory / "banks" / f"{bank}.{language}.md", notes)
    if text is None:
        return None
    unfinished.check(text, notes)
    made: dict[str, Half] = {}
    for block in bank_text.blocks(text, language, notes):
        if block.id in made:
            notes.add(block.line, _("%(id)s stands twice", id=block.id))
        elif (half := questions.read(block, language, notes)) is not None:
            made[block.id] = half
    return made


def _compare_order(zh: list[str], en: list[str], halves: dict[str, Half], notes: Notes) -> None:
    for ours, theirs in zip(en, zh, strict=True):
        if ours != theirs:
            notes.add(halves[ours].line, _("stands where the Chinese file has %(id)s; keep the same order", id=theirs))
            return


def _is_same(zh: Half, en: Half, notes: Notes) -> bool:
    """Whether the English question is the Chinese one; what differs is noted in the English file."""
    if zh.type != en.type:
        notes.add(en.lines.get("type", en.line), _("the type is %(zh)s in the Chinese file", zh=zh.type))
        return False
    same = True
    for key, value in zh.facts.items():
        if en.facts.get(key) != value:
            line = en.lines.get(key, en.lines.get("answer", en.line))
            notes.add(line, f"{key}: " + _("is %(zh)s in the Chinese file; both must be the same", zh=_said(value)))
            same = False
    if len(zh.rows) != len(en.rows):
        notes.add(en.line, _("the Chinese file has %(n)s entries here, this one %(m)s", n=len(zh.rows), m=len(en.rows)))
        return False
    for theirs, ours in zip(zh.rows, en.rows, strict=True):
        if theirs.shared != ours.shared or len(theirs.texts) != len(ours.texts):
            notes.add(ours.line, _("is not what stands in line %(line)s of the Chinese file: the same order, the same right "
                                   "answers, the same ids", line=theirs.line))
            same = False
    if len(zh.seen.pictures) != len(en.seen.pictures):
        notes.add(en.line, _("the Chinese file shows %(n)s pictures here; show the same", n=len(zh.seen.pictures)))
    return same and _is_whole(zh) and _is_whole(en)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value.zh} / {value.en}" if isinstance(value, Phrase) else str(value)


def _is_whole(half: Half) -> bool:
    """Whether a question can be made of it at all; what is missing was noted when it was read."""
    if half.type == HOTSPOT:
        return bool(half.own.get("image"))
    if half.type == MATCHING:
        return "heads" in half.own
    return half.type != NUMERIC or "value" in half.facts


def _question(zh: Half, en: Half) -> Question:
    common: dict[str, Any] = {
        "id": zh.id, "type": zh.type, "line": zh.line,
        **{key: zh.facts[key] for key in ("difficulty", "objective", "rev", "medical")},
        "source": Phrase(zh.source, en.source),
        "words": Phrase(zh.words, en.words),
        "explanation": Phrase(zh.explanation, en.explanation),
    }
    return _MAKERS[zh.type](zh, en, common)


def _texts(zh: Half, en: Half, row: int) -> list[Phrase]:
    return [Phrase(*pair) for pair in zip(zh.rows[row].texts, en.rows[row].texts, strict=True)]


def _choice(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    options = []
    for n, row in enumerate(zh.rows):
        words, feedback = _texts(zh, en, n)
        options.append(Option(words, feedback, row.shared[0]))
    return Choice(**common, options=tuple(options))


def _ordering(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    return Ordering(**common, items=tuple(_texts(zh, en, n)[0] for n in range(len(zh.rows))))


def _matching(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    left, right = (Phrase(*pair) for pair in zip(zh.own["heads"], en.own["heads"], strict=True))
    pairs = []
    for n in range(len(zh.rows)):
        one, other = _texts(zh, en, n)
        pairs.append((one, other))
    return Matching(**common, heads=(left, right), pairs=tuple(pairs))


def _numeric(zh: Half, _en: Half, common: dict[str, Any]) -> Question:
    return Numeric(**common, value=zh.facts["value"], tolerance=zh.facts["tolerance"], unit=zh.facts["unit"])


def _text(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    return ShortText(**common, accept=Lists(zh.own["accept"], en.own["accept"]))


def _hotspot(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    areas = []
    for n, row in enumerate(zh.rows):
        name, x, y, w, h, right = row.shared
        label, feedback = _texts(zh, en, n)
        areas.append(Area(name, x, y, w, h, label, feedback, right))
    return Hotspot(**common, image=Phrase(zh.own["image"], en.own["image"]), alt=Phrase(zh.own["alt"], en.own["alt"]),
                   areas=tuple(areas))


def _scenario(zh: Half, en: Half, common: dict[str, Any]) -> Question:
    nodes = []
    for n, row in enumerate(zh.rows):
        name, outcome, gotos = row.shared
        words, *rest = _texts(zh, en, n)
        ways = tuple(Way(said, goto, why) for said, why, goto in zip(rest[::2], rest[1::2], gotos, strict=True))
        nodes.append(Node(name, words, outcome, ways))
    return Scenario(**common, nodes=tuple(nodes))


_MAKERS: dict[str, Callable[[Half, Half, dict[str, Any]], Question]] = {
    SINGLE: _choice, MULTIPLE: _choice, TRUEFALSE: _choice, ORDERING: _ordering, MATCHING: _matching, NUMERIC: _numeric,
    TEXT: _text, HOTSPOT: _hotspot, SCENARIO: _scenario,
}
