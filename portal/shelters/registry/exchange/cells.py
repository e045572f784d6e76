"""Cells of a CSV file that hold more than one value or could do harm: entrances, and what a spreadsheet would run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

#: An entrance as text: these fields, separated by "|"; entrances are separated by ";"; "\" takes a sign literally.
ENTRANCE = ("name_zh", "name_en", "longitude", "latitude", "step_free", "hours")
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠\t\r]")
_GUARDED = re.compile(r"''*[=+\-@＝＋－＠\t\r]")


class BadCell(Exception):
    """Why a cell cannot be read; `message` is lazy."""

    def __init__(self, message: Any) -> None:
        self.message = message
        super().__init__(str(message))


def guarded(text: str) -> str:
    """Text that no spreadsheet runs as a formula: one apostrophe more before what begins like one."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that was given to `guarded`."""
    return text[1:] if _GUARDED.match(text) else text


def number(value: float | None) -> str:
    """A number without a spurious ".0"; empty for unknown."""
    return "" if value is None else repr(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def yes_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def write_entrances(entrances: Iterable[Mapping[str, Any]]) -> str:
    written = []
    for entrance in entrances:
        parts = [entrance["name_zh"], entrance["name_en"], number(entrance["longitude"]), number(entrance["latitude"]),
                 yes_no(entrance["step_free"]), entrance["hours"]]
        written.append("|".join(re.sub(r"([\\|;])", r"\\\1", part) for part in parts))
    return "; ".join(written)


def read_entrances(text: str) -> list[dict[str, str]]:
    """The entrances of a cell, not yet checked. Raises BadCell."""
    found = []
    for n, parts in enumerate(_split(text), 1):
        if len(parts) != len(ENTRANCE):
            raise BadCell(_l("Entrance %(n)s has %(found)s parts; %(needed)s are needed, separated by |: %(names)s.",
                             n=n, found=len(parts), needed=len(ENTRANCE), names=" | ".join(ENTRANCE)))
        found.append(dict(zip(ENTRANCE, parts, strict=True)))
    return found


def _split(text: str) -> list[list[str]]:
    """Entrances, each as its parts. Separators and escapes are told apart by one walk."""
    entrances: list[list[str]] = [[]]
    part: list[str] = []
    signs = iter(text)
    for sign in signs:
        if sign == "\\":
            part.append(next(signs, ""))
        elif sign in "|;":
            entrances[-1].append("".join(part).strip())
            part = []
            if sign == ";":
                entrances.append([])
        else:
            part.append(sign)
    entrances[-1].append("".join(part).strip())
    return [parts for parts in entrances if any(parts)]
