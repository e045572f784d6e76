"""Why a row, or a whole list, cannot be taken. Stored as a key and what it is about, so that each reads it in the own language.

What a row is about is never a number: a name of a place, a word. See :func:`about`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

#: Of one row. `%(about)s` is what stood there, where that tells nothing of somebody.
ROWS: dict[str, Any] = {
    "no_phone": _l("The phone is missing."),
    "shortened": _l("A spreadsheet has shortened the phone: format the column as text and fill it anew."),
    "no_such_phone": _l("No phone has such a number."),
    "landline": _l("This is a fixed line: it gets no texts."),
    "no_place": _l("The community is missing."),
    "no_such_code": _l("No community has the code %(about)s."),
    "no_such_place": _l("No community of the district is called “%(about)s”."),
    "several_places": _l("Several communities are called “%(about)s”: give the code."),
    "too_large_place": _l("“%(about)s” is larger than a community: name the communities."),
    "too_many_places": _l("A row may name %(about)s communities at most."),
    "beyond_duty": _l("Your duty does not cover %(about)s."),
    "no_such_group": _l("There is no audience “%(about)s”."),
    "no_such_language": _l("The language is Chinese or English, not “%(about)s”."),
    "cells": _l("The row has another number of cells than the first line (%(about)s)."),
    "long_cell": _l("A cell is longer than anything that belongs here."),
}
#: Of a whole list; `line` may say where.
FILES: dict[str, Any] = {
    "empty": _l("The file is empty."),
    "utf16": _l("The file is UTF-16: save it as “CSV UTF-8”."),
    "workbook": _l("This is a workbook, not CSV: save the sheet as “CSV UTF-8”."),
    "not_text": _l("The file is neither UTF-8 nor GBK text: save it as “CSV UTF-8”."),
    "not_csv": _l("This is not CSV from here on: look for a quotation mark that is not closed."),
    "long_line": _l("The line is too long: this is no list."),
    "no_columns": _l("The first line must name the columns. Missing: %(names)s."),
    "column_twice": _l("The first line names the column “%(names)s” twice."),
    "too_many_rows": _l("More than %(n)s rows: divide the file."),
    "no_rows": _l("There is nothing in the file below its first line."),
    "broken": _l("Something went wrong while the list was read. Try again, or tell whoever runs the portal."),
}
_DIGITS = re.compile(r"\d(?:[\s\-.]*\d){5,}")
_LONGEST = 40


def about(text: str) -> str:
    """What may be kept of a cell that was not understood: no number that could be dialled, nothing that is not seen."""
    seen = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]
    return _DIGITS.sub("…", seen)


def of_row(key: str, about: str) -> str:
    """The words of a row's fault."""
    words = ROWS.get(key)
    return str(words) % {"about": about} if words is not None else key


def of_file(reason: Mapping[str, Any] | None) -> str:
    """The words of why a list was refused, with its line."""
    if not reason:
        return ""
    text = str(FILES.get(reason.get("key", ""), FILES["broken"]))
    text %= {"names": reason.get("names", ""), "n": reason.get("n", "")}
    line = reason.get("line")
    return _("Line %(n)s:", n=line) + " " + text if line else text
