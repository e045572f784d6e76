"""How the files of a course fit each other: ids, objectives, minutes, the exam's blueprint, pictures, forgotten files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from flask_babel import gettext as _

from portal.training.content import course_file, lessons
from portal.training.content.course_file import Outline
from portal.training.content.faults import Fault, Notes
from portal.training.content.lessons import Pair
from portal.training.content.pairing import Halves
from portal.training.content.values import HOUR_MINUTES, SINGLE, Choice, Course, Medium, Question, Scenario

#: How far the lessons' minutes may be from the hours that the course promises.
TOLERANCE = 0.05
LANGUAGES = ("zh", "en")
#: A picture in a text: its words and its name.
PICTURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(\.\./media/(?P<name>[a-z0-9._-]+)\)")
#: In a bank with at least so many single-choice questions, the right option is the longest in at most this share of them.
FEW_SINGLES, MOST_LONGEST = 8, Fraction(2, 3)


@dataclass(slots=True)
class Everything:
    """All that was read of one course. `questions`: the bank's name, the question, its two halves."""

    directory: Path
    outline: Outline
    media: dict[str, Medium]
    lessons: list[Pair] = field(default_factory=list)
    questions: list[tuple[str, Question, Halves]] = field(default_factory=list)


def check(seen: Everything, course: Course, found: list[Fault], *, banks: bool) -> None:
    """Note where the files of a course contradict each other."""
    outline = Notes(f"{course.id}/{course_file.FILE}", found)
    _lessons_of_outline(seen.outline, outline)
    _lesson_ids(seen, found)
    _minutes(seen.outline, course, outline)
    _forgotten_lessons(seen, found)
    _forgotten_checklists(seen, found)
    if banks:
        _question_ids(seen, found)
        _objectives(seen, found)
        _blueprint(seen.outline, course, outline)
        _games(seen, course, outline)
        _forgotten_banks(seen, found)
        _given_away(seen, found)
    _pictures(seen, found, banks=banks)


def _lessons_of_outline(outline: Outline, notes: Notes) -> None:
    last = ""
    for part in outline.parts:
        for name, line in zip(part.lessons, part.lines, strict=False):
            if not lessons.NAME.match(name):
                notes.add(line, _("“%(name)s” must be two digits and a name, such as 01-what-threatens-us", name=name))
            elif last and name[:2] <= last[:2]:
                notes.add(line, _("%(name)s does not follow %(last)s; numbers count up through the whole course", name=name,
                                  last=last))
            else:
                last = name


def _lesson_ids(seen: Everything, found: list[Fault]) -> None:
    ids: dict[str, str] = {}
    for pair in seen.lessons:
        zh = pair.halves[0]
        if zh.id in ids:
            Notes(zh.file, found).add(zh.lines.get("id", 1),
                                      _("the id %(id)s is already that of %(file)s", id=zh.id, file=ids[zh.id]))
        ids.setdefault(zh.id, zh.file)
    for pair in seen.lessons:
        for half in pair.halves:
            for name, line in half.seen.lessons:
                if name not in ids:
                    Notes(half.file, found).add(line, _("no lesson has the id %(id)s", id=name))


def _minutes(outline: Outline, course: Course, notes: Notes) -> None:
    wanted = float(course.hours.theory) * HOUR_MINUTES
    if abs(course.minutes - wanted) > wanted * TOLERANCE:
        notes.add(outline.lines.get("hours", 1), _(
            "the lessons have %(n)s minutes in all, but %(hours)s hours of theory are %(wanted)s minutes (45 each)",
            n=course.minutes, hours=f"{course.hours.theory:f}", wanted=round(wanted)))


def _blueprint(outline: Outline, course: Course, notes: Notes) -> None:
    if course.exam is None:
        return
    sizes = {module.id: sum(question.fits_exam for question in module.questions) for module in course.modules}
    line = outline.lines.get("exam", 1)
    for name, many in course.exam.draw.items():
        if name not in sizes:
            notes.add(line, _("exam.draw: %(name)s is no module of this course", name=name))
        elif many > sizes[name]:
            notes.add(line, _("exam.draw: %(many)s questions are drawn from %(name)s, which has %(n)s that can be used",
                              many=many, name=name, n=sizes[name]))


def _question_ids(seen: Everything, found: list[Fault]) -> None:
    ids: dict[str, str] = {}
    for bank, question, _halves in seen.questions:
        if question.id in ids:
            Notes(f"{seen.outline.id}/banks/{bank}.zh.md", found).add(
                question.line, _("the id %(id)s is already used in the bank %(file)s", id=question.id, file=ids[question.id]))
        ids.setdefault(question.id, bank)


def _objectives(seen: Everything, found: list[Fault]) -> None:
    known = {f"{pair.lesson.id}.{n}" for pair in seen.lessons for n in range(1, len(pair.halves[0].objectives) + 1)}
    for bank, question, halves in seen.questions:
        if question.objective not in known:
            Notes(f"{seen.outline.id}/banks/{bank}.zh.md", found).add(
                halves[0].lines.get("objective", question.line),
                _("objective: %(id)s is no objective of a lesson; it is written <lesson id>.<number from 1>",
                  id=question.objective))


def _given_away(seen: Everything, found: list[Fault]) -> None:
    """A bank whose right options are told by their length."""
    for part in seen.outline.parts:
        singles = [q for bank, q, _halves in seen.questions if bank == part.id and isinstance(q, Choice) and q.type == SINGLE]
        if len(singles) < FEW_SINGLES:
            continue
        for language in LANGUAGES:
            longest = sum(_is_right_longest(question, language) for question in singles)
            if Fraction(longest, len(singles)) > MOST_LONGEST:
                Notes(f"{seen.outline.id}/banks/{part.id}.{language}.md", found).add(1, _(
                    "in %(n)s of %(of)s single-choice questions the right option is the longest, so that it can be guessed; "
                    "make wrong options longer or right ones shorter", n=longest, of=len(singles)))


def _is_right_longest(question: Choice, language: str) -> bool:
    sizes = {right: max((len(option.words[language]) for option in question.options if option.right == right), default=0)
             for right in (True, False)}
    return sizes[True] > sizes[False]


def _pictures(seen: Everything, found: list[Fault], *, banks: bool) -> None:
    used: set[str] = set()
    shown = [(half.file, half.seen.pictures) for pair in seen.lessons for half in pair.halves]
    shown += [(f"{seen.outline.id}/banks/{bank}.{half.language}.md", half.seen.pictures)
              for bank, _question, halves in seen.questions for half in halves]
    for file, pictures in shown:
        notes = Notes(file, found)
        for name, line in pictures:
            used.add(name)
            if name not in seen.media and not (seen.directory / "media" / name).exists():
                notes.add(line, _("the picture media/%(name)s is missing", name=name))
    for name in sorted(set(seen.media) - used) if banks else ():
        Notes(f"{seen.outline.id}/media/{name}", found).add(
            1, _("no lesson and no question shows this picture; use or remove it"))


def _games(seen: Everything, course: Course, notes: Notes) -> None:
    """Each is a scenario of a module of its own, which lends it its title, and shows a picture at every step."""
    asked = {question.id: (module, question) for module, question, _halves in seen.questions}
    modules: set[str] = set()
    for name in course.games:
        line = seen.outline.lines.get("games", 1)
        module, question = asked.get(name, ("", None))
        if not isinstance(question, Scenario):
            notes.add(line, _("games: %(id)s is no scenario of this course", id=name))
            continue
        if module in modules:
            notes.add(line, _("games: a module has one game at most, and lends it its title (%(id)s)", id=name))
        modules.add(module)
        for node in question.nodes:
            if not (PICTURE.search(node.words.zh) and PICTURE.search(node.words.en)):
                notes.add(line, _("games: the node %(node)s of %(id)s has no picture; children look before they read",
                                  node=node.id, id=name))


def _forgotten_lessons(seen: Everything, found: list[Fault]) -> None:
    named = {f"{name}.{language}.md" for part in seen.outline.parts for name in part.lessons for language in LANGUAGES}
    _forgotten(seen, "lessons", named, found)


def _forgotten_banks(seen: Everything, found: list[Fault]) -> None:
    named = {f"{part.id}.{language}.md" for part in seen.outline.parts for language in LANGUAGES}
    _forgotten(seen, "banks", named, found)


def _forgotten_checklists(seen: Everything, found: list[Fault]) -> None:
    _forgotten(seen, "practical", {f"{skill}.yaml" for skill in seen.outline.skills}, found)


def _forgotten(seen: Everything, folder: str, named: set[str], found: list[Fault]) -> None:
    directory = seen.directory / folder
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.name not in named and not path.name.startswith("."):
            Notes(f"{seen.outline.id}/{folder}/{path.name}", found).add(
                1, _("course.yaml does not name this file; add it there or remove it"))
