"""course.yaml: what a course is, which lessons each module has, how its exam is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from flask_babel import gettext as _

from portal.training.content import files, yaml_text
from portal.training.content.faults import Fault, Notes
from portal.training.content.fields import Fields, is_id
from portal.training.content.values import FEEDBACK, Exam, Hours, Renewal
from portal.warnings.hazards import Phrase

FILE = "course.yaml"
MOST_MODULES, MOST_LESSONS, MOST_SKILLS = 30, 60, 30
_KEYS = ("id", "version", "title", "summary", "for", "hours", "validity_months", "pass_mark", "exam", "practical", "renewal",
         "games", "notes", "modules")
_EXAM = ("minutes", "grace_seconds", "attempts", "wait_hours", "one_at_a_time", "feedback", "draw")


@dataclass(frozen=True, slots=True)
class Part:
    """A module as course.yaml names it. `lessons` are names of files without language and ending; `line` of each beside."""

    id: str
    title: Phrase
    lessons: tuple[str, ...]
    lines: tuple[int, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """course.yaml as it stands, before the files that it names are read. `lines`: where each of its keys stands."""

    id: str
    version: str
    title: Phrase
    summary: Phrase
    audience: Phrase
    hours: Hours
    validity_months: int
    pass_mark: int
    exam: Exam | None
    skills: tuple[str, ...]
    renewal: Renewal
    games: tuple[str, ...]
    notes: Phrase
    parts: tuple[Part, ...]
    lines: dict[str, int]


def read(directory: Path, found: list[Fault]) -> Outline | None:
    """The outline of the course in `directory`; None where course.yaml cannot be read at all."""
    notes = Notes(f"{directory.name}/{FILE}", found)
    if not is_id(directory.name):
        notes.add(1, _("%(name)s cannot be the name of a course; use small letters, digits and hyphens", name=directory.name))
        return None
    text = files.text(directory / FILE, notes)
    tree = yaml_text.load(text, notes) if text is not None else None
    if tree is None:
        return None
    at = Fields(tree, notes)
    at.known(_KEYS)
    slug = at.id()
    if slug and slug != directory.name:
        at.bad("id", _("must be the name of the folder, %(name)s", name=directory.name))
    return Outline(
        id=directory.name,
        version=at.text("version"),
        title=at.phrase("title"),
        summary=at.phrase("summary"),
        audience=at.phrase("for"),
        hours=_hours(at),
        validity_months=at.whole("validity_months", 0, 600, 0),
        pass_mark=at.whole("pass_mark", 1, 100, 80),
        exam=_exam(at),
        skills=(skills := _skills(at)),
        renewal=_renewal(at, skills),
        games=at.texts("games", 1, MOST_MODULES) if "games" in at else (),
        notes=at.phrase("notes", required=False),
        parts=_parts(at),
        lines=dict(tree.lines),
    )


def _hours(at: Fields) -> Hours:
    if (hours := at.part("hours")) is None:
        return Hours(Decimal(0), Decimal(0), Decimal(0))
    hours.known(("theory", "practical", "assessment"))
    return Hours(*(hours.number(key, 0, 500) for key in ("theory", "practical", "assessment")))


def _exam(at: Fields) -> Exam | None:
    exam = at.part("exam", required=False)
    if exam is None:
        return None
    exam.known(_EXAM)
    draw: dict[str, int] = {}
    if (drawn := exam.part("draw")) is not None:
        if not drawn.section:
            exam.bad("draw", _("is empty"))
        draw = {str(key): drawn.whole(key, 1, 500) for key in drawn.section}
    return Exam(
        minutes=exam.whole("minutes", 1, 600),
        grace_seconds=exam.whole("grace_seconds", 0, 600, 30),
        attempts=exam.whole("attempts", 1, 100),
        wait_hours=exam.whole("wait_hours", 0, 8760, 24),
        one_at_a_time=exam.yes("one_at_a_time", default=False),
        feedback=exam.choice("feedback", FEEDBACK),
        draw=MappingProxyType(draw),
    )


def _skills(at: Fields) -> tuple[str, ...]:
    if "practical" not in at:
        return ()
    skills = at.texts("practical", 0, MOST_SKILLS)
    for skill in skills:
        if not is_id(skill):
            at.bad("practical", _("%(name)s cannot be the name of a file", name=skill))
    if len(set(skills)) < len(skills):
        at.bad("practical", _("names one twice"))
    return tuple(skill for skill in dict.fromkeys(skills) if is_id(skill))


def _renewal(at: Fields, skills: tuple[str, ...]) -> Renewal:
    part = at.part("renewal", required=False)
    if part is None:
        return Renewal()
    part.known(("days_before", "exam", "skills"))
    again = part.texts("skills", 0, MOST_SKILLS) if "skills" in part else ()
    if strange := [name for name in again if name not in skills]:
        part.bad("skills", _("%(names)s is not among the skills of `practical`", names=", ".join(strange)))
    if len(set(again)) < len(again):
        part.bad("skills", _("names one twice"))
    made = Renewal(days_before=part.whole("days_before", 1, 730, Renewal().days_before),
                   exam=part.yes("exam", default=True), skills=tuple(dict.fromkeys(again)))
    if not made.exam and not made.skills:
        part.bad("exam", _("a renewal asks for the exam or for a skill, else it would renew itself"))
    if not at.section.get("validity_months"):
        at.bad("renewal", _("a certificate without end needs no renewal: set validity_months, or leave this out"))
    return made


def _parts(at: Fields) -> tuple[Part, ...]:
    made: list[Part] = []
    seen: set[str] = set()
    for part in at.parts("modules", 1, MOST_MODULES):
        part.known(("id", "title", "lessons"))
        name = part.id()
        if name in seen:
            part.bad("id", _("%(id)s stands twice", id=name))
            continue
        seen.add(name)
        lessons = part.texts("lessons", 1, MOST_LESSONS)
        rows = part.section.get("lessons")
        lines = tuple(rows.lines) if isinstance(rows, yaml_text.Rows) else ()
        if name:
            made.append(Part(name, part.phrase("title"), lessons, lines[: len(lessons)], part.line("id")))
    return tuple(made)
