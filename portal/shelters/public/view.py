"""A shelter as residents read it at one moment: its state and how old that is, what it is suitable for, what it has."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from portal.regions import lookup
from portal.shelters.models import OPENING, Entrance, Shelter
from portal.shelters.registry import freshness, status_rules, suitability
from portal.shelters.registry.suitability import Family

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\Z", re.ASCII)
#: Columns that change without changing what anybody reads.
_SILENT = {"version", "created_at", "changed_at"}
#: What the filters of the list ask for.
FILTERS = ("step_free", "pets", "night", "medical")


def slug_of(code: str) -> str:
    """The part of the address that names a shelter: its code where that is plain, else a digest of it."""
    return code if _PLAIN.match(code) else "x" + hashlib.sha256(code.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Place:
    """`usable`: it takes people now by its newest status; `stale`: that status is too old to rely on; `free`: places,
    None where unknown; `verdicts`: family → suitable, None where unknown."""

    shelter: Shelter
    usable: bool
    stale: bool
    free: int | None
    verdicts: Mapping[str, bool | None]

    @property
    def slug(self) -> str:
        return slug_of(self.shelter.code)

    def path(self, language: str) -> str:
        return f"/{language}/shelters/{self.slug}/"

    def href(self, language: str) -> str:
        return quote(self.path(language))

    @property
    def at(self) -> tuple[float, float] | None:
        """Longitude and latitude; None where its place is not known."""
        lon, lat = self.shelter.longitude, self.shelter.latitude
        return None if lon is None or lat is None else (lon, lat)

    @property
    def open(self) -> bool:
        """Takes people now, and its status is not too old to say so."""
        return self.usable and not self.stale

    @property
    def opening(self) -> bool:
        """Its staff are on the way to open it."""
        return self.shelter.status == OPENING and not self.stale

    @property
    def sign(self) -> str:
        """The sign on maps: a disc where people can go, a cross where they must not, else a ring."""
        if self.open:
            return "good"
        return "bad" if self.shelter.status in ("unsafe", "closed", "full", "closing") and not self.stale else "ring"

    @property
    def has(self) -> list[str]:
        return [name for name in FILTERS if getattr(self.shelter, name) is True]

    @cached_property
    def facts(self) -> list[Any]:
        """All that pages show of it: part of their keys."""
        row = [getattr(self.shelter, c.key) for c in Shelter.__table__.columns if c.key not in _SILENT]
        doors = [[getattr(door, c.key) for c in Entrance.__table__.columns] for door in self.shelter.entrances]
        return [row, doors, self.usable, self.stale, self.free, dict(self.verdicts)]


@dataclass(frozen=True)
class Group:
    """The places of one community; `code` is empty where the community is not known."""

    code: str
    zh: str
    en: str
    places: list[Place]

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en or self.zh


def see(shelter: Shelter, families: Mapping[str, Family], now: datetime) -> Place:
    return Place(
        shelter,
        status_rules.usable(shelter, now),
        freshness.is_stale(shelter, now),
        freshness.free_places(shelter, now),
        {key: suitability.suits(shelter, family) for key, family in families.items()},
    )


def by_community(places: Iterable[Place]) -> list[Group]:
    """Groups in the order of the region codes, those of no known community last; within one, the open ones first."""
    found: dict[str, list[Place]] = {}
    for place in places:
        found.setdefault(place.shelter.region_code or "", []).append(place)
    names = lookup.names(code for code in found if code)
    groups = []
    for code in sorted(found, key=lambda code: (not code, code)):
        own = sorted(found[code], key=lambda place: (not place.open, not place.opening, place.shelter.id))
        name = names.get(code, {"zh": "", "en": ""})
        groups.append(Group(code if name["zh"] else "", name["zh"], name["en"], own))
    return groups
