"""Marks in a bank for what somebody still has to do. Lint refuses a file as long as one of them stands in it."""

from __future__ import annotations

from flask_babel import gettext as _

from portal.training.content.faults import Notes

#: Before words that are still in the other language, and where words are missing.
TRANSLATE, WRITE = "[[translate]]", "[[write]]"


def check(text: str, notes: Notes) -> None:
    """Note each line that is not finished."""
    for number, line in enumerate(text.split("\n"), 1):
        if TRANSLATE in line:
            notes.add(number, _("is still to be translated: put the words of this language behind %(mark)s, and remove the mark",
                                mark=TRANSLATE))
        elif WRITE in line:
            notes.add(number, _("is still to be written: the file that was imported did not say it; remove %(mark)s then",
                                mark=WRITE))
