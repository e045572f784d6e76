"""What is wrong with a file of a course: where it stands, and how to mend it, in the language of the context."""

from __future__ import annotations

from dataclasses import dataclass, field

from flask_babel import gettext as _

#: Faults that are told of one file; whoever broke a whole file needs no more.
MOST = 100


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """`file` is relative to the folder of courses, `line` starts at 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(slots=True)
class Notes:
    """Collects the faults of one file into `found`, which all files of a reading share."""

    file: str
    found: list[Fault]
    _count: int = field(default=0, init=False)

    def add(self, line: int, message: str) -> None:
        self._count += 1
        if self._count == MOST:
            message = _("there are more faults in this file; mend those above first")
        if self._count <= MOST:
            self.found.append(Fault(self.file, max(line, 1), message))

    @property
    def clean(self) -> bool:
        return not self._count
