"""Loudspeakers from a CSV file: read once to check all of it, and only then once more to write it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from portal.channels.speakers import protocol
from portal.channels.speakers.models import Speaker
from portal.core import audit
from portal.core.db import transaction
from portal.core.errors import Invalid, Problem
from portal.regions import lookup

REQUIRED = ("address", "name_zh", "name_en", "region_code", "longitude", "latitude")
OPTIONAL = {"bridge": "mqtt", "language": "zh", "groups": "", "enabled": "yes"}
BRIDGES = ("mqtt",)
LANGUAGES = ("zh", "en")
MAX_SHOWN = 100
_CHUNK = 500
_YES, _NO = ("yes", "true", "1", "是"), ("no", "false", "0", "否")


@dataclass
class Report:
    """What an import found and did; `problems` names the first bad rows, `bad` counts them all."""

    rows: int = 0
    bad: int = 0
    added: int = 0
    changed: int = 0
    problems: list[str] = field(default_factory=list)


def import_csv(path: Path, *, check: bool = False, actor: audit.Actor = audit.SYSTEM) -> Report:
    """Add or change (by address) the loudspeakers in `path`. With a bad row, or `check`, nothing is changed."""
    report = Report()
    seen: set[str] = set()
    for number, row in _rows(path):
        report.rows += 1
        try:
            _read(row, seen)
        except Invalid as error:
            report.bad += 1
            if len(report.problems) < MAX_SHOWN:
                report.problems.append(f"line {number}: " + "; ".join(f"{p.field}: {p.message}" for p in error.problems))
        except _Unreadable as error:
            report.bad += 1
            report.problems.append(f"line {number}: {error}")
            return report
    if check or report.bad:
        return report
    with transaction() as session:
        rows = (_read(row, None) for _, row in _rows(path))
        while chunk := list(islice(rows, _CHUNK)):
            _write(session, chunk, report)
        audit.append(session, actor, "speakers.import", f"file:{path.name}"[:120],
                     {"rows": report.rows, "added": report.added, "changed": report.changed})
    return report


class _Unreadable(Exception):
    """The file ends here for us."""


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            header = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = header
            missing = [name for name in REQUIRED if name not in header]
            unknown = [name for name in header if name not in REQUIRED and name not in OPTIONAL]
            if missing or unknown:
                yield 1, {"": f"missing columns: {', '.join(missing) or 'none'}; unknown columns: {', '.join(unknown) or 'none'}"}
                return
            for row in reader:
                yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            yield reader.line_num + 1, {"": f"cannot be read as CSV in UTF-8: {error}"}


def _read(row: dict[Any, Any], seen: set[str] | None) -> dict:
    """The values of one row. Raises Invalid with everything that is wrong with it."""
    if "" in row:
        raise _Unreadable(row[""])
    problems: list[Problem] = []

    def wrong(name: str, message: str) -> None:
        problems.append(Problem(name, message))

    if None in row or None in row.values():
        raise Invalid.one("row", "has more or fewer values than the header has columns")
    value = {name: (row.get(name) or default).strip() for name, default in (dict.fromkeys(REQUIRED, "") | OPTIONAL).items()}
    if not protocol.is_address(value["address"]):
        wrong("address", "1 to 64 letters, digits, '_', '.' or '-' are needed")
    elif seen is not None:
        if value["address"] in seen:
            wrong("address", f"{value['address']} stands in an earlier line too")
        seen.add(value["address"])
    for name, longest in (("name_zh", 80), ("name_en", 120)):
        if not 1 <= len(value[name]) <= longest or not value[name].isprintable():
            wrong(name, f"1 to {longest} printable characters are needed")
    node = lookup.get(value["region_code"])
    if node is None:
        wrong("region_code", f"there is no region {value['region_code']!r}; import the regions first")
    elif node.level != "community":
        wrong("region_code", f"{value['region_code']} is a {node.level}; a horn belongs to a community")
    place = _place(value["longitude"], value["latitude"], wrong)
    for name, known in (("bridge", BRIDGES), ("language", LANGUAGES), ("enabled", _YES + _NO)):
        if value[name].lower() not in known:
            wrong(name, f"one of {', '.join(known)} is needed, not {value[name]!r}")
    groups = [group.strip() for group in value["groups"].split(";") if group.strip()]
    if len(groups) > 20 or any(len(group) > 40 or not group.isprintable() for group in groups):
        wrong("groups", "at most 20 groups of at most 40 printable characters, separated by ';'")
    if problems or place is None:
        raise Invalid(problems)
    return {"address": value["address"], "name_zh": value["name_zh"], "name_en": value["name_en"],
            "region_code": value["region_code"], "longitude": place[0], "latitude": place[1], "groups": groups,
            "bridge": value["bridge"].lower(), "language": value["language"].lower(),
            "enabled": value["enabled"].lower() in _YES}


def _place(longitude: str, latitude: str, wrong: Callable[[str, str], None]) -> tuple[float, float] | None:
    try:
        lon, lat = float(longitude), float(latitude)
    except ValueError:
        wrong("longitude", f"longitude and latitude in degrees are needed, not {longitude!r}, {latitude!r}")
        return None
    if -180 <= lon <= 180 and -90 <= lat <= 90:
        return lon, lat
    if -180 <= lat <= 180 and -90 <= lon <= 90:
        wrong("latitude", "longitude and latitude seem to be swapped")
    else:
        wrong("longitude", f"{lon}, {lat} is no place on earth")
    return None


def _write(session: Session, rows: list[dict], report: Report) -> None:
    known = dict(session.execute(
        select(Speaker.address, Speaker.id).where(Speaker.address.in_([row["address"] for row in rows]))).all())
    new = [row for row in rows if row["address"] not in known]
    old = [row | {"id": known[row["address"]]} for row in rows if row["address"] in known]
    if new:
        session.execute(insert(Speaker), new)
    if old:
        session.execute(update(Speaker), old)
    report.added += len(new)
    report.changed += len(old)
