"""Lessons: one file a language, with front matter; both are held against each other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flask_babel import gettext as _

from portal.training.content import files, markdown, yaml_text
from portal.training.content.faults import Fault, Notes
from portal.training.content.fields import Fields
from portal.training.content.markdown import Seen
from portal.training.content.values import Lesson, Lists
from portal.warnings.hazards import Phrase

NAME = re.compile(r"(\d\d)-[a-z0-9]+(?:-[a-z0-9]+)*\Z", re.ASCII)
#: Bytes of a lesson's text, so that its page stays below 30 KB.
MOST_TEXT = 18_000
_FENCE = "---"
_KEYS = ("id", "title", "minutes", "objectives", "key_points", "sources")
_IN_TEXT = (markdown.HEADINGS, markdown.PICTURES, markdown.LESSONS)
OBJECTIVES, KEY_POINTS, SOURCES = (2, 5), (3, 7), (1, 20)


@dataclass(frozen=True, slots=True)
class Half:
    """A lesson in one language. `lines`: where each key of the front matter stands; `body`: the text's first line."""

    file: str
    id: str
    title: str
    minutes: int
    objectives: tuple[str, ...]
    key_points: tuple[str, ...]
    sources: tuple[str, ...]
    text: str
    seen: Seen
    lines: dict[str, int]
    body: int


@dataclass(frozen=True, slots=True)
class Pair:
    """A lesson, and what its two texts hold."""

    lesson: Lesson
    halves: tuple[Half, Half]


def read(directory: Path, name: str, found: list[Fault]) -> Pair | None:
    """The lesson `name` of the course in `directory`; None where one of its languages cannot be read."""
    halves = [_half(directory, name, language, found) for language in ("zh", "en")]
    if halves[0] is None or halves[1] is None:
        return None
    zh, en = halves[0], halves[1]
    _compare(zh, en, Notes(en.file, found))
    lesson = Lesson(
        id=zh.id,
        number=int(name[:2]),
        name=name,
        title=Phrase(zh.title, en.title),
        minutes=zh.minutes,
        objectives=tuple(map(Phrase, zh.objectives, en.objectives)),
        key_points=tuple(map(Phrase, zh.key_points, en.key_points)),
        sources=Lists(zh.sources, en.sources),
        text=Phrase(zh.text, en.text),
    )
    return Pair(lesson, (zh, en))


def _half(directory: Path, name: str, language: str, found: list[Fault]) -> Half | None:
    path = directory / "lessons" / f"{name}.{language}.md"
    notes = Notes(f"{directory.name}/lessons/{path.name}", found)
    if (text := files.text(path, notes)) is None:
        return None
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), 0)
    if lines[0].rstrip() != _FENCE or not end:
        notes.add(1, _("a lesson begins with its front matter between two lines of ---"))
        return None
    tree = yaml_text.load("\n".join(lines[1:end]), notes, before=1)
    if tree is None:
        return None
    at = Fields(tree, notes)
    at.known(_KEYS)
    body = "\n".join(lines[end + 1:])
    if not body.strip():
        notes.add(end + 1, _("the lesson has no text"))
    if len(body.encode()) > MOST_TEXT:
        notes.add(end + 1, _("the text has more than %(size)s KB; on a bus that is two lessons", size=MOST_TEXT // 1000))
    half = Half(
        file=notes.file,
        id=at.id(),
        title=at.text("title"),
        minutes=at.whole("minutes", 1, 240),
        objectives=at.texts("objectives", *OBJECTIVES),
        key_points=at.texts("key_points", *KEY_POINTS),
        sources=at.texts("sources", *SOURCES),
        text=body,
        seen=markdown.check(body, end + 2, notes, _IN_TEXT),
        lines=dict(tree.lines),
        body=end + 2,
    )
    for key in ("objectives", "key_points", "sources"):
        for sentence in getattr(half, key):
            markdown.check(sentence, at.line(key), notes, [markdown.WEB] if key == "sources" else ())
    return half if half.id else None


def _compare(zh: Half, en: Half, notes: Notes) -> None:
    """Note where the English lesson is another lesson than the Chinese one."""
    for key in ("id", "minutes"):
        if getattr(zh, key) != getattr(en, key):
            notes.add(en.lines.get(key, 1), f"{key}: " + _("is %(zh)s in the Chinese file; both must be the same",
                                                           zh=getattr(zh, key)))
    for key in ("objectives", "key_points"):
        if (many := len(getattr(zh, key))) != len(getattr(en, key)):
            notes.add(en.lines.get(key, 1), f"{key}: " + _("the Chinese file has %(n)s; say the same, one by one", n=many))
    compare_text(zh.seen, en.seen, en.body, notes)


def compare_text(zh: Seen, en: Seen, line: int, notes: Notes) -> None:
    """Note where two texts differ in their headings or their pictures; `line` is where the English one begins."""
    ours, theirs = [level for level, _line in en.headings], [level for level, _line in zh.headings]
    if ours != theirs:
        at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
        where = en.headings[at][1] if at < len(ours) else line
        notes.add(where, _("the headings are not those of the Chinese file (%(zh)s there, %(en)s here)", zh=_marks(theirs),
                           en=_marks(ours)))
    if len(zh.pictures) != len(en.pictures):
        notes.add(en.pictures[-1][1] if en.pictures else line, _("the Chinese file shows %(n)s pictures here; show the same",
                                                                 n=len(zh.pictures)))


def _marks(levels: list[int]) -> str:
    return " ".join("#" * level for level in levels) or "–"
