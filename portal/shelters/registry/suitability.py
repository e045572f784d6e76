"""For which hazards a shelter is suitable. Three answers: yes, no, unknown; unknown is never taken for yes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.shelters.models import Shelter

HAZARDS: dict[str, Any] = {
    "typhoon": _l("Typhoon"),
    "flood": _l("Flood"),
    "waterlogging": _l("Waterlogging"),
    "landslide": _l("Landslide"),
    "earthquake": _l("Earthquake"),
    "storm_surge": _l("Storm surge"),
    "fire": _l("Fire"),
    "heat": _l("Heat"),
    "cold": _l("Cold"),
    "hazmat": _l("Hazardous materials"),
}


@dataclass(frozen=True, slots=True)
class Family:
    """Hazards for which people go to the same shelters over the same ways; see content/shelters/families.yaml."""

    key: str
    zh: str
    en: str
    hazards: tuple[str, ...]
    events: frozenset[str]
    expected: float = 1.0  # share of the people of a place who are expected to go to a shelter

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


def families() -> dict[str, Family]:
    """Key → family, in the order of the content's file. Raises ValueError, naming the fault, when it cannot be used."""
    path = current_settings().content / "shelters" / "families.yaml"
    return _read(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> dict[str, Family]:
    found: dict[str, Family] = {}
    taken: dict[str, str] = {}
    for row in yaml.safe_load(path.read_text(encoding="utf-8"))["families"]:
        family = Family(row["key"], row["zh"], row["en"], tuple(row["hazards"]), frozenset(row["events"]),
                        float(row.get("expected", 1.0)))
        if unknown := [h for h in family.hazards if h not in HAZARDS]:
            raise ValueError(f"{path.name}: {family.key} names unknown hazards: {', '.join(unknown)}")
        if not 0 <= family.expected <= 1:
            raise ValueError(f"{path.name}: {family.key} expects a share of {family.expected}; it is between 0 and 1")
        if not family.hazards:
            raise ValueError(f"{path.name}: {family.key} names no hazard")
        for event in sorted(family.events):
            if event in taken:
                raise ValueError(f"{path.name}: {event} stands in {taken[event]} and in {family.key}")
            taken[event] = family.key
        found[family.key] = family
    return found


def family_of(event: str) -> Family | None:
    """The family of an event code; None where going to a shelter is not what helps, or nobody has said."""
    return next((f for f in families().values() if event in f.events), None)


def verdict(shelter: Shelter, hazard: str) -> bool | None:
    """Whether the shelter is suitable for a hazard; None: unknown."""
    said = (shelter.suitability or {}).get(hazard)
    return said if isinstance(said, bool) else None


def suits(shelter: Shelter, family: Family) -> bool | None:
    """Whether it is suitable for all hazards of the family: no when it is not for one, else unknown when one is unknown."""
    said = [verdict(shelter, hazard) for hazard in family.hazards]
    if False in said:
        return False
    return None if None in said else True
