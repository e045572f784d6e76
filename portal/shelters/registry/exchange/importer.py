"""Bringing shelters in from a file: all of it, or nothing.

The file is read once, row by row; what is good is set aside on disk, what is bad is named. Then the good rows are compared
with the database a few hundred at a time, and one transaction writes the difference: an import that is cut, wherever, leaves
what was there before. Besides the rows in hand, memory holds the codes that were seen, at most `MAX_ROWS` of them.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Problem
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, regions_for
from portal.regions.boundaries import WORLD
from portal.shelters.models import Shelter
from portal.shelters.registry import checks, store
from portal.shelters.registry.exchange import swap
from portal.shelters.registry.exchange.comparing import Comparison
from portal.shelters.registry.exchange.features import Features
from portal.shelters.registry.exchange.japan import Japan, looks_japanese
from portal.shelters.registry.exchange.reading import Handed, Row, Unreadable, encoding_of, kept
from portal.shelters.registry.exchange.report import Finding, Report
from portal.shelters.registry.exchange.table import Table

FORMATS: dict[str, Any] = {"csv": Table, "geojson": Features, "jp": Japan}
MAX_ROWS = 200_000
CHUNK = 500
_IMPORT_LOCK = 7305_1201  # any number that only imports of shelters use


def check(stream: BinaryIO, format: str | None = None, *, account: Account | None = None, swap_coordinates: bool = False,
          anywhere: bool = False, source: str = "", licence: str = "") -> Report:
    """What an import of the file would do; changes nothing. See `apply`."""
    return _run(stream, format, account, swap_coordinates, anywhere, {"source": source, "licence": licence})


def apply(account: Account | None, stream: BinaryIO, format: str | None = None, *, skip_bad: bool = False,
          swap_coordinates: bool = False, anywhere: bool = False, source: str = "", licence: str = "",
          expected: str | None = None, name: str = "") -> Report:
    """Add and change (by code) the shelters of a file in one transaction, and tell the trail.

    `format`: csv, geojson, jp; None: found by what the file holds. With a bad row nothing is changed, unless `skip_bad`; a
    file that cannot be read to its end is never imported. A column that is absent leaves what the database has; an empty
    cell makes the value unknown. What is already so is left alone, so that a second import changes nothing. Shelters that
    the file does not name stay; retired ones stay retired. `swap_coordinates` turns the places that are right only the
    other way round. `anywhere` takes places far from the district. `source`, `licence`: for rows that name none.
    `expected`: the fingerprint of a report that somebody has seen; Conflict when the outcome would be another now. `name`:
    of the file, for the trail. `account` None is the system itself; others change only what lies within their duty.
    Look at `written` of the report. Raises Conflict when another import or form came between.
    """
    return _run(stream, format, account, swap_coordinates, anywhere, {"source": source, "licence": licence},
                writing=_Writing(account, skip_bad, expected, name))


class _Writing:
    """How an import is to be written."""

    def __init__(self, account: Account | None, skip_bad: bool, expected: str | None, name: str) -> None:
        self.actor = account.actor if account else audit.SYSTEM
        self.skip_bad, self.expected, self.name = skip_bad, expected, name


class _Undo(Exception):
    """Ends a transaction whose import turned out to be bad."""


def format_of(path: Path) -> str:
    """The format by what the file holds: JSON is GeoJSON; CSV is Japan's when its heading is."""
    with path.open("rb") as file:
        start = file.read(64 * 1024)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "geojson"
    for encoding in Japan.encodings:
        heading = start.split(b"\n", 1)[0].decode(encoding, "replace")
        if looks_japanese(heading.replace('"', "").strip().split(",")):
            return "jp"
    return "csv"


def _run(stream: BinaryIO, format: str | None, account: Account | None, swap_coordinates: bool, anywhere: bool,
         defaults: dict[str, str], writing: _Writing | None = None) -> Report:
    if format is not None and format not in FORMATS:
        raise ValueError(f"no such format: {format}")
    report = Report(format or "")
    try:
        with kept(stream) as handed, tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
            report.format = format or format_of(handed.path)
            staging = _Staging(report, spool, FORMATS[report.format](), swap_coordinates, anywhere, defaults)
            staging.read(handed)
            _compare(report, staging, account, handed, writing)
    except Unreadable as error:
        report.fatal = True
        report.bad += 1
        report.faults.insert(0, Finding(error.row, "", "", error.message))
    report.faults.sort(key=lambda finding: finding.row)
    return report


class _Staging:
    """The first reading: rows checked one by one, the good ones set aside."""

    def __init__(self, report: Report, spool: IO[str], reader: Any, swap_coordinates: bool, anywhere: bool,
                 defaults: dict[str, str]) -> None:
        self.report, self.spool, self.reader = report, spool, reader
        rules = checks.Rules()
        self.rules = replace(rules, box=WORLD) if anywhere else rules
        self.swap_coordinates = swap_coordinates
        self.defaults = {name: value for name, value in defaults.items() if value}
        self.seen: dict[str, int] = {}
        self.choices = json.dumps([swap_coordinates, anywhere, sorted(self.defaults.items())])

    def read(self, handed: Handed) -> None:
        encoding = encoding_of(handed.path, self.reader.encodings)
        for row in self.reader.rows(handed.path, encoding):
            self.report.read += 1
            if self.report.read > MAX_ROWS:
                raise Unreadable(_l("The file has more than %(most)s rows.", most=f"{MAX_ROWS:,}"), row.number)
            self._take(row)
        self.report.notes = list(self.reader.notes)
        if not self.report.read:
            self.report.notes.append(_l("The file names no shelter."))

    def _take(self, row: Row) -> None:
        turned = swap.turned(row.given, self.rules.box)
        if turned is not None and self.swap_coordinates:
            row.given = turned
            self.report.unswapped += 1
        given = self.defaults | {k: v for k, v in row.given.items() if k not in self.defaults or v not in (None, "")}
        checked = checks.check({"code": ""} | given, self.rules)
        code = str(given.get("code") or "").strip()[:40]
        problems = row.problems + checked.problems
        if "code" in checked.values and (first := self.seen.setdefault(code.lower(), row.number)) != row.number:
            problems.append(Problem("code", _l("This code stands in row %(first)s already.", first=first)))
        if problems:
            if turned is not None and not self.swap_coordinates and not _problems_left(turned, self.rules, row):
                self.report.swapped += 1
            self.bad(row.number, code, problems)
            return
        for problem in checked.warnings:
            self.report.warn(self.finding(row.number, code, problem))
        self.spool.write(json.dumps([row.number, checked.values], default=_plain, ensure_ascii=False) + "\n")

    def bad(self, number: int, code: str, problems: list[Problem]) -> None:
        """One bad row, with each thing that is wrong with it."""
        self.report.bad += 1
        for problem in problems:
            self.report.fault(self.finding(number, code, problem))

    def finding(self, number: int, code: str, problem: Problem) -> Finding:
        head, _dot, rest = problem.field.partition(".")
        message = problem.message
        if head == "entrances" and rest:
            message = _l("entrance %(n)s: %(problem)s", n=int(rest.split(".")[0]) + 1, problem=problem.message)
        return Finding(number, code, self.reader.column(problem.field), message)

    def chunks(self) -> Iterator[list[tuple[int, dict[str, Any]]]]:
        self.spool.seek(0)
        while lines := list(islice(self.spool, CHUNK)):
            yield [(number, _typed(values)) for number, values in map(json.loads, lines)]


def _problems_left(turned: dict[str, Any], rules: checks.Rules, row: Row) -> bool:
    return bool(row.problems or checks.check({"code": ""} | turned, rules).problems)


def _plain(value: Any) -> str:
    return value.isoformat()


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("source_date"):
        values["source_date"] = date.fromisoformat(values["source_date"])
    if values.get("checked_at"):
        values["checked_at"] = datetime.fromisoformat(values["checked_at"])
    return values


def _compare(report: Report, staging: _Staging, account: Account | None, handed: Handed, writing: _Writing | None) -> None:
    """The second reading: the good rows beside the database, and, when told so and nothing blocks, written."""
    allowed = None if account is None else regions_for(account, SHELTERS)
    if writing is None or report.blocks(skip_bad=writing.skip_bad):
        _pass(db.session, report, staging, allowed, handed, write=False)
        return
    try:
        with transaction() as session:
            _lock(session)
            _pass(session, report, staging, allowed, handed, write=True)
            if report.blocks(skip_bad=writing.skip_bad):
                raise _Undo
            if writing.expected is not None and writing.expected != report.fingerprint:
                raise Conflict(_l("The file or the shelters have changed since you looked. Look at the changes again."))
            if report.total:
                _tell(session, report, handed, writing)
            report.written = True
    except _Undo:
        pass
    except IntegrityError as error:
        raise Conflict(_l("Somebody else was changing shelters at the same moment. Nothing was imported; try again.")) from error
    finally:
        db.session.expire_all()


def _lock(session: Session) -> None:
    """Let imports follow one another, and take the shelters in the order in which all who write several take them: who met
    an import half-way through would else wait for it while it waits for him. SQLite's writers queue by themselves."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _IMPORT_LOCK})
        session.execute(select(Shelter.id).order_by(Shelter.id).with_for_update())


def _pass(session: Session, report: Report, staging: _Staging, allowed: list[str] | None, handed: Handed, *, write: bool) -> None:
    comparison = Comparison(session, report, staging, allowed, write)
    seal = hashlib.sha256(f"{handed.sha256} {staging.choices}\n".encode())
    for chunk in staging.chunks():
        for line in comparison.take(chunk):
            seal.update(line.encode())
    report.fingerprint = seal.hexdigest()
    in_use = select(func.count()).select_from(Shelter).where(Shelter.retired_at.is_(None))
    if allowed is not None:
        in_use = in_use.where(store.within(allowed))
    total = session.execute(in_use).scalar_one() - (report.new if write else 0)
    report.absent = max(0, total - comparison.matched)


def _tell(session: Session, report: Report, handed: Handed, writing: _Writing) -> None:
    named = report.changes[:50]
    name = writing.name[:100] or "-"
    audit.append(session, writing.actor, "shelters.import", f"file:{name}", {
        "files": {name: handed.sha256}, "format": report.format, "created": report.new,
        "updated": report.changed, "unchanged": report.unchanged, "skipped": report.bad,
        "codes": [change.code for change in named]})
    store.wish(session, "shelters imported")
