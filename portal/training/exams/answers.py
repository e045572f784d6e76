"""Answers as they are sent and kept: they name places as shown, never as in the bank.

single, truefalse, hotspot: a place. multiple (and a hotspot with several right areas): a list of places. ordering: for each place
shown its rank from 0, or null. matching: for each left-hand side shown the place of the right-hand side, or null. numeric, text:
what was typed.
Null, an empty list, a list of nulls and nothing typed all count as no answer, which is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portal.training.content.values import (
    MULTIPLE,
    Choice,
    Hotspot,
    Matching,
    Numeric,
    Ordering,
    Question,
    ShortText,
)
from portal.training.exams.draw import Drawn

LONGEST = 200
#: What kind of fields a question has: one of several, several of several, a list of choices, a line of text.
ONE, MANY, EACH, LINE = "one", "many", "each", "line"


class Malformed(ValueError):
    """No page of ours sends such a thing."""


def kind(question: Question) -> str:
    if isinstance(question, Ordering | Matching):
        return EACH
    if isinstance(question, Numeric | ShortText):
        return LINE
    if isinstance(question, Hotspot):
        return MANY if sum(area.right for area in question.areas) > 1 else ONE
    return MANY if question.type == MULTIPLE else ONE


def clean(question: Question, drawn: Drawn, raw: Any) -> Any:
    """`raw` as it is kept. Raises :class:`Malformed` where it cannot be an answer to this question."""
    if raw is None:
        return None
    of, size = kind(question), len(drawn.order)
    if of == LINE:
        if not isinstance(raw, str):
            raise Malformed
        held = raw.replace("\0", "").encode("utf-8", "ignore").decode()  # half an emoji, cut by a field's length, is no text
        return held.strip()[:LONGEST] or None
    if of == ONE:
        return _place(raw, size)
    if not isinstance(raw, list) or len(raw) > size:
        raise Malformed
    if of == MANY:
        return sorted({_place(one, size) for one in raw}) or None
    if len(raw) != size:
        raise Malformed
    each = [None if one is None else _place(one, size) for one in raw]
    return each if any(one is not None for one in each) else None


def _place(raw: Any, size: int) -> int:
    if type(raw) is not int or not 0 <= raw < size:
        raise Malformed
    return raw


def from_form(question: Question, drawn: Drawn, at: int, form: Mapping[str, Any]) -> Any:
    """The answer in a plain form; `form` has `getlist`. Raises :class:`Malformed`."""
    of, name = kind(question), f"q{at}"
    sent: Sequence[str] = form.getlist(name)  # type: ignore[attr-defined]
    if of == LINE:
        raw: Any = sent[0] if sent else None
    elif of == ONE:
        raw = _number(sent[0]) if sent else None
    elif of == MANY:
        raw = [_number(one) for one in sent]
    else:
        raw = [_number(form.get(f"{name}.{place}", "")) for place in range(len(drawn.order))]
    return clean(question, drawn, raw)


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise Malformed
    return int(text)


def unshuffled(question: Question, drawn: Drawn, value: Any) -> Any:
    """A kept answer in terms of the bank, as :func:`portal.training.grading.grade` takes it; null stays null."""
    if value is None:
        return None
    if isinstance(question, Ordering):
        return [_only([drawn.order[at] for at, said in enumerate(value) if said == rank]) for rank in range(len(value))]
    if isinstance(question, Matching):
        said = {drawn.order[at]: None if one is None else drawn.other[one] for at, one in enumerate(value)}
        return [said[left] for left in range(len(value))]
    if isinstance(question, Hotspot):
        return [question.areas[drawn.order[one]].id for one in (value if isinstance(value, list) else [value])]
    if isinstance(question, Choice):
        return [drawn.order[one] for one in value] if isinstance(value, list) else drawn.order[value]
    return value


def _only(found: list[int]) -> int | None:
    """The item that alone was given a rank; two at one rank are none."""
    return found[0] if len(found) == 1 else None
