"""One figure of the table, and the table: for people, and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

AT_LEAST, AT_MOST = "≥", "≤"


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, beside what it is measured by. `ratio`: `value` over `reference_value`, except where the goal is about
    something else (`note` says so); `goal`: in words; `met`: None where there is no goal, or where it could not be measured."""

    what: str
    value: float | None
    unit: str
    reference: str
    reference_value: float | None
    ratio: float | None
    goal: str
    met: bool | None
    note: str = ""


def compared(
    what: str, value: float, unit: str, reference: str, reference_value: float, sign: str = "", bound: float | None = None,
    note: str = "",
) -> Row:
    """A row whose goal bounds the ratio: `compared(…, AT_LEAST, 0.7)`."""
    ratio = value / reference_value if reference_value else None
    met = None if bound is None or ratio is None else ratio >= bound if sign == AT_LEAST else ratio <= bound
    goal = f"{sign} {bound:g} ×" if bound is not None else ""
    return Row(what, value, unit, reference, reference_value, ratio, goal, met, note)


def unmeasured(what: str, goal: str, why: str) -> Row:
    """A row of which there is no figure, and why."""
    return Row(what, None, "", "", None, None, goal, None, why)


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """`12,000 to 14,000 in 3 runs`; empty for a single one."""
    if len(values) < 2:
        return ""
    digits = 0 if min(values) >= 100 else 2
    return f"{min(values):,.{digits}f} to {max(values):,.{digits}f} in {len(values)} runs"


def notes(*words: str) -> str:
    """Those that say something, in one line."""
    return "; ".join(word for word in words if word)


# -- for people --------------------------------------------------------------------------------------------
_HEAD = ("what", "figure", "reference", "its figure", "ratio", "goal", "")


def table(rows: Iterable[Row]) -> str:
    """The rows in columns, notes below the row that they belong to."""
    lines = [(_cells(row), row.note) for row in rows]
    widths = [max([_width(_HEAD[n]), *(_width(cells[n]) for cells, _ in lines)]) for n in range(len(_HEAD))]
    printed = [_line(_HEAD, widths), "  ".join("─" * width for width in widths)]
    for cells, note in lines:
        printed.append(_line(cells, widths))
        if note:
            printed.append(f"    {note}")
    return "\n".join(printed)


def _cells(row: Row) -> tuple[str, ...]:
    met = "" if row.met is None else "✓ met" if row.met else "✗ missed"
    if row.value is None:
        met = "– not measured"
    return (row.what, _figure(row.value, row.unit), row.reference, _figure(row.reference_value, row.unit),
            "" if row.ratio is None else f"{row.ratio:.2f}", row.goal, met)


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    left = (0, 2, 5, 6)
    padded = []
    for n, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        gap = " " * (width - _width(cell))
        padded.append(cell + gap if n in left else gap + cell)
    return "  ".join(padded).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


# -- for machines ------------------------------------------------------------------------------------------
def machine() -> dict[str, object]:
    """What was measured on: never the host's name."""
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(), "python": platform.python_version(),
            "system": platform.system(), "load": [round(x, 2) for x in os.getloadavg()]}


def write_json(path: Path, rows: Sequence[Row], took: Mapping[str, float], before: dict[str, object]) -> None:
    """`took`: seconds of each section; `before`: the machine as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"machine": before, "load_after": round(os.getloadavg()[0], 2),
            "seconds": {section: round(seconds, 1) for section, seconds in took.items()},
            "missed": [row.what for row in rows if row.met is False], "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
