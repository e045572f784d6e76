"""Takes values out of a mapping by key, and notes what is missing or of the wrong kind, on its line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

from flask_babel import gettext as _

from portal.training.content.faults import Notes
from portal.training.content.yaml_text import Rows
from portal.warnings.hazards import Phrase
from portal.warnings.strict_yaml import Section, line_of

#: Ids of courses, modules, lessons, questions, steps.
ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*\Z", re.ASCII)
LONGEST_ID = 64


class Fields:
    """One mapping at work. `at` is how its keys are named in faults: ``exam.``"""

    def __init__(self, section: Section, notes: Notes, at: str = "") -> None:
        self.section, self.notes, self.at = section, notes, at

    def __contains__(self, key: str) -> bool:
        return key in self.section

    def line(self, key: str) -> int:
        return line_of(self.section, key)

    def bad(self, key: str, message: str) -> None:
        self.notes.add(self.line(key), f"{self.at}{key}: {message}")

    def known(self, keys: Sequence[str]) -> None:
        for key in self.section:
            if key not in keys:
                self.bad(key, _("unknown key; possible are %(keys)s", keys=", ".join(keys)))

    def text(self, key: str, *, required: bool = True) -> str:
        value = self.section.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if key not in self.section:
            if required:
                self.bad(key, _("is missing"))
        elif value is None or isinstance(value, str):
            if required:
                self.bad(key, _("is empty"))
        else:
            self.bad(key, _("must be text; put it in quotes"))
        return ""

    def id(self, key: str = "id") -> str:
        value = self.text(key)
        if value and not is_id(value):
            self.bad(key, _("must be small letters, digits and hyphens, at most %(n)s", n=LONGEST_ID))
            return ""
        return value

    def phrase(self, key: str, *, required: bool = True) -> Phrase:
        """Words in both languages: ``{zh: …, en: …}``."""
        value = self.section.get(key)
        if isinstance(value, Section):
            inner = Fields(value, self.notes, f"{self.at}{key}.")
            inner.known(("zh", "en"))
            return Phrase(inner.text("zh"), inner.text("en"))
        if key in self.section or required:
            self.bad(key, _("is missing") if key not in self.section else _("must be words in both languages: {zh: …, en: …}"))
        return Phrase("", "")

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self.section.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.bad(key, _("must be a whole number from %(least)s to %(most)s", least=least, most=most))
        return least

    def number(self, key: str, least: float, most: float) -> Decimal:
        """A decimal number as it was written: 0.1 is a tenth."""
        value = self.section.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and least <= value <= most:
            return Decimal(str(value))
        self.bad(key, _("must be a number from %(least)s to %(most)s", least=f"{least:g}", most=f"{most:g}"))
        return Decimal(0)

    def yes(self, key: str, *, default: bool | None = None) -> bool:
        value = self.section.get(key, default)
        if not isinstance(value, bool):
            self.bad(key, _("must be true or false"))
        return value is True

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        value = self.section.get(key)
        if isinstance(value, str) and value in allowed:
            return value
        self.bad(key, _("must be one of %(words)s", words=", ".join(allowed)))
        return ""

    def texts(self, key: str, least: int, most: int) -> tuple[str, ...]:
        """A list of texts."""
        value = self.section.get(key)
        if not isinstance(value, Rows):
            self.bad(key, _("is missing") if key not in self.section else _("must be a list, one “- ” a line"))
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                self.notes.add(value.line(index), f"{self.at}{key}: "
                               + _("item %(n)s must be text; put it in quotes (a colon makes it something else)", n=index + 1))
                return ()
        if not least <= len(value) <= most:
            self.bad(key, _("has %(n)s items; there must be %(least)s to %(most)s", n=len(value), least=least, most=most))
        return tuple(item.strip() for item in value)

    def part(self, key: str, *, required: bool = True) -> Fields | None:
        value = self.section.get(key)
        if isinstance(value, Section):
            return Fields(value, self.notes, f"{self.at}{key}.")
        if required or value is not None:
            self.bad(key, _("must be a mapping of keys") if key in self.section else _("is missing"))
        return None

    def parts(self, key: str, least: int, most: int) -> list[Fields]:
        """A list of mappings."""
        value = self.section.get(key)
        if not isinstance(value, Rows) or not all(isinstance(item, Section) for item in value):
            self.bad(key, _("must be a list of mappings") if key in self.section else _("is missing"))
            return []
        if not least <= len(value) <= most:
            self.bad(key, _("has %(n)s items; there must be %(least)s to %(most)s", n=len(value), least=least, most=most))
        return [Fields(item, self.notes, f"{self.at}{key}.{n}.") for n, item in enumerate(value[:most], 1)]


def is_id(text: str) -> bool:
    return len(text) <= LONGEST_ID and ID.match(text) is not None
