"""Reads whole courses: every file of a folder, and how the files fit each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from portal.training.content import checks, course_file, lessons, media, pairing, practicals
from portal.training.content.faults import Fault
from portal.training.content.values import Course, Module

FOLDER = "courses"


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading one folder: the course, None where its outline cannot be read, and all faults of its files."""

    name: str
    course: Course | None
    faults: list[Fault] = field(repr=False)


def folders(content: Path) -> list[Path]:
    """The folders of courses below a content directory, by name."""
    root = content / FOLDER
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))


def read(directory: Path, *, banks: bool = True) -> Reading:
    """The course in `directory`. Without `banks` its modules have no questions and nothing is said of them: for those who
    show lessons and must not hold an answer key."""
    found: list[Fault] = []
    pictures = media.read(directory / "media", directory.name, found)
    outline = course_file.read(directory, found)
    if outline is None:
        return Reading(directory.name, None, found)
    seen = checks.Everything(directory, outline, pictures)
    modules = []
    for part in outline.parts:
        pairs = [pair for name in part.lessons if lessons.NAME.match(name) and (pair := lessons.read(directory, name, found))]
        asked = pairing.read(directory, part.id, found) if banks else []
        seen.lessons += pairs
        seen.questions += [(part.id, question, halves) for question, halves in asked]
        modules.append(Module(id=part.id, title=part.title, lessons=tuple(pair.lesson for pair in pairs),
                              questions=tuple(question for question, _halves in asked)))
    checklists = [checklist for skill in outline.skills if (checklist := practicals.read(directory, skill, found))]
    course = Course(
        id=outline.id, version=outline.version, title=outline.title, summary=outline.summary, audience=outline.audience,
        hours=outline.hours, validity_months=outline.validity_months, pass_mark=outline.pass_mark, exam=outline.exam,
        renewal=outline.renewal, games=outline.games, notes=outline.notes, modules=tuple(modules), checklists=tuple(checklists),
        media=MappingProxyType(pictures),
    )
    checks.check(seen, course, found, banks=banks)
    return Reading(directory.name, course, found)
