"""Drafts as the text of a bank, in one language. What is missing is marked, so that lint names it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from portal.training.content.bank_text import EXPLANATION
from portal.training.content.unfinished import WRITE
from portal.training.content.values import MATCHING, MULTIPLE, NUMERIC, ORDERING, SINGLE, TEXT, TRUEFALSE
from portal.training.exchange.drafts import Draft


def bank(drafts: Sequence[Draft], language: str) -> str:
    """The questions one below the other, without the title of a bank."""
    return "\n".join(question(draft, language) for draft in drafts)


def question(draft: Draft, language: str) -> str:
    """One question, with an empty line behind it."""
    head = "\n".join(f"{key}: {value}" for key, value in _head(draft))
    parts = [f"## {draft.id}", f"```yaml\n{head}\n```", "", draft.words or WRITE, ""]
    if body := _body(draft):
        parts += [body, ""]
    return "\n".join([*parts, f"### {EXPLANATION[language]}", draft.explanation or WRITE, ""])


def _head(draft: Draft) -> list[tuple[str, str]]:
    made: list[tuple[str, Any]] = [
        ("type", draft.type), ("difficulty", draft.difficulty), ("objective", draft.objective), ("rev", draft.rev),
        ("medical", "true" if draft.medical else "false")]
    if draft.source:
        made.append(("source", _quoted(draft.source)))
    if draft.type == NUMERIC:
        inner = f"value: {_number(draft.value)}, tolerance: {_number(draft.tolerance)}"
        if any(draft.unit):
            inner += f", unit: {{zh: {_quoted(draft.unit[0])}, en: {_quoted(draft.unit[1])}}}"
        made.append(("answer", f"{{{inner}}}"))
    if draft.type == TEXT:
        made.append(("accept", f"[{', '.join(map(_quoted, draft.accept))}]"))
    return [(key, str(value)) for key, value in made]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _number(value: Decimal) -> str:
    """As YAML writes a number, never with an exponent."""
    return f"{value:f}"


def _body(draft: Draft) -> str:
    if draft.type in (SINGLE, MULTIPLE, TRUEFALSE):
        return "\n".join(f"- [{'x' if one.right else ' '}] {one.words}\n  > {one.feedback or WRITE}" for one in draft.options)
    if draft.type == ORDERING:
        return "\n".join(f"{n}. {item}" for n, item in enumerate(draft.items, 1))
    if draft.type == MATCHING:
        rows = [f"| {_cell(left)} | {_cell(right)} |" for left, right in (draft.heads, *draft.pairs)]
        return "\n".join([rows[0], "|---|---|", *rows[1:]])
    return ""


def _cell(text: str) -> str:
    """A cell of a table: our banks write its line as it is, and the sign between two cells with a stroke before it."""
    return (text or WRITE).replace("\\|", "|").replace("|", "\\|")
