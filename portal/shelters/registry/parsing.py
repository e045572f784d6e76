"""One value as a person, a spreadsheet or a JSON file writes it, as the database keeps it. Unknown is None.

Each function returns (value, problem): the problem is a lazy sentence, or None.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.clock import from_local

#: What people write for "nobody knows"; an empty cell is the same.
UNKNOWN_WORDS = frozenset(("", "unknown", "未知", "不明", "不详", "不詳", "未定", "空", "null", "none", "n/a", "na", "?", "？"))
_YES = frozenset(("yes", "y", "true", "1", "是", "有", "可", "○", "◯"))
_NO = frozenset(("no", "n", "false", "0", "否", "无", "無", "不可", "×", "x"))
#: Characters that cannot be seen, turn the line around, or are half of one: no text for people has them.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?\Z", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?\Z", re.ASCII)

UNSHOWABLE = _l("This holds a character that cannot be shown.")

Parsed = tuple[Any, Any]


def is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in UNKNOWN_WORDS)


def is_writable(value: Any) -> bool:
    """Whether a JSON value can be written out again: one with half a character in it (`"\\ud800"`) can be kept nowhere, nor be
    named in an answer."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def text(value: Any, longest: int) -> Parsed:
    """One line of at most `longest` characters; empty for unknown."""
    if value is None:
        return "", None
    if not isinstance(value, str | int | float):
        return None, _l("One line of text is needed.")
    line = " ".join(str(value).split())
    if line.lower() in UNKNOWN_WORDS and len(line) > 1:  # one sign alone may be a name
        return "", None
    if CONTROL.search(line):
        return None, UNSHOWABLE
    if len(line) > longest:
        return None, _l("This is longer than %(most)s characters.", most=longest)
    return line, None


def yes_no(value: Any) -> Parsed:
    if isinstance(value, bool) or is_unknown(value):
        return value if isinstance(value, bool) else None, None
    word = str(value).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES, None
    return None, _l("“%(value)s” is neither yes, no nor unknown.", value=str(value)[:20])


def choice(value: Any, words: Mapping[str, Any], aliases: Mapping[str, str]) -> Parsed:
    """A key of `words`, or one of its other names."""
    if is_unknown(value):
        return None, None
    word = str(value).strip()
    key = word.lower() if word.lower() in words else aliases.get(word)
    if key is None:
        return None, _l("“%(value)s” is not known here. Possible are: %(words)s.", value=word[:20], words=", ".join(words))
    return key, None


def number(value: Any) -> Parsed:
    """A finite number; whole ones with thousands' commas too."""
    if is_unknown(value):
        return None, None
    if isinstance(value, bool):
        return None, _l("A number is needed.")
    if isinstance(value, int | float):
        if abs(value) > 1e15 or not isfinite(value):
            return None, _l("This number is not finite or far too large.")
        return float(value), None
    plain = unicodedata.normalize("NFKC", str(value)).strip()
    if _GROUPED.match(plain):
        plain = plain.replace(",", "")
    if len(plain) > 40 or not _NUMBER.match(plain):
        return None, _l("“%(value)s” is not a number.", value=plain[:20])
    return float(plain), None


def measure(value: Any, most: float) -> Parsed:
    """A quantity above zero and up to `most`, to the hundredth."""
    found, problem = number(value)
    if found is None or problem:
        return None, problem
    found = round(found, 2) + 0.0
    if found <= 0:
        return None, _l("This must be more than zero. Leave it empty where it is not known.")
    if found > most:
        return None, _l("This cannot be more than %(most)s.", most=f"{most:,.0f}")
    return found, None


def count(value: Any, most: int) -> Parsed:
    """A whole number from zero up to `most`."""
    found, problem = number(value)
    if found is None or problem:
        return None, problem
    if found != int(found):
        return None, _l("A whole number is needed.")
    if found < 0:
        return None, _l("This cannot be less than zero.")
    if found > most:
        return None, _l("This cannot be more than %(most)s.", most=f"{most:,}")
    return int(found), None


def day(value: Any) -> Parsed:
    """A date: 2026-11-25, 2026/11/25, 2026.11.25, 2026年11月25日."""
    if is_unknown(value):
        return None, None
    if isinstance(value, datetime):
        return value.date(), None
    if isinstance(value, date):
        return value, None
    found = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", str(value).strip(), re.ASCII)
    try:
        return date(*map(int, found.groups())) if found else None, None if found else _date_needed()
    except ValueError:
        return None, _l("There is no such day.")


def moment(value: Any, zone: str) -> Parsed:
    """A moment: ISO 8601; without an offset it is understood in `zone`; a date alone is its noon."""
    if is_unknown(value):
        return None, None
    if isinstance(value, str):
        if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", value.strip(), re.ASCII):
            found, problem = day(value)
            return (from_local(datetime(found.year, found.month, found.day, 12), zone) if found else None), problem  # noqa: DTZ001
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None, _date_needed()
    if not isinstance(value, datetime):
        return None, _date_needed()
    try:
        value = from_local(value, zone) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None, _l("There is no such day.")
    return value.replace(microsecond=0), None


def _date_needed() -> Any:
    return _l("A date is needed, such as 2026-11-25.")
