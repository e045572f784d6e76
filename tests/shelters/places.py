"""Shelters for tests."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.shelters.models import Entrance, Shelter
from portal.shelters.registry.suitability import HAZARDS
from tests.district import LIULIAN

_numbers = itertools.count(1)


def make_shelter(session: Session, **values: Any) -> Shelter:
    """A shelter in the middle of the test district, suitable for everything, of which nobody has said a state.

    Keyword arguments override columns; `entrances`: a list of `Entrance`, or of (lon, lat) or (lon, lat, step_free).
    Without them it has one at its own place, if it has a place. Flushed, not committed.
    """
    number, now = next(_numbers), utcnow()
    entrances = values.pop("entrances", None)
    defaults: dict[str, Any] = {
        "code": f"T{number:04d}",
        "name_zh": f"{number}号避难场所",
        "name_en": f"Shelter {number}",
        "pinyin": f"{number} hao binan changsuo",
        "level": "village",
        "duration": "short",
        "space": "indoor",
        "function": "comprehensive",
        "region_code": LIULIAN,
        "address_zh": f"测试路{number}号",
        "address_en": f"{number} Test Road",
        "longitude": 114.35,
        "latitude": 22.69,
        "suitability": dict.fromkeys(HAZARDS, True),
        "area_m2": 600.0,
        "m2_per_person": 2.0,
        "capacity_day": 300,
        "capacity_night": 200,
        "step_free": True,
        "night": True,
        "source": "test",
        "created_at": now,
        "changed_at": now,
    }
    shelter = Shelter(**(defaults | values))
    if entrances is None:
        entrances = [] if shelter.longitude is None else [(shelter.longitude, shelter.latitude, shelter.step_free)]
    shelter.entrances = [_entrance(item, position) for position, item in enumerate(entrances)]
    session.add(shelter)
    session.flush()
    return shelter


def _entrance(item: Any, position: int) -> Entrance:
    if isinstance(item, Entrance):
        item.position = position
        return item
    lon, lat, *rest = item
    return Entrance(position=position, longitude=lon, latitude=lat, step_free=rest[0] if rest else True,
                    name_zh=f"{position + 1}号门", name_en=f"Gate {position + 1}", hours="24h")
