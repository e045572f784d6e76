"""Transfer lists from a CSV file: read once to check all of it, and only then once more to write it, in one transaction.

A person is known by `code`; the same file a second time changes nothing. Columns that the file lacks leave what is there.
Who was removed by hand is not brought back by a file.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Problem
from portal.identity.models import Account
from portal.regions import codes
from portal.shelters.models import TransferPerson, TransferRound
from portal.shelters.registry import store as shelters
from portal.shelters.transfers import checks, entries, rights, rounds, store
from portal.shelters.transfers.checks import Entry

COLUMNS = ("code", "region_code", "initials", "people", "name", "phone", "address", "longitude", "latitude", "needs", "families",
           "means", "helper", "helper_phone", "shelter", "note")
REQUIRED = ("code", "region_code")
#: Other names of columns, as registers in Chinese write them.
CALLED = {
    "编号": "code", "社区代码": "region_code", "行政区划代码": "region_code", "称谓": "initials", "人数": "people",
    "姓名": "name", "电话": "phone", "联系电话": "phone", "地址": "address", "住址": "address", "经度": "longitude",
    "纬度": "latitude", "困难类型": "needs", "需求": "needs", "灾种": "families", "转移方式": "means", "责任人": "helper",
    "转移责任人": "helper", "责任人电话": "helper_phone", "安置点编号": "shelter", "避难场所编号": "shelter", "备注": "note"}
MAX_ROWS, MAX_LINE, MAX_NAMED = 200_000, 16 * 1024, 200
_CHUNK = 200


class Source(Protocol):
    """A file that can be read several times: each call begins anew."""

    def __call__(self) -> Iterable[bytes]: ...


class Unreadable(Exception):
    """The file cannot be read on; `message` is lazy and says why, `line` where (0: as a whole)."""

    def __init__(self, line: int, message: Any) -> None:
        self.line, self.message = line, message
        super().__init__(f"line {line}: {message}")


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that cannot be taken. `code` is empty where it is what is wrong, for it may be anything."""

    line: int
    code: str
    problems: list[Problem]


@dataclass
class Report:
    """What an import found, and did or would do. `removed`: left out, since somebody took them from the list by hand."""

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    bad: int = 0
    faults: list[Fault] = field(default_factory=list)
    fatal: Any = ""
    fatal_line: int = 0
    written: bool = False

    @property
    def taken(self) -> int:
        return self.added + self.changed + self.unchanged


def import_rows(source: Source, *, account: Account | None = None, check: bool = False, skip_bad: bool = False,
                demonstration: bool = False) -> Report:
    """Import a file, or with `check` only say what it would do. All of it or nothing; with `skip_bad`, all but what is bad.
    `account` None is somebody who owns the machine; otherwise rows beyond the duty are bad."""
    report = Report()
    try:
        encoding = _encoding(source)
        seen: dict[str, int] = {}
        shelter_of = _shelters()
        for chunk in _chunks(_read(source, encoding, account, shelter_of, report, seen)):
            _compare(db.session, chunk, account, report)
    except Unreadable as error:
        report.fatal, report.fatal_line = error.message, error.line
        return report
    if check or (report.bad and not skip_bad):
        return report
    try:
        return _write(lambda again: _chunks(_read(source, encoding, account, shelter_of, again, {})), account, skip_bad,
                      demonstration)
    except IntegrityError as error:
        raise _meanwhile() from error


def _write(chunks: Callable[[Report], Iterator[list[tuple[Entry, set[str]]]]], account: Account | None, skip_bad: bool,
           demonstration: bool) -> Report:
    report = Report(written=True)
    with transaction() as session:
        rounds.hold(session)
        under_way = store.open_rounds([current_settings().district])
        for chunk in chunks(report):
            _compare(session, chunk, account, report, Writing(demonstration, under_way))
        if report.bad and not skip_bad:
            raise _meanwhile()
        if report.added or report.changed:
            audit.append(session, account.actor if account else audit.SYSTEM, "transfer.import", "transfers:import", {
                "rows": report.read, "added": report.added, "changed": report.changed, "skipped": report.bad + report.removed})
    return report


def _meanwhile() -> Conflict:
    return Conflict(_("The list changed while the file was read. Nothing was imported; check the file again."))


# -- reading -------------------------------------------------------------------------------------------------
def _encoding(source: Source) -> str:
    """UTF-8 with or without a byte order mark, else GB 18030."""
    possible = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
    first = True
    for block in source():
        if first and block[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise Unreadable(0, _("The file is UTF-16: save it as CSV UTF-8."))
        first = False
        for name in list(possible):
            try:
                possible[name].decode(block)
            except UnicodeDecodeError:
                del possible[name]
    for name in list(possible):
        try:
            possible[name].decode(b"", True)
        except UnicodeDecodeError:
            del possible[name]
    if not possible:
        raise Unreadable(0, _("The file is neither UTF-8 nor GB 18030 text: save it as CSV UTF-8."))
    return next(iter(possible))


def _lines(source: Source, encoding: str) -> Iterator[str]:
    decoder, rest, number = codecs.getincrementaldecoder(encoding)(), "", 0
    for block in _with_end(source):
        rest += decoder.decode(block or b"", final=block is None)
        *whole, rest = rest.split("\n")
        for line in whole + ([rest] if block is None and rest else []):
            number += 1
            if len(line) > MAX_LINE:
                raise Unreadable(number, _("The line is too long: this is no list."))
            yield (line.removeprefix("\ufeff") if number == 1 else line) + "\n"
        if len(rest) > MAX_LINE:
            raise Unreadable(number + 1, _("The line is too long: this is no list."))


def _with_end(source: Source) -> Iterator[bytes | None]:
    yield from source()
    yield None


def _read(source: Source, encoding: str, account: Account | None, shelter_of: Callable[[str], int | None], report: Report,
          seen: dict[str, int]) -> Iterator[tuple[Entry, set[str]]]:
    """(entry, the columns that the file has) of each good row; the bad ones go into the report."""
    reader = csv.reader(_lines(source, encoding), strict=True)
    heading: list[str] = []
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise Unreadable(reader.line_num, _("This is not CSV: %(error)s", error=error)) from error
        if not any(f.strip() for f in fields):
            continue
        if not heading:
            heading = _heading(fields, reader.line_num)
            continue
        report.read += 1
        if report.read > MAX_ROWS:
            raise Unreadable(reader.line_num, _("More than %(n)d rows: import street by street.", n=MAX_ROWS))
        entry, problems, code = _row(heading, fields, account, shelter_of)
        if entry is not None and entry.code in seen:
            problems = [Problem("code", _("The code is there twice: first in line %(n)d.", n=seen[entry.code]))]
        if problems or entry is None:
            report.bad += 1
            if len(report.faults) < MAX_NAMED:
                report.faults.append(Fault(reader.line_num, code, problems))
            continue
        seen[entry.code] = reader.line_num
        yield entry, set(heading)
    if not heading:
        raise Unreadable(0, _("The file is empty."))


def _heading(fields: list[str], line: int) -> list[str]:
    names = [CALLED.get(f.strip(), f.strip().lower()) for f in fields]
    if missing := [n for n in REQUIRED if n not in names]:
        raise Unreadable(line, _("The heading lacks %(names)s. Columns: %(all)s.", names=", ".join(missing),
                                 all=", ".join(COLUMNS)))
    if unknown := [n for n in names if n not in COLUMNS]:
        # What is not known is not kept: a register may hold more of a person than is needed here.
        raise Unreadable(line, _("Unknown columns: %(names)s. Take them out, or call them as one of %(all)s.",
                                 names=", ".join(n[:20] for n in unknown[:5]), all=", ".join(COLUMNS)))
    if len(set(names)) < len(names):
        raise Unreadable(line, _("The heading names a column twice."))
    return names


def _row(heading: list[str], fields: list[str], account: Account | None,
         shelter_of: Callable[[str], int | None]) -> tuple[Entry | None, list[Problem], str]:
    if len(fields) != len(heading):
        return None, [Problem("", _("The row has %(n)d fields, the heading %(m)d.", n=len(fields), m=len(heading)))], ""
    raw = {name: text[1:] if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@") else text
           for name, text in zip(heading, fields, strict=True)}
    entry, problems = checks.read(raw, shelter_of)
    region = raw["region_code"].strip()
    if account is not None and codes.is_code(region) and not rights.sees(account, region):
        problems.append(Problem("region_code", _("Your duty does not cover this community.")))
    code = "" if any(p.field == "code" for p in problems) else raw["code"].strip()[:40]
    return (None if problems else entry), problems, code


def _shelters() -> Callable[[str], int | None]:
    known: dict[str, int | None] = {}

    def find(code: str) -> int | None:
        if code not in known:
            if len(known) > 10_000:
                known.clear()
            found = shelters.by_code(code)
            known[code] = found.id if found is not None and found.retired_at is None else None
        return known[code]
    return find


# -- comparing and writing -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Writing:
    """That it is to be written, how it is marked, and the rounds under way, which newcomers join."""

    demonstration: bool
    rounds: list[TransferRound]


def _compare(session: Session, chunk: list[tuple[Entry, set[str]]], account: Account | None, report: Report,
             write: Writing | None = None) -> None:
    query = select(TransferPerson).where(TransferPerson.code.in_([e.code for e, _c in chunk]))
    rows = session.execute(query.with_for_update() if write else query).scalars()
    there: Mapping[str, TransferPerson] = {p.code: p for p in rows}
    name = account.username if account else audit.SYSTEM.name
    for entry, columns in chunk:
        person = there.get(entry.code)
        if person is None:
            report.added += 1
            if write:
                entries.made(session, entry, "import", name, demonstration=write.demonstration, among=write.rounds)
        elif account is not None and not rights.sees(account, person.region_code):
            report.bad += 1
            if len(report.faults) < MAX_NAMED:
                report.faults.append(Fault(0, entry.code, [Problem("code", _("This code is taken."))]))
        elif person.removed_at is not None:
            report.removed += 1
        elif merged := _changed(person, entry, columns):
            report.changed += 1
            if write:
                entries.fill(person, merged)
                person.version, person.changed_at = person.version + 1, utcnow()
                rounds.join(session, person, name, person.changed_at, write.rounds)
        else:
            report.unchanged += 1
    if write:
        session.flush()


def _changed(person: TransferPerson, entry: Entry, columns: set[str]) -> Entry | None:
    """What the person would be; None when that is what they are."""
    old = entries.of(person)
    kept = {n: getattr(old, n) for n in checks.NAMES if ("shelter" if n == "shelter_id" else n) not in columns}
    if "initials" not in columns and "name" in columns:
        kept.pop("initials")
    merged = Entry(**({n: getattr(entry, n) for n in checks.NAMES} | kept))
    return None if merged == old else merged


def _chunks(stream: Iterable[tuple[Entry, set[str]]]) -> Iterator[list[tuple[Entry, set[str]]]]:
    rows = iter(stream)
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk
