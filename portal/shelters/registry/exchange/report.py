"""What an import found and did, or would do: counts, findings by row and column, changes by code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Findings and changes that a report names one by one; the others are only counted.
MAX_NAMED = 500
NEW, CHANGED, UNCHANGED, RETIRED = KINDS = ("new", "changed", "unchanged", "retired")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one row. `row`: the line of a CSV file or the number of a GeoJSON feature, counted from 1, or 0 for
    the whole file; `code` of the shelter, or empty where it has none; `column` as the file calls it, or empty; `reason`
    is a lazy sentence that also tells how to mend it."""

    row: int
    code: str
    column: str
    reason: Any

    def __str__(self) -> str:
        told = ": ".join(str(part) for part in (self.row or "", self.code, self.column, self.reason) if part)
        return "".join(c if c.isprintable() else "�" for c in told)  # a file must not command the terminal


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one shelter: `kind` is NEW or CHANGED; `fields`: names of `checks.FIELDS` that change."""

    row: int
    code: str
    name: str
    kind: str
    fields: tuple[str, ...] = ()


@dataclass
class Report:
    """`check` and `apply` give the same report; `written` tells whether the changes were made.

    read: rows read. new, changed, unchanged: good rows. retired: rows whose shelter was retired here; they are left alone.
    bad: rows that cannot be taken. warned: warnings. swapped: bad rows in which only latitude and longitude stand the
    wrong way round, so that `swap_coordinates` mends them; unswapped: rows that were mended so. absent: shelters in use
    that the file does not name; nothing happens to them. fatal: the file cannot be read to its end, nothing was changed.
    fingerprint: of the file and of what it would change; the same before and after only when nothing else came between.
    """

    format: str
    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    retired: int = 0
    bad: int = 0
    warned: int = 0
    swapped: int = 0
    unswapped: int = 0
    absent: int = 0
    fatal: bool = False
    written: bool = False
    fingerprint: str = ""
    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many shelters it adds or changes."""
        return self.new + self.changed

    def blocks(self, *, skip_bad: bool) -> bool:
        """Whether nothing may be written."""
        return self.fatal or (self.bad > 0 and not skip_bad)

    def fault(self, finding: Finding) -> None:
        if len(self.faults) < MAX_NAMED:
            self.faults.append(finding)

    def warn(self, finding: Finding) -> None:
        self.warned += 1
        if len(self.warnings) < MAX_NAMED:
            self.warnings.append(finding)

    def change(self, change: Change) -> None:
        if change.kind == NEW:
            self.new += 1
        else:
            self.changed += 1
        if len(self.changes) < MAX_NAMED:
            self.changes.append(change)
