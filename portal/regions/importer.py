"""Bringing regions in from CSV and GeoJSON: all of it, or nothing.

Files are read once, row by row; what is good is set aside on disk, what is bad is named. Only when it is
known that everything is good (or that bad rows are to be skipped) does one transaction write. Besides the row
in hand, memory holds the codes and boxes seen, at most `MAX_ROWS` of them.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.regions import codes, rows, sources
from portal.regions.boundaries import BadBoundary, check_boundary
from portal.regions.models import Region, RegionStamp
from portal.regions.report import MAX_NAMED, Finding, Report
from portal.regions.sources import Unreadable

MAX_ROWS = 1_000_000
_CHUNK = 500
#: Degrees (about 100 m) by which a child may reach beyond its parent's box without a word.
_TOLERANCE = 0.001
_STORED = ("name_zh", "name_en", "pinyin", "population", "demonstration")
Box = tuple[float, float, float, float]


def import_files(
    paths: Iterable[Path | str],
    *,
    check: bool = False,
    skip_bad: bool = False,
    actor: audit.Actor = audit.SYSTEM,
) -> Report:
    """Import CSV tables and GeoJSON boundaries, in any order, as one whole.

    With a bad row nothing is changed, unless `skip_bad`; a file that cannot be read to its end stops the
    import in any case. `check` changes nothing and reports the same. What is already so is left alone, so
    that a second import changes nothing. An import that changes something is one entry of the audit trail.
    Raises Conflict when another import was writing the same regions.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        run = _Run(spool)
        for path in paths:
            run.read(Path(path))
        run.attach()
        report = run.report
        if check or report.fatal or (report.bad and not skip_bad):
            if not report.fatal:
                run.apply(db.session, write=False)
            report.faults.sort()
            return report
        try:
            with transaction() as session:
                _lock(session)
                run.apply(session, write=True)
                if report.changes:
                    _renew_stamp(session)
                    audit.append(
                        session,
                        actor,
                        "regions.import",
                        "regions:import",
                        {
                            "files": run.hashes,
                            "created": report.created,
                            "updated": report.updated,
                            "boundaries": report.boundaries,
                            "skipped": report.bad,
                        },
                    )
        except IntegrityError as error:
            raise Conflict(
                "Another import was writing the same regions. Nothing was changed; run it again."
            ) from error
        report.written = True
        report.faults.sort()
        return report


def _lock(session: Session) -> None:
    """Let imports follow one another: each waits here for the one before."""
    session.execute(select(RegionStamp).where(RegionStamp.id == 1).with_for_update())


def _renew_stamp(session: Session) -> None:
    stamp = session.get(RegionStamp, 1)
    if stamp is None:
        session.add(RegionStamp(id=1, stamp=str(uuid.uuid4())))
    else:
        stamp.stamp = str(uuid.uuid4())
    session.flush()


class _Run:
    """One import: what was read, set aside and found."""

    def __init__(self, spool: IO[str]) -> None:
        self.spool = spool
        self.report = Report()
        self.hashes: dict[str, str] = {}
        self.files: list[str] = []
        self.rows: dict[str, tuple[int, str]] = {}
        self.shapes: dict[str, tuple[int, str, Box]] = {}
        self.demonstration: set[str] = set()
        self.lost: set[str] = set()
        self.lost_shapes: set[str] = set()

    # -- reading ------------------------------------------------------------------------------------

    def read(self, path: Path) -> None:
        """Read one file: set aside what is good, note what is not."""
        self.files.append(path.name)
        try:
            encoding, self.hashes[path.name] = sources.inspect(path)
            if path.suffix.lower() in (".geojson", ".json"):
                self._read_shapes(path, encoding)
            elif path.suffix.lower() == ".csv":
                self._read_rows(path, encoding)
            else:
                raise Unreadable("", "only files called .csv, .geojson or .json can be imported")
        except Unreadable as error:
            self.report.fatal = True
            self.report.bad += 1
            # This one is named in any case, and after the file's others: it is why nothing was imported.
            self.report.faults.append(
                Finding(
                    (len(self.files) - 1, MAX_ROWS + 1),
                    path.name,
                    error.place,
                    "",
                    f"{error.reason}; nothing was imported",
                )
            )

    def _read_rows(self, path: Path, encoding: str) -> None:
        heading: list[str] = []
        for number, fields in sources.csv_rows(path, encoding):
            if not heading:
                heading = rows.heading_of(fields)
                if problems := rows.heading_problems(heading):
                    raise Unreadable(f"line {number}", "; ".join(problems))
                continue
            place = self._count(f"line {number}")
            try:
                values = rows.check_row(heading, fields)
            except rows.BadRow as bad:
                code = fields[heading.index("code")].strip() if len(fields) == len(heading) else ""
                self._fault(number, place, code[:20], str(bad))
                continue
            code = values["code"]
            if code in self.rows:
                self._fault(
                    number, place, code, f"the code is there twice: first {self._first(self.rows[code])}"
                )
                continue
            if not values.get("name_en"):
                self._warn(number, place, code, "there is no English name: the Chinese one stands in for it")
            self.rows[code] = (len(self.files) - 1, place)
            self._set_aside("row", number, place, values)
        if not heading:
            raise Unreadable("", "the file is empty")

    def _read_shapes(self, path: Path, encoding: str) -> None:
        for number, feature in sources.features(path, encoding):
            place = self._count(f"feature {number}")
            properties = feature.get("properties") if isinstance(feature, dict) else None
            if not isinstance(properties, dict) or feature.get("type") != "Feature":
                self._fault(number, place, "", "this is not a GeoJSON Feature with properties")
                continue
            code = str(properties.get("code") or "").strip()
            problem = rows.code_problem(code)
            if not problem and code in self.shapes:
                problem = f"the boundary is there twice: first {self._first(self.shapes[code])}"
            if problem:
                self._fault(number, place, code[:20], problem)
                continue
            try:
                boundary = check_boundary(feature.get("geometry"))
            except BadBoundary as bad:
                self._fault(number, place, code, str(bad))
                continue
            for warning in boundary.warnings:
                self._warn(number, place, code, warning)
            if properties.get("demonstration") is True:
                self.demonstration.add(code)
            self.shapes[code] = (len(self.files) - 1, place, boundary.box)
            self._set_aside(
                "shape", number, place, {"code": code, "boundary": boundary.geojson, "box": boundary.box}
            )

    def _count(self, place: str) -> str:
        self.report.read += 1
        if self.report.read > MAX_ROWS:
            raise Unreadable(place, f"more than {MAX_ROWS:,} rows and features: import province by province")
        return place

    def _first(self, where: tuple[Any, ...]) -> str:
        return f"{self.files[where[0]]}, {where[1]}"

    def _set_aside(self, kind: str, number: int, place: str, values: dict[str, Any]) -> None:
        self.spool.write(
            json.dumps([kind, len(self.files) - 1, number, place, values], ensure_ascii=False) + "\n"
        )

    def _fault(self, number: int, place: str, code: str, reason: str, file: int = -1) -> None:
        self.report.bad += 1
        self._note(self.report.faults, number, place, code, reason, file)

    def _warn(self, number: int, place: str, code: str, reason: str, file: int = -1) -> None:
        self.report.warned += 1
        self._note(self.report.warnings, number, place, code, reason, file)

    def _note(self, into: list[Finding], number: int, place: str, code: str, reason: str, file: int) -> None:
        if len(into) < MAX_NAMED:
            at = file if file >= 0 else len(self.files) - 1
            into.append(Finding((at, number), self.files[at], place, code, reason))

    # -- how the pieces hang together ---------------------------------------------------------------

    def attach(self) -> None:
        """Find what has no parent and what no region belongs to; compare each boundary with its parent's."""
        parents = {p for code in [*self.rows, *self.shapes] if (p := codes.parent_of(code))}
        known = self._known_boxes(parents | set(self.shapes))
        # Ascending order has parents before their children, so that a lost street loses its communities too.
        for code in sorted(self.rows):
            parent = codes.parent_of(code) or ""
            if (
                codes.level_of(code) in ("street", "community")
                and parent not in known
                and (parent not in self.rows or parent in self.lost)
            ):
                self.lost.add(code)
        for kind, file, number, place, values in self._staged():
            code = values["code"]
            if kind == "row" and code in self.lost:
                self._fault(
                    number,
                    place,
                    code,
                    f"its parent {codes.parent_of(code)} is neither in the files nor in the "
                    "database, or is bad itself: import it first",
                    file,
                )
            elif kind == "shape" and code not in known and (code not in self.rows or code in self.lost):
                self.lost_shapes.add(code)
                self._fault(
                    number,
                    place,
                    code,
                    "there is no such region: import its row (CSV) first or together",
                    file,
                )
            elif kind == "shape":
                self._compare_with_parent(values, known, file, number, place)

    def _compare_with_parent(
        self, values: dict[str, Any], known: dict[str, Box | None], file: int, number: int, place: str
    ) -> None:
        parent = codes.parent_of(values["code"]) or ""
        outer = self.shapes[parent][2] if parent in self.shapes else known.get(parent)
        box = values["box"]
        if outer and (
            box[0] < outer[0] - _TOLERANCE
            or box[1] < outer[1] - _TOLERANCE
            or box[2] > outer[2] + _TOLERANCE
            or box[3] > outer[3] + _TOLERANCE
        ):
            self._warn(
                number,
                place,
                values["code"],
                f"the boundary reaches beyond that of its parent {parent}",
                file,
            )

    def _known_boxes(self, wanted: set[str]) -> dict[str, Box | None]:
        found: dict[str, Box | None] = {}
        for chunk in _chunks(sorted(wanted)):
            columns = (Region.code, Region.west, Region.south, Region.east, Region.north)
            for row in db.session.execute(select(*columns).where(Region.code.in_(chunk))):
                found[row.code] = None if row.west is None else (row.west, row.south, row.east, row.north)
        return found

    def _staged(self, only: str | None = None) -> Iterator[list[Any]]:
        self.spool.seek(0)
        for line in self.spool:
            if only is None or line.startswith(f'["{only}"'):
                yield json.loads(line)

    # -- writing ------------------------------------------------------------------------------------

    def apply(self, session: Session, *, write: bool) -> None:
        """Compare what was set aside with the database and, when told to, write the difference."""
        self._apply_chunks(session, "row", self.lost, self._apply_rows, write)
        self._apply_chunks(session, "shape", self.lost_shapes, self._apply_shapes, write)

    def _apply_chunks(
        self,
        session: Session,
        kind: str,
        lost: set[str],
        apply: Callable[[Session, list[dict[str, Any]], bool], None],
        write: bool,
    ) -> None:
        good = (values for *_, values in self._staged(kind) if values["code"] not in lost)
        for chunk in _chunks(good):
            apply(session, chunk, write)

    def _apply_rows(self, session: Session, chunk: list[dict[str, Any]], write: bool) -> None:
        columns = [getattr(Region, name) for name in _STORED]
        found = {
            code: dict(zip(_STORED, old, strict=True))
            for code, *old in session.execute(
                select(Region.code, *columns).where(Region.code.in_([v["code"] for v in chunk]))
            )
        }
        fresh, changed = [], []
        for values in chunk:
            code, old = values["code"], found.get(values["code"])
            if "name_en" in values or old is None:
                values["name_en"] = values.get("name_en") or values["name_zh"]
            if code in self.demonstration:
                values["demonstration"] = True
            if old is None:
                blank = {"pinyin": "", "population": None, "demonstration": False}
                fresh.append(
                    {**blank, **values, "level": codes.level_of(code), "parent_code": codes.parent_of(code)}
                )
            elif any(old[name] != value for name, value in values.items() if name != "code"):
                changed.append({**old, **values})
        self.report.created += len(fresh)
        self.report.updated += len(changed)
        self.report.unchanged += len(chunk) - len(fresh) - len(changed)
        if write and fresh:
            session.execute(insert(Region), fresh)
        if write and changed:
            session.execute(update(Region), changed)

    def _apply_shapes(self, session: Session, chunk: list[dict[str, Any]], write: bool) -> None:
        found = {
            code: (boundary, mark)
            for code, boundary, mark in session.execute(
                select(Region.code, Region.boundary, Region.demonstration).where(
                    Region.code.in_([v["code"] for v in chunk])
                )
            )
        }
        changed = []
        for values in chunk:
            old, marked = found.get(values["code"], (None, False))
            mark = marked or values["code"] in self.demonstration
            if old != values["boundary"] or mark != marked:
                west, south, east, north = values["box"]
                changed.append(
                    {
                        "code": values["code"],
                        "boundary": values["boundary"],
                        "demonstration": mark,
                        "west": west,
                        "south": south,
                        "east": east,
                        "north": north,
                    }
                )
        self.report.boundaries += len(changed)
        self.report.boundaries_unchanged += len(chunk) - len(changed)
        if write and changed:
            session.execute(update(Region), changed)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
