"""What an import tells: counts, and findings by file, place and code."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Findings that a report names one by one; the others are only counted.
MAX_NAMED = 1000


@dataclass(frozen=True, order=True)
class Finding:
    """Something about one row or feature. `order` is the file's place and the row's number within the run."""

    order: tuple[int, int]
    file: str
    place: str
    code: str
    reason: str

    def __str__(self) -> str:
        told = ": ".join(part for part in (self.file, self.place, self.code, self.reason) if part)
        return "".join(c if c.isprintable() else "�" for c in told)  # a file must not command the terminal


@dataclass
class Report:
    """What an import found and did (or, with `check`, would do)."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    boundaries: int = 0
    boundaries_unchanged: int = 0
    bad: int = 0
    warned: int = 0
    written: bool = False
    fatal: bool = False
    faults: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    @property
    def changes(self) -> int:
        return self.created + self.updated + self.boundaries
