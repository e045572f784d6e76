"""Reads `content/guides`: two files for each guide, `<id>.zh.md` and `<id>.en.md`, and pictures in `media`.

What is wrong is told with file, line and advice, in the language of the context; a guide with faults in what it must have is not
shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from portal.core.i18n import LANGUAGES
from portal.guides import text
from portal.guides.text import Text
from portal.guides.values import ADVICE, GROUPS, KINDS, OPTIONAL, SECTIONS, TICKS, Guide, Section
from portal.training.content import files, media
from portal.training.content.faults import Fault, Notes
from portal.training.content.markdown import LEAST_ALT
from portal.training.content.values import Lists, Medium
from portal.warnings.hazards import Phrase

FOLDER = "guides"
#: Guides that are read.
MOST = 200
_NAME = re.compile(r"([a-z][a-z0-9-]{1,39})\.(zh|en)\.md\Z")
#: What the front matter holds; those that must stand in both languages alike; those without which there is no guide.
KEYS = ("id", "kind", "group", "title", "summary", "hazards", "keywords", "updated", "sources", "figure", "alt")
SAME = ("id", "kind", "group", "hazards", "updated", "figure")
NEEDED = ("id", "group", "title", "hazards", "summary", "updated", "sources")


@dataclass(frozen=True)
class Reading:
    guides: tuple[Guide, ...]
    faults: tuple[Fault, ...]


def read(content: Path, events: Collection[str] | None = None) -> Reading:
    """All guides of a content directory in the order of groups and titles' ids. `events`: the codes that are known; None: any."""
    folder = content / FOLDER
    found: list[Fault] = []
    pictures = media.read(folder / "media", FOLDER, found)
    pairs: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("*.md")) if folder.is_dir() else ():
        if (match := _NAME.match(path.name)) and not path.is_symlink():
            pairs.setdefault(match[1], {})[match[2]] = path
        else:
            Notes(f"{FOLDER}/{path.name}", found).add(1, _("guides are named <id>.zh.md and <id>.en.md, in small letters"))
    names = list(pairs)[:MOST]
    guides = [guide for name in names if (guide := _guide(name, pairs[name], pictures, pairs, events, found))]
    order = list(GROUPS)
    return Reading(tuple(sorted(guides, key=lambda g: (order.index(g.group), g.id))), tuple(sorted(found)))


def _guide(name: str, paths: dict[str, Path], pictures: dict[str, Medium], known: Collection[str],
           events: Collection[str] | None, found: list[Fault]) -> Guide | None:
    texts: dict[str, Text] = {}
    notes: dict[str, Notes] = {}
    for language in LANGUAGES:
        notes[language] = Notes(f"{FOLDER}/{name}.{language}.md", found)
        if language not in paths:
            notes[language].add(1, _("is missing: every guide is there in both languages"))
            continue
        if (body := files.text(paths[language], notes[language])) is None:
            continue
        if one := text.read(body, notes[language]):
            texts[language] = one
            _check(name, one, language, pictures, known, events, notes[language])
    if len(texts) < len(LANGUAGES) or not all(n.clean for n in notes.values()):
        return None
    zh, en = texts["zh"], texts["en"]
    _same(zh, en, notes["en"])
    return _made(zh, en, pictures) if notes["en"].clean else None


def _check(name: str, one: Text, language: str, pictures: Collection[str], known: Collection[str],
           events: Collection[str] | None, notes: Notes) -> None:
    front, line = one.front, lambda key: one.lines.get(key, 1)
    for key in front.keys() - set(KEYS):
        notes.add(line(key), _("“%(key)s” is not known; known are %(known)s", key=key, known=", ".join(KEYS)))
    for key in NEEDED:
        if front.get(key) is None or front[key] == "" or (key == "sources" and not front[key]):
            notes.add(line(key), _("“%(key)s” is missing in the front matter", key=key))
    for key in ("title", "summary", "alt", "figure"):
        if key in front and not isinstance(front[key], str):
            notes.add(line(key), _("“%(key)s” is a text", key=key))
    for key in ("hazards", "keywords", "sources"):
        if not _is_list(front.get(key, [])):
            notes.add(line(key), _("“%(key)s” is a list of texts; codes stand in quotes", key=key))
    if front.get("id") not in (None, name):
        notes.add(line("id"), _("the id is the name of the file: %(name)s", name=name))
    if front.get("group") not in (None, *GROUPS):
        notes.add(line("group"), _("the group is one of %(known)s", known=", ".join(GROUPS)))
    if front.get("kind", ADVICE) not in KINDS:
        notes.add(line("kind"), _("the kind is one of %(known)s", known=", ".join(KINDS)))
    if "updated" in front and (not isinstance(front["updated"], date) or isinstance(front["updated"], datetime)):
        notes.add(line("updated"), _("“updated” is a day, such as 2026-11-25"))
    for code in front.get("hazards", []) if _is_list(front.get("hazards", [])) else ():
        if events is not None and code not in events:
            notes.add(line("hazards"), _("the hazard %(code)s is not in content/hazards", code=code))
    if isinstance(figure := front.get("figure"), str) and figure not in pictures:
        notes.add(line("figure"), _("the picture %(name)s is not in guides/media, or has faults", name=figure))
    if figure is not None and len(str(front.get("alt", ""))) < LEAST_ALT:
        notes.add(line("figure"), _("“alt” says what the picture shows, in at least %(n)s characters", n=LEAST_ALT))
    for target, at in one.links:
        if target not in known:
            notes.add(at, _("there is no guide %(name)s", name=target))
    _sections(one, language, front.get("kind", ADVICE), notes)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)


def _sections(one: Text, language: str, kind: str, notes: Notes) -> None:
    for part in one.parts:
        if not part.items:
            notes.add(part.line, _("the section “%(title)s” has no item", title=part.title))
        if part.ticks != (kind == TICKS):
            notes.add(part.line, _("items to tick (- [ ]) belong to guides of the kind “ticks”, which have no others"))
    if kind == TICKS:
        if not one.parts:
            notes.add(1, _("the list has no section (## …)"))
        return
    titles = [part.title for part in one.parts]
    wanted = {key: title[language] for key, title in SECTIONS.items()}
    for part in one.parts:
        if part.title not in wanted.values():
            notes.add(part.line, _("“%(title)s” is no section of a guide; they are %(known)s", title=part.title,
                                   known=", ".join(wanted.values())))
    for key, title in wanted.items():
        if title not in titles and key not in OPTIONAL:
            notes.add(1, _("the section “%(title)s” is missing", title=title))
    there = [title for title in titles if title in wanted.values()]
    if there != [title for title in wanted.values() if title in there]:
        notes.add(one.parts[0].line, _("each section stands once, in this order: %(known)s", known=", ".join(wanted.values())))


def _same(zh: Text, en: Text, notes: Notes) -> None:
    """Both languages say the same things: the same sections, each with as many items."""
    for key in SAME:
        if zh.front.get(key) != en.front.get(key):
            notes.add(en.lines.get(key, 1), _("“%(key)s” is another one in Chinese", key=key))
    if len(zh.parts) != len(en.parts):
        notes.add(en.parts[-1].line, _("%(here)s sections here, %(there)s in Chinese", here=len(en.parts), there=len(zh.parts)))
        return
    for ours, theirs in zip(en.parts, zh.parts, strict=True):
        if len(ours.items) != len(theirs.items):
            notes.add(ours.line, _("“%(title)s” has %(here)s items here, %(there)s in Chinese", title=ours.title,
                                   here=len(ours.items), there=len(theirs.items)))


def _made(zh: Text, en: Text, pictures: dict[str, Medium]) -> Guide:
    def both(key: str) -> Phrase:
        return Phrase(zh.front.get(key, ""), en.front.get(key, ""))

    def lists(key: str) -> Lists:
        return Lists(tuple(zh.front.get(key, ())), tuple(en.front.get(key, ())))

    front = zh.front
    keys = {title.zh: key for key, title in SECTIONS.items()}
    sections = tuple(Section(keys.get(a.title, str(n)), Phrase(a.title, b.title), Lists(tuple(a.items), tuple(b.items)))
                     for n, (a, b) in enumerate(zip(zh.parts, en.parts, strict=True), 1))
    return Guide(id=front["id"], kind=front.get("kind", ADVICE), group=front["group"], title=both("title"),
                 summary=both("summary"), hazards=tuple(front["hazards"]), keywords=lists("keywords"),
                 updated=front["updated"], sources=lists("sources"),
                 figure=pictures[front["figure"]] if "figure" in front else None, alt=both("alt"), sections=sections)
