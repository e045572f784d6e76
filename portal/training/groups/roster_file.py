"""A school's or company's list of people, row by row: what each says, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core import phones
from portal.core.errors import Invalid, Problem
from portal.core.phones import PhoneBook
from portal.regions import codes, lookup
from portal.training.groups import tables
from portal.training.groups.tables import Faults, Row
from portal.training.learners import own

NAME, PHONE, NUMBER, COMMUNITY = "name", "phone", "number", "community"
COLUMNS = (NAME, PHONE, NUMBER, COMMUNITY)
#: How the columns are called in a file that goes out, and all headings that are understood in one that comes in.
HEADS = {"zh": ("姓名", "手机号", "学号/工号", "社区"), "en": COLUMNS}
CALLED = {
    "姓名": NAME, "名字": NAME, "name": NAME, "fullname": NAME,
    "手机号": PHONE, "手机": PHONE, "手机号码": PHONE, "联系电话": PHONE, "电话": PHONE, "phone": PHONE, "mobile": PHONE,
    "phonenumber": PHONE,
    "学号/工号": NUMBER, "学号": NUMBER, "工号": NUMBER, "编号": NUMBER, "number": NUMBER, "studentnumber": NUMBER,
    "staffnumber": NUMBER, "id": NUMBER,
    "社区": COMMUNITY, "所在社区": COMMUNITY, "社区代码": COMMUNITY, "居住社区": COMMUNITY, "community": COMMUNITY,
    "region_code": COMMUNITY, "communitycode": COMMUNITY}
LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """One person of a list. `phone` is E.164, `index` finds it; an empty `name` or `number`, and no `region_code`: not said."""

    line: int
    phone: str
    index: bytes
    name: str
    number: str
    region_code: str | None

    def __repr__(self) -> str:
        return f"Entry(line {self.line})"  # never a person into a log


@dataclass(frozen=True, slots=True)
class Roster:
    """A file as it was read. `rows` counts those that were read, wrong ones too."""

    entries: list[Entry]
    faults: Faults
    ignored: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.entries) + self.faults.count


def read(body: bytes) -> Roster:
    """Every row, each once; the same phone or number a second time is wrong. Raises tables.Unreadable."""
    faults = Faults()
    table = tables.read(body, CALLED, (PHONE,), faults)
    return Roster(list(_entries(table.rows, faults)), faults, table.ignored)


def _entries(rows: Iterator[Row], faults: Faults) -> Iterator[Entry]:
    book: PhoneBook = current_app.extensions["phones"]
    place, seen, numbers = places(), dict[bytes, int](), dict[str, int]()
    for row in rows:
        problems: list[Problem] = []
        phone = _phone(row.cells.get(PHONE, ""), problems)
        index = book.index(phone) if phone else b""
        name, number = _name(row.cells.get(NAME, ""), problems), number_of(row.cells.get(NUMBER, ""), problems)
        region = place(row.cells.get(COMMUNITY, ""), problems)
        for key, known, column, message in (
                (index, seen, PHONE, _l("The same phone stands in line %(n)s already.", n=seen.get(index, 0))),
                (number, numbers, NUMBER, _l("The same number stands in line %(n)s already.", n=numbers.get(number, 0)))):
            if key and key in known:  # type: ignore[operator]
                problems.append(Problem(column, message))
        if problems:
            faults.add(row.line, *problems)
        if index:  # also of a wrong row: that it comes again is wrong all the same
            seen.setdefault(index, row.line)
        if number:
            numbers.setdefault(number, row.line)
        if not problems:
            yield Entry(row.line, phone, index, name, number, region)


def _phone(text: str, problems: list[Problem]) -> str:
    if not text:
        problems.append(Problem(PHONE, _l("The phone is missing.")))
        return ""
    if "e+" in text.lower() or text.endswith(".0"):
        problems.append(Problem(PHONE, _l("A spreadsheet has shortened the phone: format the column as text and fill it anew.")))
        return ""
    try:
        return phones.parse(text)
    except ValueError:
        problems.append(Problem(PHONE, _l("No phone has such a number.")))
        return ""


def _name(text: str, problems: list[Problem]) -> str:
    try:
        return own.clean(text) if text else ""
    except Invalid as refusal:
        problems += [Problem(NAME, one.message) for one in refusal.problems]
        return ""


def number_of(text: str, problems: list[Problem]) -> str:
    """A pupil's or staff number in its one form."""
    number = " ".join(text.split())
    if len(number) > LONGEST_NUMBER or not number.isprintable():
        problems.append(Problem(NUMBER, _l("A number has at most %(n)s characters.", n=LONGEST_NUMBER)))
        return ""
    return number


def places() -> Callable[[str, list[Problem]], str | None]:
    """What finds a community of the district by its code or its name in either language."""
    nodes, named = lookup.current().nodes, dict[str, set[str]]()  # asked for once, not for each row
    for code in lookup.communities_under([current_settings().district]):
        if node := nodes.get(code):
            for name in (node.name_zh, node.name_zh.removesuffix("社区"), node.name_en):
                named.setdefault(_folded(name), set()).add(code)

    def find(text: str, problems: list[Problem]) -> str | None:
        if not text:
            return None
        if codes.is_code(text):
            node = nodes.get(text)
            if node is not None and node.level == "community":
                return text
            problems.append(Problem(COMMUNITY, _l("No community has this code.")))
            return None
        found = named.get(_folded(text), set())
        if len(found) == 1:
            return next(iter(found))
        problems.append(Problem(COMMUNITY, _l("Several communities are called so: give the code.") if found
                                else _l("No community of the district is called so.")))
        return None
    return find


def _folded(name: str) -> str:
    return "".join(name.split()).casefold()


def sample(language: str) -> Iterator[bytes]:
    """A file to begin with: the columns, and two people who do not exist."""
    node = next((lookup.get(code) for code in lookup.communities_under([current_settings().district])[:1]), None)
    community = node.name(language) if node else ""
    people: tuple[tuple[Any, ...], ...] = (
        (("张三（示例）", "12900000001", "2026001", community), ("李四（示例）", "12900000002", "2026002", community))
        if language == "zh" else
        (("Sample One", "12900000001", "2026001", community), ("Sample Two", "12900000002", "2026002", community)))
    return tables.written(HEADS[language], people)
