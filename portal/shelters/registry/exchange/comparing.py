"""Rows of an import beside what the database has: what is new, what changes, and the writing of both in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.errors import Problem
from portal.regions import codes, lookup
from portal.shelters.models import Entrance, Shelter
from portal.shelters.registry import checks, store
from portal.shelters.registry.exchange.report import CHANGED, NEW, Change, Finding, Report

_TABLE: Any = Shelter.__table__
_ENTRANCES: Any = Entrance.__table__
_STORED = tuple(name for name in checks.FIELDS if name != "entrances")
Row = tuple[int, dict[str, Any]]
Whole = tuple[int, dict[str, Any] | None, dict[str, Any]]
#: In bulk, None would be written as JSON's null, which is not NULL.
_JSON = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Staging(Protocol):
    """Who names what is wrong with a row."""

    def bad(self, number: int, code: str, problems: list[Problem]) -> None: ...

    def finding(self, number: int, code: str, problem: Problem) -> Finding: ...


class Comparison:
    """Takes good rows a chunk at a time; `write` makes the changes too, in the session's transaction."""

    def __init__(self, session: Session, report: Report, staging: Staging, allowed: Sequence[str] | None, write: bool) -> None:
        self.session, self.report, self.staging, self.write = session, report, staging, write
        self.allowed, self.district = allowed, current_settings().district
        self.matched = 0  # rows whose shelter is in use
        self._now = utcnow()

    def take(self, rows: list[Row]) -> list[str]:
        """Compare, count and write these rows. A line for each of them that tells what happens to it."""
        known = self._known([values["code"] for _number, values in rows])
        whole = self._whole(rows, known)
        fresh: list[dict[str, Any]] = []
        changed: list[tuple[int, dict[str, Any], bool]] = []
        lines = []
        for number, before, after in whole:
            problems = self._problems(before, after)
            if problems:
                self.staging.bad(number, after["code"], problems)
                continue
            fields = tuple(name for name in checks.FIELDS if before is None or before[name] != after[name])
            lines.append(f"{after['code']} {before['version'] if before else 0} {','.join(fields)}\n")
            self.matched += before is not None
            if before is None:
                self._say(number, after, NEW, ())
                fresh.append(after)
            elif fields:
                self._say(number, after, CHANGED, fields)
                changed.append((before["id"], after, "entrances" in fields))
            else:
                self.report.unchanged += 1
        if self.write:
            self._insert(fresh)
            self._update(changed)
        return lines

    def _say(self, number: int, after: Mapping[str, Any], kind: str, fields: tuple[str, ...]) -> None:
        self.report.change(Change(number, after["code"], after["name_zh"], kind, fields))
        for problem in checks.odd(after):
            self.report.warn(self.staging.finding(number, after["code"], problem))

    # -- reading ------------------------------------------------------------------------------------
    def _known(self, wanted: list[str]) -> dict[str, dict[str, Any]]:
        """What the database has of these codes, by code in small letters."""
        columns = [_TABLE.c[name] for name in ("id", "version", "retired_at", *_STORED)]
        query = select(*columns).where(func.lower(_TABLE.c.code).in_([code.lower() for code in wanted]))
        found = {row["code"].lower(): dict(row) | {"entrances": []} for row in self.session.execute(query).mappings()}
        by_id = {row["id"]: row for row in found.values()}
        columns = [_ENTRANCES.c[name] for name in ("shelter_id", *store.ENTRANCE_FIELDS)]
        query = select(*columns).where(_ENTRANCES.c.shelter_id.in_(list(by_id))).order_by(_ENTRANCES.c.position)
        for row in self.session.execute(query).mappings():
            entrance = dict(row)
            by_id[entrance.pop("shelter_id")]["entrances"].append(entrance)
        return found

    def _whole(self, rows: list[Row], known: Mapping[str, dict[str, Any]]) -> list[Whole]:
        """(number, before, after) of each row whose shelter is not retired, communities found by place where none is named."""
        whole: list[Whole] = []
        for number, values in rows:
            before = known.get(values["code"].lower())
            if before is not None and before["retired_at"] is not None and before["code"] == values["code"]:
                self.report.retired += 1
                self.report.warn(self.staging.finding(number, values["code"], Problem("", _l(
                    "This shelter was retired here and is left alone. Bring it back at the desk first."))))
                continue
            after = checks.merge(store.BLANK if before is None else before, values)
            whole.append((number, before, {name: after[name] for name in checks.FIELDS}))
        lost = [after for _n, _b, after in whole if after["region_code"] is None and None not in _point(after)]
        for after, code in zip(lost, lookup.at_points([_point(after) for after in lost]), strict=True):
            after["region_code"] = code
        return whole

    def _problems(self, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[Problem]:
        problems = []
        if before is not None and before["code"] != after["code"]:
            problems.append(Problem("code", _l("A shelter has the code %(code)s: write capital and small letters as it does.",
                                               code=before["code"])))
        if not after["name_zh"]:
            problems.append(Problem("name_zh", _l("A name is needed.")))
        if (after["longitude"] is None) != (after["latitude"] is None):
            problems.append(Problem("longitude", _l("Longitude and latitude are needed together, or neither.")))
        if self.allowed is not None:
            regions = {after["region_code"] or self.district} | ({before["region_code"] or self.district} if before else set())
            if not all(any(codes.contains(mine, region) for mine in self.allowed) for region in regions):
                problems.append(Problem("region_code", _l("Your duty does not cover the community of this shelter.")))
        return problems

    # -- writing ------------------------------------------------------------------------------------
    def _insert(self, fresh: list[dict[str, Any]]) -> None:
        if not fresh:
            return
        new = insert(_TABLE).values(
            _BOUND | {"version": 1, "created_at": self._now, "changed_at": self._now, "status_source": ""})
        self.session.connection().execute(new, [_bound(after) for after in fresh])
        query = select(_TABLE.c.code, _TABLE.c.id).where(_TABLE.c.code.in_([after["code"] for after in fresh]))
        ids: dict[str, int] = {row.code: row.id for row in self.session.execute(query)}
        self._add_entrances((ids[after["code"]], after["entrances"]) for after in fresh)

    def _update(self, changed: list[tuple[int, dict[str, Any], bool]]) -> None:
        if not changed:
            return
        query = update(_TABLE).where(_TABLE.c.id == bindparam("b_id")).values(
            _BOUND | {"version": _TABLE.c.version + 1, "changed_at": self._now})
        self.session.connection().execute(query, [_bound(after) | {"b_id": i} for i, after, _entrances in changed])
        renewed = [(i, after["entrances"]) for i, after, entrances in changed if entrances]
        if renewed:
            self.session.execute(delete(_ENTRANCES).where(_ENTRANCES.c.shelter_id.in_([i for i, _e in renewed])))
            self._add_entrances(renewed)

    def _add_entrances(self, of: Iterable[tuple[int, list[dict[str, Any]]]]) -> None:
        rows = [{"shelter_id": i, "position": n, **entrance} for i, entrances in of for n, entrance in enumerate(entrances)]
        if rows:
            self.session.execute(insert(_ENTRANCES), rows)


_BOUND: dict[str, Any] = {
    name: bindparam(f"b_{name}", type_=_JSON if name in ("boundary", "suitability") else _TABLE.c[name].type) for name in _STORED}


def _bound(after: Mapping[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": after[name] for name in _STORED}


def _point(values: Mapping[str, Any]) -> tuple[Any, Any]:
    return values["longitude"], values["latitude"]


