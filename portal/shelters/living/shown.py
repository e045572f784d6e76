"""What residents may read of openings: real ones only, of shelters that are still open by the last decision."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.core.db import db
from portal.shelters.living import opening
from portal.shelters.models import Opening
from portal.shelters.public.view import slug_of
from portal.shelters.registry import freshness, status_rules, store

#: Where a resident can go comes first.
ORDER = ("open", "nearly_full", "opening", "full", "closing", "closed", "standby", "unsafe")


@dataclass(frozen=True)
class Opened:
    """A shelter that was opened for a warning. `slug` is the part of its page's address; `stale`: its status is too old to
    rely on; `free`: places left, None where unknown."""

    code: str
    slug: str
    zh: str
    en: str
    status: str | None
    status_at: datetime | None
    stale: bool
    free: int | None

    @property
    def takes_people(self) -> bool:
        return self.status in status_rules.TAKES_PEOPLE and not self.stale

    def name(self, language: str) -> str:
        return self.zh if language == "zh" else self.en

    def facts(self) -> list[Any]:
        """What pages show of it: part of their keys."""
        return list(astuple(self))


def opened_for(warning_ids: Collection[uuid.UUID], now: datetime) -> dict[uuid.UUID, list[Opened]]:
    """Of each of these warnings the shelters that were opened for it and not closed again, those that take people
    first. Drills are never among them."""
    query = select(Opening).where(Opening.warning_id.in_(list(warning_ids)), Opening.exercise.is_(False))
    decided: dict[uuid.UUID, list[Opening]] = defaultdict(list)
    for one in db.session.execute(query.order_by(Opening.decided_at, Opening.id)).scalars():
        decided[one.warning_id].append(one)
    ids = {key: opening.still_open(found) for key, found in decided.items()}
    shelters = store.by_ids({i for found in ids.values() for i in found})
    return {key: sorted((_opened(shelters[i], now) for i in found if i in shelters and not shelters[i].retired_at), key=_rank)
            for key, found in ids.items()}


def _rank(one: Opened) -> tuple[int, str]:
    return (ORDER.index(one.status) if one.status in ORDER else len(ORDER), one.code)


def _opened(shelter: Any, now: datetime) -> Opened:
    return Opened(shelter.code, slug_of(shelter.code), shelter.name_zh, shelter.name_en or shelter.name_zh, shelter.status,
                  shelter.status_at, freshness.is_stale(shelter, now), freshness.free_places(shelter, now))
