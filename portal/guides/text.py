"""One file of a guide, in one language: its front matter and its sections, each with the line where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from flask_babel import gettext as _

from portal.training.content import markdown, yaml_text
from portal.training.content.faults import Notes

#: Characters of one file.
MOST_CHARACTERS = 20_000
_HEADING = re.compile(r"##\s+(.+?)\s*\Z")
_ITEM = re.compile(r"[-*]\s+(?:\[([ xX])\]\s+)?(.+?)\s*\Z")


@dataclass(slots=True)
class Part:
    """A heading with the items below it. `ticks`: whether each item has a box."""

    title: str
    line: int
    items: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ticks: bool = False


@dataclass(slots=True)
class Text:
    """`lines` tells where each key of `front` stands; `links` the guides that it leads to, each with its line."""

    front: dict[str, Any]
    lines: dict[str, int]
    parts: list[Part]
    links: list[tuple[str, int]]


def read(text: str, notes: Notes) -> Text | None:
    """None where the file has no front matter that can be read; what is wrong is noted."""
    if len(text) > MOST_CHARACTERS:
        notes.add(1, _("a guide has at most %(n)s characters; make two of it", n=MOST_CHARACTERS))
        return None
    rows = text.split("\n")
    if rows[0].strip() != "---" or "---" not in (row.strip() for row in rows[1:]):
        notes.add(1, _("begin the file with its front matter between two lines of ---"))
        return None
    end = next(n for n, row in enumerate(rows[1:], 1) if row.strip() == "---")
    front = yaml_text.load("\n".join(rows[1:end]), notes, before=1)
    if front is None:
        return None
    links: list[tuple[str, int]] = []
    parts = _parts(rows[end + 1:], end + 2, notes)
    for part in parts:
        for item, line in zip(part.items, part.lines, strict=True):
            links += markdown.check(item, line, notes, (markdown.LESSONS,)).lessons
    return Text(front, front.lines, parts, links)


def _parts(rows: list[str], first: int, notes: Notes) -> list[Part]:
    """Headings and items. An item goes on in the lines below it that begin with two spaces."""
    parts: list[Part] = []
    for line, row in enumerate(rows, first):
        if not row.strip():
            continue
        if found := _HEADING.match(row):
            parts.append(Part(found[1], line))
        elif not parts:
            notes.add(line, _("the text begins with a section, such as “## %(title)s”", title="之前"))
        elif found := _ITEM.match(row):
            parts[-1].items.append(found[2])
            parts[-1].lines.append(line)
            parts[-1].ticks |= found[1] is not None
        elif row.startswith("  ") and parts[-1].items:
            parts[-1].items[-1] += " " + row.strip()
        else:
            notes.add(line, _("below a heading (##) stands a list, each item beginning with “- ”; no raw HTML"))
    return parts
