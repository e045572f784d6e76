"""The text of a bank, cut into its questions: heading, YAML, words, explanation. What the words are is for questions.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from portal.training.content import yaml_text
from portal.training.content.faults import Notes
from portal.training.content.fields import Fields, is_id

MOST_QUESTIONS = 1000
EXPLANATION = {"zh": "解析", "en": "Explanation"}
_QUESTION = re.compile(r"## +(.*?)\s*#*\s*\Z")
_HEADING = re.compile(r"(#{1,6}) +(.*?)\s*#*\s*\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_QUOTE = re.compile(r"(\s*)> ?(.*)\Z")

#: A line and its number in the file.
Line = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One question as it stands. `words` are the lines between the YAML and the explanation."""

    id: str
    line: int
    fields: Fields
    words: list[Line]
    explanation: list[Line]


@dataclass(slots=True)
class Item:
    """An entry of a list with what stands under it. `found` is the match of its first line."""

    line: int
    found: re.Match[str]
    words: list[str]
    feedback: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.words).strip()

    @property
    def why(self) -> str:
        return "\n".join(self.feedback).strip()


def blocks(text: str, language: str, notes: Notes) -> Iterator[Block]:
    """The questions of a bank that are whole enough to be read; everything else is noted."""
    lines = list(enumerate(text.split("\n"), 1))
    starts = [n for n, line in outside_fences(lines) if line.startswith("## ")]
    for number, line in lines[: starts[0] - 1 if starts else len(lines)]:
        if line.strip() and not line.startswith("# "):
            notes.add(number, _("only the title (# …) may stand above the first question"))
            break
    if not starts:
        notes.add(1, _("has no question; each begins with its id, such as “## dis-001”"))
    if len(starts) > MOST_QUESTIONS:
        notes.add(starts[MOST_QUESTIONS], _("a bank has at most %(n)s questions", n=MOST_QUESTIONS))
    for start, end in zip(starts[:MOST_QUESTIONS], [*starts[1:], len(lines) + 1], strict=False):
        if (block := _block(lines[start - 1 : end - 1], language, notes)) is not None:
            yield block


def _block(lines: list[Line], language: str, notes: Notes) -> Block | None:
    line, heading = lines[0]
    name = found[1] if (found := _QUESTION.match(heading)) else ""
    if not is_id(name):
        notes.add(line, _("a question's heading is its id: small letters, digits and hyphens, such as “## dis-001”"))
        return None
    body = lines[1:]
    while body and not body[0][1].strip():
        body.pop(0)
    end = next((n for n, (_at, text) in enumerate(body[1:], 1) if text.rstrip() == "```"), 0)
    if not body or body[0][1].rstrip() not in ("```yaml", "```yml") or not end:
        notes.add(line, _("under the heading stands a block ```yaml … ``` with type, difficulty, objective and rev"))
        return None
    tree = yaml_text.load("\n".join(text for _at, text in body[1:end]), notes, before=body[0][0])
    if tree is None:
        return None
    words, explanation = _parted(body[end + 1 :], language)
    return Block(name, line, Fields(tree, notes), words, explanation)


def _parted(lines: list[Line], language: str) -> tuple[list[Line], list[Line]]:
    """The words, and what stands under the heading of the explanation; nothing where it is missing."""
    for number, line in outside_fences(lines):
        if (found := _HEADING.match(line)) and found[1] == "###" and found[2] == EXPLANATION[language]:
            at = number - lines[0][0]
            return lines[:at], lines[at + 1 :]
    return lines, []


def outside_fences(lines: Sequence[Line]) -> Iterator[Line]:
    fence = ""
    for number, line in lines:
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif found:
            fence = found[1]
        else:
            yield number, line


def items(lines: list[Line], begins: Callable[[str], re.Match[str] | None], notes: Notes, *,
          feedback: bool) -> tuple[list[Line], list[Item]]:
    """The lines above a list, and its entries. `begins` says of a line whether an entry begins there (its last group is the
    entry's first words); with `feedback` each may be followed by indented lines that begin with >."""
    first = next((at for at, (_n, line) in enumerate(lines) if begins(line)), len(lines))
    made: list[Item] = []
    for number, line in lines[first:]:
        if found := begins(line):
            made.append(Item(number, found, [found[found.re.groups].strip()], []))
        elif line.strip():
            _continue(made[-1], number, line, notes, feedback=feedback)
    return lines[:first], made


def _continue(item: Item, number: int, line: str, notes: Notes, *, feedback: bool) -> None:
    if feedback and (found := _QUOTE.match(line)):
        if not found[1]:
            notes.add(number, _("indent the feedback by two spaces, so that it belongs to its option"))
        item.feedback.append(found[2].strip())
    elif not line.startswith((" ", "\t")):
        notes.add(number, _("does not belong to the list above; the question's words stand before the list"))
    elif item.feedback:
        notes.add(number, _("each line of the feedback begins with >"))
    else:
        item.words.append(line.strip())


def joined(lines: Sequence[Line]) -> tuple[str, int]:
    """The text of some lines, and the number of its first line that is not empty."""
    kept = list(lines)
    while kept and not kept[0][1].strip():
        kept.pop(0)
    return "\n".join(line for _n, line in kept).strip(), kept[0][0] if kept else (lines[0][0] if lines else 1)
