"""What somebody typed or a file says of a person, made into an entry, or what is wrong with it, each at its field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from flask_babel import force_locale
from flask_babel import lazy_gettext as _l

from portal.core import phones
from portal.core.errors import Problem
from portal.regions import codes, lookup
from portal.shelters.registry.suitability import families
from portal.shelters.transfers import plain, words
from portal.shelters.transfers.vault import FIELDS as SEALED
from portal.shelters.transfers.vault import Secrets

MOST_PEOPLE = 50
#: Characters.
LONGEST = {"initials": 12, "helper": 80, "note": 300} | SEALED
_SPLIT = re.compile(r"[;；,，、/|]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list, checked. `shelter_id` None: the nearest suitable."""

    code: str
    region_code: str
    initials: str
    people: int = 1
    name: str = ""
    phone: str = ""
    address: str = ""
    longitude: float | None = None
    latitude: float | None = None
    needs: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    means: str = ""
    helper: str = ""
    helper_phone: str = ""
    shelter_id: int | None = None
    note: str = ""

    def __repr__(self) -> str:
        return f"Entry({self.code!r}, …)"  # never into a log by way of an error's text

    @property
    def secrets(self) -> Secrets:
        return Secrets(**{name: getattr(self, name) for name in SEALED})

    @property
    def open_values(self) -> dict[str, Any]:
        """The columns that are not sealed, as they are stored."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items() if k not in SEALED}


NAMES = tuple(f.name for f in fields(Entry))


def read(raw: Mapping[str, str], shelter_of: Callable[[str], int | None]) -> tuple[Entry | None, list[Problem]]:
    """The entry, or everything that is wrong. `raw` has the names of :class:`Entry`, but `shelter` (a code) in place of
    `shelter_id`; `shelter_of` finds a shelter's id by its code."""
    reader = _Reader({k: _tidy(v) for k, v in raw.items()})
    values: dict[str, Any] = {
        "code": reader.code(), "region_code": reader.region(), "people": reader.people(), "name": reader.text("name"),
        "phone": reader.phone("phone"), "address": reader.text("address"), "needs": reader.keys("needs", words.NEEDS),
        "families": reader.keys("families", {f.key: (f.zh, f.en) for f in families().values()}),
        "means": (reader.keys("means", words.MEANS, most=1) or ("",))[0], "helper": reader.text("helper"),
        "helper_phone": reader.phone("helper_phone"), "note": reader.text("note"),
        "initials": reader.text("initials") or plain.initials_of(reader.raw.get("name", "")),
    }
    values["longitude"], values["latitude"] = reader.place()
    values["shelter_id"] = reader.shelter(shelter_of)
    if not values["initials"]:
        reader.wrong("initials", _l("Give initials (or a name, of which they are made)."))
    return (None if reader.problems else Entry(**values)), reader.problems


def _tidy(text: str) -> str:
    return " ".join(text.split())


class _Reader:
    """Reads one field after the other and collects what is wrong."""

    def __init__(self, raw: dict[str, str]) -> None:
        self.raw, self.problems = raw, list[Problem]()

    def wrong(self, name: str, message: Any) -> None:
        self.problems.append(Problem(name, message))

    def text(self, name: str) -> str:
        text = self.raw.get(name, "")
        most = LONGEST[name]
        if len(text) > most:
            self.wrong(name, _l("At most %(n)d characters.", n=most))
        if plain.CONTROL.search(text):
            self.wrong(name, _l("There is a sign in it that cannot be shown."))
        if name not in SEALED and (why := plain.telltale(text)):
            self.wrong(name, why)
        return text

    def code(self) -> str:
        code = self.raw.get("code", "")
        if why := plain.code_problem(code):
            self.wrong("code", why)
        return code

    def region(self) -> str:
        code = self.raw.get("region_code", "")
        node = lookup.get(code) if codes.is_code(code) else None
        if node is None or node.level != "community":
            self.wrong("region_code", _l("Name the community by its 12-digit code."))
        return code

    def people(self) -> int:
        text = self.raw.get("people", "") or "1"
        if re.fullmatch(r"\d{1,3}", text, re.ASCII) and 1 <= int(text) <= MOST_PEOPLE:
            return int(text)
        self.wrong("people", _l("A whole number of persons from 1 to %(n)d.", n=MOST_PEOPLE))
        return 1

    def phone(self, name: str) -> str:
        text = self.raw.get(name, "")
        if not text:
            return ""
        try:
            return phones.parse(text)
        except ValueError:
            self.wrong(name, _l("This is no telephone number. Landlines need their area code."))
            return ""

    def keys(self, name: str, known: Mapping[str, Any], most: int = 20) -> tuple[str, ...]:
        """Keys of a list of words; a word may be the key itself or what people read for it."""
        by_word = _FIXED[name]() if name in _FIXED else _by_word(known)
        text = self.raw.get(name, "")
        whole = by_word.get(text.lower())
        given = [whole] if whole else [part for word in _SPLIT.split(text) if word.strip()
                                       for part in ([word.strip()] if word.strip().lower() in by_word else word.split())]
        found = dict.fromkeys(by_word.get(word.lower(), "") for word in given)
        if "" in found or len(found) > most:
            self.wrong(name, _l("Unknown word. Possible: %(words)s.", words=", ".join(known)))
            return ()
        return tuple(key for key in known if key in found)

    def place(self) -> tuple[float | None, float | None]:
        given = [self.raw.get(n, "") for n in ("longitude", "latitude")]
        if not any(given):
            return None, None
        try:
            lon, lat = (float(t) for t in given)
        except ValueError:
            lon = lat = math.nan
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            swapped = -90 <= lon <= 90 and -180 <= lat <= 180
            self.wrong("longitude", _l("Longitude and latitude are exchanged.") if swapped else
                       _l("Give longitude and latitude in degrees (WGS 84), or neither."))
            return None, None
        return lon, lat

    def shelter(self, shelter_of: Callable[[str], int | None]) -> int | None:
        code = self.raw.get("shelter", "")
        if not code:
            return None
        found = shelter_of(code)
        if found is None:
            self.wrong("shelter", _l("There is no shelter with this code."))
        return found


def _by_word(known: Mapping[str, Any]) -> dict[str, str]:
    return {word.lower(): key for key, label in known.items() for word in (key, *_spoken(label))}


#: Vocabularies that do not change, made when they are first needed: files have many rows.
_FIXED = {"needs": cache(lambda: _by_word(words.NEEDS)), "means": cache(lambda: _by_word(words.MEANS))}


def _spoken(label: Any) -> tuple[str, ...]:
    """What a key is called in each language, as files write it."""
    if isinstance(label, tuple):
        return label
    found = []
    for language in ("zh", "en"):
        with force_locale(language):
            found.append(str(label))
    return tuple(found)
