"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, WARN, FAIL = "ok", "note", "warn", "fail"
MARKS = {OK: "✓", NOTE: "·", WARN: "!", FAIL: "✗"}


@dataclass(frozen=True)
class Finding:
    """One line of the report. `mend` says how to put it right; empty where there is nothing to do."""

    level: str
    message: str
    mend: str = ""
