"""Questions as GIFT, in one language: what another program can read, and what only we can read in comments.

Texts go out as Markdown, which Moodle knows. Scenarios and pictures to point at have no form in GIFT.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal

from flask_babel import gettext as _

from portal.training.content.values import (
    MULTIPLE,
    TRUEFALSE,
    Choice,
    Matching,
    Module,
    Numeric,
    Ordering,
    Question,
    ShortText,
)
from portal.training.exchange.drafts import Untaken

_ESCAPED = re.compile(r"([\\:#={}~])")
_PICTURE = re.compile(r"!\[([^\]]*)\]\(\.\./media/[^)]*\)")


def module(given: Module, language: str) -> tuple[str, list[Untaken]]:
    """The bank of a module, and what has no form in GIFT."""
    parts, left = [f"$CATEGORY: {given.id}\n"], list[Untaken]()
    for question in given.questions:
        written = one(question, language)
        if written is None:
            left.append(Untaken(question.line, question.id, _("has no form in GIFT: %(type)s", type=question.type)))
        else:
            parts.append(written)
    return "\n".join(parts), left


def one(question: Question, language: str) -> str | None:
    """One question with its comments; None for one that GIFT cannot say."""
    inside = _inside(question, language)
    if inside is None:
        return None
    general = f"####{_part(question.explanation[language])}" if question.explanation[language] else ""
    facts = {"difficulty": question.difficulty, "objective": question.objective, "rev": question.rev, "medical": question.medical}
    facts |= {"source": question.source[language]} if question.source[language] else {}
    if isinstance(question, Numeric) and (question.unit.zh or question.unit.en):
        facts["unit"] = [question.unit.zh, question.unit.en]
    if isinstance(question, Matching):
        facts["heads"] = [head[language] for head in question.heads]
    return (f"// [id:{question.id}]\n// anlan {json.dumps(facts, ensure_ascii=False)}\n"
            f"::{question.id}::[markdown]{_escape(question.words[language])}{{{inside}{general}}}\n")


def pictures(question: Question, language: str) -> Sequence[str]:
    """What the pictures of a question show; GIFT takes the words along and not the pictures."""
    return _PICTURE.findall(question.words[language])


def _inside(question: Question, language: str) -> str | None:
    if isinstance(question, Choice):
        return _choice(question, language)
    if isinstance(question, Ordering):
        items = "".join(f"{_part(item[language])}\n" for item in question.items)
        return f">{len(question.items)} ALL VERTICAL RELATIVE_NEXT_EXCLUDE_LAST SHOW none\n{items}"
    if isinstance(question, Matching):
        pairs = [(left[language], right[language]) for left, right in question.pairs]
        if any("->" in text for pair in pairs for text in pair):
            return None
        return "".join(f"={_part(left)} -> {_part(right)}\n" for left, right in pairs)
    if isinstance(question, Numeric):
        return f"#{_number(question.value)}:{_number(question.tolerance)}"
    if isinstance(question, ShortText):
        accept = question.accept[language]
        if any("->" in text for text in accept):
            return None
        return "".join("=%100%" + _escape(text.replace("*", "\\*")) + " " for text in accept)  # a bare * would be a pattern
    return None


def _choice(question: Choice, language: str) -> str:
    if question.type == TRUEFALSE:
        right = question.options[0].right
        told = {option.right: _part(option.feedback[language]) for option in question.options}
        return f"{'TRUE' if right else 'FALSE'}#{told[False]}#{told[True]}"
    rights = sum(option.right for option in question.options)
    lines = []
    for option in question.options:
        if question.type == MULTIPLE:
            share = f"{100 / rights:.5f}".rstrip("0").rstrip(".")
            mark = f"~%{'' if option.right else '-'}{share}%"
        else:
            mark = "=%100%" if option.right else "~%0%"
        feedback = f"#{_part(option.feedback[language])}" if option.feedback[language] else ""
        lines.append(f"{mark}{_part(option.words[language])}{feedback}\n")
    return "\n" + "".join(lines)


def _part(text: str) -> str:
    """A text within the answers; one that begins as a format does says its own."""
    return ("[markdown]" if text.lstrip().startswith("[") else "") + _escape(text)


def _escape(text: str) -> str:
    return _ESCAPED.sub(r"\\\1", text).replace("\n", "\\n")


def _number(value: Decimal) -> str:
    return f"{value:f}"
