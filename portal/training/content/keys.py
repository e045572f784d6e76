"""keys.lock: what was right in each question when it was last agreed, so that no answer key changes unseen.

A line is ``<question id> <rev> <hash of the answer key>``. Ids that a bank no longer has stay in the file: an id that comes
back with another key must raise `rev` beyond the last one, because answers to it may still be stored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from portal.training.content import files
from portal.training.content.faults import Fault, Notes
from portal.training.content.rows import same
from portal.training.content.values import (
    Choice,
    Course,
    Hotspot,
    Matching,
    Numeric,
    Ordering,
    Question,
    Scenario,
    ShortText,
)

FILE = "keys.lock"
_LINE = re.compile(r"([a-z0-9_-]+) ([1-9]\d{0,3}) ([0-9a-f]{16})\Z", re.ASCII)
_HEAD = "# question, revision, hash of what is right. Written by: anlan content lint --write-keys\n"

Locked = dict[str, tuple[int, str]]


def key_hash(question: Question) -> str:
    """A hash of what is right in `question`: it changes when another answer becomes right, and not when feedback, explanation
    or wrong options are worded better."""
    answer = [question.type, _ANSWERS[type(question)](question)]
    return hashlib.sha256(json.dumps(answer, ensure_ascii=False).encode()).hexdigest()[:16]


def read(directory: Path, found: list[Fault]) -> Locked:
    """Id → (rev, hash) of a course's keys.lock; empty where there is none yet."""
    path = directory / FILE
    notes = Notes(f"{directory.name}/{FILE}", found)
    if not path.exists() or (text := files.text(path, notes)) is None:
        return {}
    locked: Locked = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if (match := _LINE.match(line)) is None:
            notes.add(number, _("cannot be read; restore the file, then run: anlan content lint --write-keys"))
        else:
            locked[match[1]] = (int(match[2]), match[3])
    return locked


def check(directory: Path, course: Course, found: list[Fault]) -> None:
    """Note each question whose key changed without a higher `rev`, and a lock that does not know all questions."""
    locked = read(directory, found)
    unknown = 0
    for module in course.modules:
        notes = Notes(f"{course.id}/banks/{module.id}.zh.md", found)
        for question in module.questions:
            rev, fingerprint = locked.get(question.id, (0, ""))
            if changed := _changed(question, rev, fingerprint):
                notes.add(question.line, changed)
            elif (rev, fingerprint) != (question.rev, key_hash(question)):
                unknown += 1
    if unknown:
        Notes(f"{course.id}/{FILE}", found).add(1, _(
            "%(n)s questions are new or have a new revision; run: anlan content lint --write-keys", n=unknown))


def _changed(question: Question, rev: int, fingerprint: str) -> str:
    """What is wrong with a question that is locked, or nothing."""
    if not fingerprint:
        return ""
    if question.rev < rev:
        return _("rev was %(rev)s before and cannot go back", rev=rev)
    if question.rev == rev and key_hash(question) != fingerprint:
        return _("what is right in %(id)s has changed; set rev: %(rev)s in both languages", id=question.id, rev=rev + 1)
    return ""


def write(directory: Path, course: Course) -> bool:
    """Bring keys.lock in step with the banks; whether it changed. A question whose key changed without a higher `rev` keeps its
    old line, so that the fault stays."""
    locked = read(directory, [])
    for module in course.modules:
        for question in module.questions:
            if not _changed(question, *locked.get(question.id, (0, ""))):
                locked[question.id] = (question.rev, key_hash(question))
    if not locked:
        return False
    text = _HEAD + "".join(f"{name} {rev} {mark}\n" for name, (rev, mark) in sorted(locked.items()))
    path = directory / FILE
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    scratch = path.with_suffix(".lock.new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return True


def _plain(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values]


def _choice(question: Choice) -> Any:
    return [same(option.words.zh) if option.right else "" for option in question.options]


def _hotspot(question: Hotspot) -> Any:
    return [_plain((a.id, a.x, a.y, a.w, a.h, a.right)) for a in question.areas]


def _scenario(question: Scenario) -> Any:
    return [[node.id, node.outcome, [way.goto for way in node.ways]] for node in question.nodes]


_ANSWERS: dict[type, Callable[[Any], Any]] = {
    Choice: _choice,
    Ordering: lambda question: [same(item.zh) for item in question.items],
    Matching: lambda question: [[same(left.zh), same(right.zh)] for left, right in question.pairs],
    Numeric: lambda question: _plain((question.value, question.tolerance, question.unit.zh)),
    ShortText: lambda question: [sorted(question.accept.zh), sorted(question.accept.en)],
    Hotspot: _hotspot,
    Scenario: _scenario,
}
