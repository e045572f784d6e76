"""Writes questions as a bank, for tests of reading."""

from __future__ import annotations

import json
from collections.abc import Sequence

from portal.training.content.bank_text import EXPLANATION
from portal.training.content.values import (
    Choice,
    Hotspot,
    Matching,
    Numeric,
    Ordering,
    Question,
    Scenario,
    ShortText,
)


def bank(questions: Sequence[Question], language: str) -> str:
    return "# Bank\n\n" + "\n".join(_question(question, language) for question in questions)


def _question(q: Question, language: str) -> str:
    facts = {"type": q.type, "difficulty": q.difficulty, "objective": q.objective, "rev": q.rev, "medical": q.medical,
             "source": q.source[language], **_facts(q, language)}
    head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items() if value != "")
    return (f"## {q.id}\n```yaml\n{head}\n```\n{q.words[language]}\n\n{_body(q, language)}\n"
            f"### {EXPLANATION[language]}\n{q.explanation[language]}\n")


def _facts(q: Question, language: str) -> dict:
    if isinstance(q, Numeric):
        return {"answer": {"value": float(q.value), "tolerance": float(q.tolerance), "unit": {"zh": q.unit.zh, "en": q.unit.en}}}
    if isinstance(q, ShortText):
        return {"accept": list(q.accept[language])}
    if isinstance(q, Hotspot):
        return {"image": f"../media/{q.image[language]}", "alt": q.alt[language], "areas": [
            {"id": a.id, "x": float(a.x), "y": float(a.y), "w": float(a.w), "h": float(a.h), "label": a.label[language],
             "right": a.right, "feedback": a.feedback[language]} for a in q.areas]}
    return {}


def _body(q: Question, language: str) -> str:
    if isinstance(q, Choice):
        return "".join(f"- [{'x' if o.right else ' '}] {o.words[language]}\n  > {o.feedback[language]}\n" for o in q.options)
    if isinstance(q, Ordering):
        return "".join(f"1. {item[language]}\n" for item in q.items)
    if isinstance(q, Matching):
        rows = [q.heads, *q.pairs]
        lines = [f"| {_cell(a[language])} | {_cell(b[language])} |\n" for a, b in rows]
        return "".join([lines[0], "|---|---|\n", *lines[1:]])
    if isinstance(q, Scenario):
        return "".join(f"### {n.id}\n" + (f"outcome: {n.outcome}\n" if n.outcome else "") + f"{n.words[language]}\n\n" + "".join(
            f"- [{w.words[language]}](#{w.goto})\n  > {w.feedback[language]}\n" for w in n.ways) for n in q.nodes)
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
