"""Bringing obstructions in from a GeoJSON file: first what would happen, then all of it in one transaction.

A feature with an external id that is known changes that obstruction; without, it is always a new one. What somebody ended
here stays ended. Bad features are named with their reason, and stop the import unless they are to be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, require_in
from portal.regions import sources
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstruction_geojson, obstructions
from portal.shelters.roads import obstruction_values as rules

MAX_FEATURES = 2000
MAX_BYTES = 8 * 1024 * 1024
#: Bad features that are named one by one; the others are only counted.
MAX_NAMED = 100
NEW, CHANGED, SAME, ENDED, BAD = "new", "changed", "same", "ended", "bad"


@dataclass(frozen=True)
class Item:
    """One feature: its number in the file, what it is called, and what becomes of it. `reason`: why it is bad."""

    number: int
    name: str
    fate: str
    reason: str = ""
    notes: tuple[Any, ...] = ()
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass
class Plan:
    """What an import would do. `fatal`: why the file cannot be read to its end, else empty; then nothing is done."""

    items: list[Item] = field(default_factory=list)
    fatal: str = ""
    sha256: str = ""
    written: bool = False

    def count(self, fate: str) -> int:
        return sum(1 for item in self.items if item.fate == fate)

    @property
    def bad(self) -> list[Item]:
        return [item for item in self.items if item.fate == BAD]

    @property
    def noted(self) -> list[Item]:
        return [item for item in self.items if item.fate != BAD and item.notes]


def check(account: Account | None, path: Path, usual: Mapping[str, Any] | None = None) -> Plan:
    """What importing the file would do; changes nothing. `usual`: values for what a feature does not name."""
    plan, now = Plan(), utcnow()
    seen: dict[str, int] = {}
    try:
        if path.stat().st_size > MAX_BYTES:
            raise sources.Unreadable("", _("the file is larger than %(n)s MB", n=MAX_BYTES // 2**20))
        encoding, plan.sha256 = sources.inspect(path)
        for number, feature in sources.features(path, encoding):
            if number > MAX_FEATURES:
                raise sources.Unreadable("", _("the file holds more than %(n)s features: cut it into several", n=MAX_FEATURES))
            plan.items.append(_item(account, number, feature, usual or {}, seen, now))
    except sources.Unreadable as error:
        plan.fatal = str(error)
    return plan


def _item(account: Account | None, number: int, feature: Any, usual: Mapping[str, Any], seen: dict[str, int],
          now: datetime) -> Item:
    name = ""
    try:
        values = obstruction_geojson.values_of(feature, usual)
        name = str(values.get("name_zh") or values.get("name_en") or values.get("external_id") or "")[:80]
        there = obstructions.by_external(str(values["external_id"])) if values.get("external_id") else None
        checked = rules.check(rules.of(there) | values if there else values, now)
        external = checked.columns["external_id"]
        if external in seen:
            raise Invalid.one("external_id", _("the same external number as feature %(n)s", n=seen[external]))
        if external:
            seen[external] = number
        if account is not None:
            for codes in (checked.columns["region_codes"], there.region_codes if there else checked.columns["region_codes"]):
                require_in(account, SHELTERS, obstructions.regions_needed(codes))
    except Invalid as error:
        told = "; ".join(f"{p.field}: {p.message}" if p.field else str(p.message) for p in error.problems[:4])
        return Item(number, name, BAD, told)
    except Forbidden as error:
        return Item(number, name, BAD, str(error.message))
    return Item(number, name, _fate(there, checked.columns), "", checked.notes if not there else (), checked.columns)


def _fate(there: Obstruction | None, columns: Mapping[str, Any]) -> str:
    if there is None:
        return NEW
    if there.ended_at is not None:
        return ENDED
    return SAME if all(getattr(there, name) == value for name, value in columns.items()) else CHANGED


def apply(account: Account | None, path: Path, usual: Mapping[str, Any] | None = None, *, skip_bad: bool = False,
          source: str = "import", demonstration: bool = False) -> Plan:
    """Import the file, all of it or nothing. With a bad feature nothing is changed unless `skip_bad`; a file that cannot be
    read to its end changes nothing in any case. Raises Conflict when somebody changed the same obstructions meanwhile."""
    plan = check(account, path, usual)
    if plan.fatal or (plan.bad and not skip_bad):
        return plan
    with transaction() as session:
        audit.serialise(session)
        obstructions.require_room(session, plan.count(NEW))
        for item in plan.items:
            if item.fate == NEW:
                obstructions.put(session, account, item.columns, source=source, demonstration=demonstration)
            elif item.fate == CHANGED:
                row = obstructions.by_external(item.columns["external_id"])
                if row is None or row.ended_at is not None:
                    raise Conflict(_("Somebody changed these obstructions meanwhile. Nothing was imported: check the file"
                                     " again."))
                obstructions.change(session, account, row, item.columns)
        if plan.count(NEW) or plan.count(CHANGED):
            audit.append(session, account.actor if account else audit.SYSTEM, "obstruction.import",
                         f"file:{plan.sha256}", {"created": plan.count(NEW), "changed": plan.count(CHANGED),
                                                 "skipped": len(plan.bad)})
            obstructions.wish(session)
    plan.written = True
    return plan



def told(items: list[Item]) -> Iterator[str]:
    """Bad features, one a line, in words that cannot command a terminal."""
    for item in items[:MAX_NAMED]:
        line = f"feature {item.number}{f' ({item.name})' if item.name else ''}: {item.reason}"
        yield "".join(c if c.isprintable() else "�" for c in line)
