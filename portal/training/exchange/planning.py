"""What an import would write: the bank of a module in both languages with the new questions behind those it has, and pictures.

Each draft is written down and read by the same rules as every bank. One that they refuse for more than what is still to be
translated, written or chosen is left out, and their words say why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flask_babel import gettext as _

from portal.training.content import bank_text, files, keys, questions, reader
from portal.training.content.faults import Fault, Notes
from portal.training.content.questions import Half
from portal.training.content.unfinished import TRANSLATE, WRITE
from portal.training.content.values import MULTIPLE, NUMERIC, ORDERING, SINGLE, TEXT, TRUEFALSE, Course, Module
from portal.training.exchange import bank_out
from portal.training.exchange.drafts import NO_OBJECTIVE, Draft, Reading, Unreadable, Untaken, to_translate

LANGUAGES = ("zh", "en")
_NUMBERED = re.compile(r"(.+)-(\d{1,6})\Z", re.ASCII)
_PICTURE = re.compile(r"\.\./media/([a-z0-9][a-z0-9._-]*)")


class NoCourse(LookupError):
    """There is no such course, or no such module in it; the message is for people."""


@dataclass(slots=True)
class Plan:
    """`files`: path below the course → what it would hold. `taken`: (draft, module, what is left to do), in the order of the
    file; `untaken`: what was left out."""

    course: str
    files: dict[str, bytes] = field(default_factory=dict)
    taken: list[tuple[Draft, str, tuple[str, ...]]] = field(default_factory=list)
    untaken: list[Untaken] = field(default_factory=list)

    @property
    def unfinished(self) -> int:
        return sum(bool(left) for _draft, _module, left in self.taken)


def make(content: Path, course_id: str, reading: Reading, language: str, *, module: str = "", objective: str = "",
         other: Reading | None = None) -> Plan:
    """Plan to bring `reading`, in `language`, into a course. Without `module` each category goes to the module that has its name.
    `other`: the same questions in the other language, by id or by order; without it, they are marked to be translated."""
    directory = next((one for one in reader.folders(content) if one.name == course_id), None)
    course = reader.read(directory).course if directory is not None else None
    if directory is None or course is None:
        raise NoCourse(_("There is no course %(name)s.", name=course_id))
    modules = {one.id: one for one in course.modules}
    if module and module not in modules:
        raise NoCourse(_("The course has no module %(name)s; it has: %(names)s.", name=module, names=", ".join(modules)))
    plan = Plan(course_id, untaken=list(reading.untaken))
    ids = _Ids(directory, course)
    second = _Others(other)
    new: dict[str, list[tuple[Draft, Draft]]] = {}
    for place, draft in enumerate(reading.drafts):
        goal = module or _module_of(draft.category, course)
        if not goal:
            reason = _("no module has the name of its category (%(name)s); name a module", name=draft.category or "–")
            plan.untaken.append(Untaken(draft.line, draft.name, reason))
            continue
        twin = second.find(draft, place)
        if (named := ids.give(draft, modules[goal])) is None:
            plan.untaken.append(Untaken(draft.line, draft.name, _("a question with the id %(id)s is there already", id=draft.id)))
            continue
        ready = replace(draft, id=named, objective=_objective(draft, objective))
        pair = _pair(ready, twin, language)
        reasons = [reason for one, at in zip(pair, LANGUAGES, strict=True) for reason in refused(one, at)]
        if reasons:
            ids.take_back(named)
            plan.untaken.append(Untaken(draft.line, draft.name, "; ".join(dict.fromkeys(reasons))))
            continue
        new.setdefault(goal, []).append(pair)
        plan.taken.append((ready, goal, _left(ready, pair)))
    _write(plan, directory, modules, new, reading.pictures)
    plan.untaken.sort(key=lambda one: one.line)
    return plan


def refused(draft: Draft, language: str) -> list[str]:
    """Why the rules of banks refuse a draft; nothing where it is only unfinished."""
    text, found = bank_out.question(draft, language), list[Fault]()
    notes = Notes("", found)
    halves = [half for block in bank_text.blocks(text, language, notes) if (half := questions.read(block, language, notes))]
    astray = len(halves) == 1 and len(halves[0].rows) != len(_rows(draft))
    if astray or (not found and (len(halves) != 1 or not _is(halves[0], draft))):
        return [_("its words would be read as something else: they hold a list, a table or a heading where none can stand")]
    return [fault.message for fault in found]


def _rows(draft: Draft) -> list[tuple[str, ...]]:
    """The entries of its list or table as they are meant."""
    if draft.type in (SINGLE, MULTIPLE, TRUEFALSE):
        return [(one.words, one.feedback or WRITE) for one in draft.options]
    return [(item,) for item in draft.items] if draft.type == ORDERING else list(draft.pairs)


def _is(half: Half, draft: Draft) -> bool:
    """Whether what is read is what was meant."""
    if draft.type == NUMERIC and (half.facts.get("value"), half.facts.get("tolerance")) != (draft.value, draft.tolerance):
        return False
    if draft.type == TEXT and half.own.get("accept") != draft.accept:
        return False
    same = (half.id, half.words, half.explanation) == (draft.id, draft.words or WRITE, draft.explanation or WRITE)
    return same and [tuple(row.texts) for row in half.rows] == _rows(draft)


def _pair(draft: Draft, twin: Draft | None, language: str) -> tuple[Draft, Draft]:
    """The question in Chinese and in English."""
    elsewhere = "en" if language == "zh" else "zh"
    if twin is None:
        second = to_translate(draft, elsewhere)
        if any(draft.unit) and not all(draft.unit):
            zh, en = (one or f"{TRANSLATE} {draft.unit[0] or draft.unit[1]}" for one in draft.unit)
            draft, second = replace(draft, unit=(zh, en)), replace(second, unit=(zh, en))
    else:
        draft = replace(draft, unit=(draft.unit[0] or twin.unit[0], draft.unit[1] or twin.unit[1]))
        second = replace(twin, id=draft.id, objective=draft.objective, difficulty=draft.difficulty, rev=draft.rev,
                         medical=draft.medical, unit=draft.unit)
    return (draft, second) if language == "zh" else (second, draft)


def _left(draft: Draft, pair: tuple[Draft, Draft]) -> tuple[str, ...]:
    """What somebody still has to do about a question."""
    text = "".join(bank_out.question(one, at) for one, at in zip(pair, LANGUAGES, strict=True))
    left = [(_("translate"), TRANSLATE in text), (_("write what is missing"), WRITE in text),
            (_("choose its objective"), draft.objective == NO_OBJECTIVE)]
    return tuple(words for words, there in left if there)


def _objective(draft: Draft, given: str) -> str:
    return given if given and draft.objective == NO_OBJECTIVE else draft.objective


def _module_of(category: str, course: Course) -> str:
    last = category.replace("//", "\0").rpartition("/")[2].replace("\0", "/").strip().casefold()
    names = {name.casefold(): one.id for one in course.modules for name in (one.title.zh, one.title.en, one.id)}
    return names.get(last, "")


class _Others:
    """The drafts of the other language, each given once."""

    def __init__(self, other: Reading | None) -> None:
        self.drafts = other.drafts if other else []
        self.by_id = {one.id: one for one in self.drafts if one.id}

    def find(self, draft: Draft, place: int) -> Draft | None:
        if draft.id:
            found = self.by_id.get(draft.id)
        else:
            found = self.drafts[place] if place < len(self.drafts) and not self.drafts[place].id else None
        return found if found is not None and _shape(found) == _shape(draft) else None


def _shape(draft: Draft) -> tuple[object, ...]:
    return (draft.type, [one.right for one in draft.options], len(draft.items), len(draft.pairs), draft.value, draft.tolerance)


class _Ids:
    """Ids that the course has or once had, and new ones that go on counting from them."""

    def __init__(self, directory: Path, course: Course) -> None:
        self.used = {question.id for one in course.modules for question in one.questions} | set(keys.read(directory, []))

    def give(self, draft: Draft, module: Module) -> str | None:
        """The draft's own id, or the next one of the module; None where its own is taken."""
        if draft.id:
            if draft.id in self.used:
                return None
            self.used.add(draft.id)
            return draft.id
        counted = [_NUMBERED.match(question.id) for question in module.questions]
        first = next((found[1] for found in counted if found), module.id)
        numbers = [int(found[2]) for one in self.used if (found := _NUMBERED.match(one)) and found[1] == first]
        made = f"{first}-{max(numbers, default=0) + 1:03}"
        self.used.add(made)
        return made

    def take_back(self, name: str) -> None:
        self.used.discard(name)


def _write(plan: Plan, directory: Path, modules: Mapping[str, Module], new: Mapping[str, Sequence[tuple[Draft, Draft]]],
           pictures: Mapping[str, bytes]) -> None:
    shown: set[str] = set()
    for goal, pairs in new.items():
        for at, language in enumerate(LANGUAGES):
            path = f"banks/{goal}.{language}.md"
            before = files.text(directory / path, Notes("", [])) if (directory / path).exists() else None
            head = before.rstrip("\n") if before is not None else f"# {modules[goal].title[language]}"
            body = bank_out.bank([pair[at] for pair in pairs], language)
            plan.files[path] = f"{head}\n\n{body}".encode()
            if len(plan.files[path]) > files.MOST_BYTES:
                raise Unreadable(_("%(file)s would be larger than %(size)s KB: bring in less at once, or into another module",
                                   file=path, size=files.MOST_BYTES // 1000))
            shown |= set(_PICTURE.findall(body))
    plan.files |= {f"media/{name}": body for name, body in sorted(pictures.items()) if name in shown}


def apply(plan: Plan, content: Path) -> list[Path]:
    """Write the files of a plan into the course; each is there whole or not at all."""
    written = []
    for name, body in plan.files.items():
        path = content / reader.FOLDER / plan.course / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_bytes(body)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        written.append(path)
    return written
