"""Results of practical skills in a file, row by row: who, which skill, passed or not, on which day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core import phones
from portal.core.clock import local, utcnow
from portal.core.errors import Problem
from portal.core.phones import PhoneBook
from portal.training.content.values import Course
from portal.training.groups import tables
from portal.training.groups.roster_file import CALLED as PEOPLE
from portal.training.groups.roster_file import NUMBER, PHONE
from portal.training.groups.tables import Faults, Row, Unreadable

SKILL, RESULT, DAY = "skill", "result", "date"
HEADS = {"zh": ("学号/工号", "手机号", "技能", "结果", "日期"), "en": (NUMBER, PHONE, SKILL, RESULT, DAY)}
CALLED = {head: name for head, name in PEOPLE.items() if name in (NUMBER, PHONE)} | {
    "技能": SKILL, "项目": SKILL, "实操项目": SKILL, "skill": SKILL,
    "结果": RESULT, "成绩": RESULT, "是否通过": RESULT, "result": RESULT, "passed": RESULT,
    "日期": DAY, "考核日期": DAY, "date": DAY, "day": DAY}
#: What a result may be called.
YES = frozenset(("通过", "合格", "已通过", "是", "pass", "passed", "yes", "1", "true", "√"))
NO = frozenset(("不通过", "未通过", "不合格", "否", "fail", "failed", "notpassed", "no", "0", "false", "×"))
#: Rows of one file: each learner is reckoned anew afterwards, while the trail waits.
MOST_ROWS = 1000
OLDEST_YEARS = 5
_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Result:
    """One row. `index` finds the phone, empty where there is only a `number`."""

    line: int
    number: str
    index: bytes
    skill: str
    passed: bool
    day: date


@dataclass(frozen=True, slots=True)
class Results:
    rows: list[Result]
    faults: Faults
    ignored: tuple[str, ...]


def read(body: bytes, course: Course) -> Results:
    """Every row of a file. Raises tables.Unreadable."""
    faults = Faults()
    table = tables.read(body, CALLED, (SKILL, RESULT), faults)
    skill, rows = _skills(course), list[Result]()
    for row in table.rows:
        if len(rows) + faults.count >= MOST_ROWS:
            raise Unreadable(row.line, _l("More than %(n)s rows: divide the file.", n=MOST_ROWS))
        problems: list[Problem] = []
        found = Result(row.line, " ".join(row.cells.get(NUMBER, "").split()), _index(row, problems), skill(row, problems),
                       _passed(row, problems), _day(row, problems))
        if not found.number and not row.cells.get(PHONE):
            problems.append(Problem(NUMBER, _l("Give the pupil's or staff number, or the phone.")))
        if problems:
            faults.add(row.line, *problems)
        else:
            rows.append(found)
    return Results(rows, faults, table.ignored)


def sample(course: Course, language: str) -> Iterator[bytes]:
    """A file to begin with: each skill of the course once."""
    words = ("通过", "未通过") if language == "zh" else ("passed", "not passed")
    today = f"{local(utcnow(), current_settings().timezone):%Y-%m-%d}"
    return tables.written(HEADS[language], [(f"2026{n:03d}", "", one.title[language], words[n % 2 == 0], today)
                                            for n, one in enumerate(course.checklists, 1)])


def _index(row: Row, problems: list[Problem]) -> bytes:
    if not (text := row.cells.get(PHONE, "")):
        return b""
    book: PhoneBook = current_app.extensions["phones"]
    try:
        return book.index(phones.parse(text))
    except ValueError:
        problems.append(Problem(PHONE, _l("No phone has such a number.")))
        return b""


def _skills(course: Course) -> Callable[[Row, list[Problem]], str]:
    known = {_folded(name): one.id for one in course.checklists for name in (one.id, one.title["zh"], one.title["en"])}

    def find(row: Row, problems: list[Problem]) -> str:
        found = known.get(_folded(row.cells[SKILL]), "")
        if not found:
            problems.append(Problem(SKILL, _l("The course has no such skill.")))
        return found
    return find


def _passed(row: Row, problems: list[Problem]) -> bool:
    word = _folded(row.cells[RESULT])
    if word not in YES | NO:
        problems.append(Problem(RESULT, _l("Write “passed” or “not passed”.")))
    return word in YES


def _day(row: Row, problems: list[Problem]) -> date:
    today = local(utcnow(), current_settings().timezone).date()
    text = row.cells.get(DAY, "").split(" ")[0]
    if not text:
        return today
    found = _DAY.fullmatch(text)
    try:
        if found is None:
            raise ValueError("no day")
        day = datetime(*(int(part) for part in found.groups() if part)).date()  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        problems.append(Problem(DAY, _l("Write the day like 2026-11-20.")))
        return today
    if day > today or day.year < today.year - OLDEST_YEARS:
        problems.append(Problem(DAY, _l("This day is in the future, or long past.")))
    return day


def _folded(text: str) -> Any:
    return "".join(text.split()).casefold()
