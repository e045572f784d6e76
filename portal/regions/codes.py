"""Region codes (GB/T 2260 and GB/T 10114): 12 digits that are prefixes, so that a whole subtree is one range.

``440310000000`` district, ``440310001000`` street, ``440310001001`` community.
"""

from __future__ import annotations

import re

LEVELS = ("province", "city", "district", "street", "community")
_WIDTHS = {"province": 2, "city": 4, "district": 6, "street": 9, "community": 12}
_CODE = re.compile(r"\d{12}\Z", re.ASCII)


def is_code(text: str) -> bool:
    return bool(_CODE.match(text))


def level_of(code: str) -> str:
    """The level that a code's trailing zeros tell. Raises ValueError when it is not a code."""
    if not is_code(code):
        raise ValueError(f"{code!r} is not a 12-digit region code")
    return next(level for level in LEVELS if code[_WIDTHS[level] :].strip("0") == "")


def prefix_of(code: str) -> str:
    """The digits that all codes in the subtree begin with."""
    return code[: _WIDTHS[level_of(code)]]


def code_range(code: str) -> tuple[str, str]:
    """Lowest and highest code of the subtree, both included."""
    prefix = prefix_of(code)
    return prefix.ljust(12, "0"), prefix.ljust(12, "9")


def contains(ancestor: str, code: str) -> bool:
    """Whether `code` is `ancestor` or lies below it."""
    return code.startswith(prefix_of(ancestor))


def lineage(code: str) -> list[str]:
    """The code and those of the regions around it, innermost first."""
    return [code[: _WIDTHS[level]].ljust(12, "0") for level in LEVELS[LEVELS.index(level_of(code)) :: -1]]


def parent_of(code: str) -> str | None:
    """The code one level up; None for a province."""
    at = LEVELS.index(level_of(code))
    return None if at == 0 else code[: _WIDTHS[LEVELS[at - 1]]].ljust(12, "0")
