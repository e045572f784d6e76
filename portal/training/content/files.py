"""Reads the text files of a course: bounded, UTF-8, never through a link that leads elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from flask_babel import gettext as _

from portal.training.content.faults import Notes

#: Bytes of one text file. The longest lesson of the syllabus has a tenth of it.
MOST_BYTES = 400_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u2028\u2029\ufeff\u202a-\u202e\u2066-\u2069]")


def text(path: Path, notes: Notes) -> str | None:
    """The text with single line feeds; None, and a fault, where it is missing or no honest text."""
    try:
        if path.is_symlink():
            notes.add(1, _("is a link; put the file itself here"))
            return None
        if path.stat().st_size > MOST_BYTES:
            notes.add(1, _("is larger than %(size)s KB; split it", size=MOST_BYTES // 1000))
            return None
        body = path.read_bytes()
    except FileNotFoundError:
        notes.add(1, _("is missing"))
        return None
    except OSError as error:
        notes.add(1, _("cannot be read: %(problem)s", problem=error.strerror))
        return None
    return _decoded(body, notes)


def _decoded(body: bytes, notes: Notes) -> str | None:
    try:
        whole = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        notes.add(line, _("is not UTF-8 text; save the file with the encoding UTF-8"))
        return None
    if hidden := _CONTROL.search(whole):
        line = whole.count("\n", 0, hidden.start()) + 1
        notes.add(line, _("has an invisible control character (U+%(code)s); remove it", code=f"{ord(hidden[0]):04X}"))
        return None
    return whole
