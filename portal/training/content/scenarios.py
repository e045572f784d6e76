"""Branching scenarios: nodes, the ways between them, and that nobody can get lost or stuck."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from flask_babel import gettext as _

from portal.training.content import markdown
from portal.training.content.bank_text import Line, items, joined, outside_fences
from portal.training.content.faults import Notes
from portal.training.content.fields import is_id
from portal.training.content.markdown import Seen
from portal.training.content.rows import Row
from portal.training.content.values import OUTCOMES

MOST_NODES, MOST_WAYS = 60, 8
_NODE = re.compile(r"### +(.*?)\s*#*\s*\Z")
_WAY = re.compile(r"[-*+] +\[(?P<words>.+)\]\(#(?P<goto>[^)\s]*)\)\s*()\Z")
_OUTCOME = re.compile(r"outcome: *(\w+)\s*\Z")


def read(lines: list[Line], line: int, seen: Seen, notes: Notes) -> tuple[list[Line], list[Row]]:
    """The opening words, and a row for each node: shared (id, outcome, (goto, …)), texts (words, then words and feedback of
    each way). `line`: the question's heading. Pictures of the nodes are added to `seen`."""
    starts = [n - lines[0][0] for n, text in outside_fences(lines) if _NODE.match(text)]
    rows: list[Row] = []
    for start, end in zip(starts[:MOST_NODES], [*starts[1:], len(lines)], strict=False):
        rows.append(_node(lines[start], lines[start + 1 : end], seen, notes))
    if len(starts) > MOST_NODES:
        notes.add(lines[starts[MOST_NODES]][0], _("a scenario has at most %(n)s nodes", n=MOST_NODES))
    if len(rows) < 2:
        notes.add(line, _("a scenario has at least two nodes, each under “### its-id”"))
    else:
        _check_graph(rows, notes)
    return (lines[: starts[0]] if starts else lines), rows


def _node(heading: Line, body: list[Line], seen: Seen, notes: Notes) -> Row:
    number, text = heading
    found = _NODE.match(text)
    name = found[1] if found else ""
    if not is_id(name):
        notes.add(number, _("a node's heading is its id: small letters, digits and hyphens, such as “### smoke-in-the-stairs”"))
    outcome, body = _outcome(body, notes)
    before, ways = items(body, _WAY.match, notes, feedback=True)
    words, at = joined(before)
    if not words:
        notes.add(number, _("the node has no words"))
    seen.pictures += markdown.check(words, at, notes, [markdown.PICTURES]).pictures
    texts = [words]
    for way in ways:
        if not way.why:
            notes.add(way.line, _("say under the choice what comes of it: “  > …”"))
        said = "\n".join([way.found["words"], *way.words[1:]]).strip()
        for part in (said, way.why):
            markdown.check(part, way.line, notes)
        texts += [said, way.why]
    if len(ways) > MOST_WAYS:
        notes.add(number, _("a node has at most %(n)s choices", n=MOST_WAYS))
    _check_end(number, outcome, bool(ways), notes)
    gotos = tuple(way.found["goto"] for way in ways)
    return Row(number, (name, outcome, gotos), tuple(texts), tuple(way.line for way in ways))


def _outcome(body: list[Line], notes: Notes) -> tuple[str, list[Line]]:
    for at, (number, text) in enumerate(body):
        if not text.strip():
            continue
        if not (found := _OUTCOME.match(text)):
            break
        if found[1] not in OUTCOMES:
            notes.add(number, _("the outcome must be one of %(words)s", words=", ".join(OUTCOMES)))
        return found[1], body[at + 1 :]
    return "", body


def _check_end(number: int, outcome: str, goes_on: bool, notes: Notes) -> None:
    if goes_on and outcome:
        notes.add(number, _("a node with choices is no end; remove its outcome"))
    elif not goes_on and not outcome:
        notes.add(number, _("a node without choices is an end and begins with “outcome: good”, fair or bad; "
                            "a choice is written “- [what one does](#next-node)”"))


def _check_graph(rows: list[Row], notes: Notes) -> None:
    by_id: dict[str, Row] = {}
    for row in rows:
        if row.shared[0] in by_id:
            notes.add(row.line, _("%(id)s stands twice", id=row.shared[0]))
        by_id.setdefault(row.shared[0], row)
    forth = {name: [goto for goto in row.shared[2] if goto in by_id] for name, row in by_id.items()}
    back: dict[str, list[str]] = {name: [] for name in by_id}
    for name, row in by_id.items():
        for goto, line in zip(row.shared[2], row.lines, strict=True):
            if goto in by_id:
                back[goto].append(name)
            else:
                notes.add(line, _("a choice leads to “%(id)s”, which is no node of this scenario", id=goto))
    started = _reached([rows[0].shared[0]], forth)
    saved = _reached([name for name, row in by_id.items() if not row.shared[2]], back)
    for name, row in by_id.items():
        if name not in started:
            notes.add(row.line, _("no choice leads to this node"))
        elif name not in saved:
            notes.add(row.line, _("from this node no end can be reached; give it a way out"))
    if not any(row.shared[1] == "good" for row in rows):
        notes.add(rows[0].line, _("at least one end must be “outcome: good”"))


def _reached(begin: Iterable[str], ways: Mapping[str, list[str]]) -> set[str]:
    reached, waiting = set(begin), list(begin)
    while waiting:
        for name in ways[waiting.pop()]:
            if name not in reached:
                reached.add(name)
                waiting.append(name)
    return reached
