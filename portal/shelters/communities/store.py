"""What is kept of communities: responsible posts, risk points, the ten "haves". Reading.

Everything here may be shown to everybody. `editing` writes it, `importer` reads it from the content.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from portal.core.db import db
from portal.shelters.communities import words
from portal.shelters.models import CommunityPost, Preparedness, RiskPoint

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Have:
    """One of the ten. `there`: True, False, or None for unknown; `label` and `means` are lazy words."""

    item: str
    label: Any
    means: Any
    there: bool | None = None
    note_zh: str = ""
    note_en: str = ""
    checked_at: datetime | None = None
    checked_by: str = ""
    demonstration: bool = False

    @property
    def answer(self) -> str:
        return words.answer_of(self.there)

    def note(self, language: str) -> str:
        return self.note_zh if language == "zh" else self.note_en or self.note_zh


@dataclass(frozen=True, slots=True)
class Known:
    """All that is kept of one community."""

    code: str
    posts: list[CommunityPost] = field(default_factory=list)
    risks: list[RiskPoint] = field(default_factory=list)
    ten: list[Have] = field(default_factory=list)

    @property
    def there(self) -> list[Have]:
        return [h for h in self.ten if h.there]

    @property
    def missing(self) -> list[Have]:
        return [h for h in self.ten if h.there is False]

    @property
    def unknown(self) -> list[Have]:
        return [h for h in self.ten if h.there is None]

    @property
    def demonstration(self) -> bool:
        rows: list[Any] = [*self.posts, *self.risks, *self.ten]
        return any(row.demonstration for row in rows)


def posts(region_code: str) -> list[CommunityPost]:
    """The responsible posts of a community, in their order."""
    return known([region_code])[region_code].posts


def risk_points(region_code: str) -> list[RiskPoint]:
    """The risk points of a community, in the order in which they were entered."""
    return known([region_code])[region_code].risks


def ten(region_code: str) -> list[Have]:
    """The ten "haves" of a community: always ten, in their order; what nobody said is unknown."""
    return known([region_code])[region_code].ten


def known(codes: Sequence[str]) -> dict[str, Known]:
    """Everything of many communities, by code: each code has an entry, empty where nothing is kept."""
    found: dict[str, Known] = {}
    for start in range(0, len(codes), _CHUNK):
        chunk = list(codes[start : start + _CHUNK])
        by_post = _grouped(select(CommunityPost).where(CommunityPost.region_code.in_(chunk))
                           .order_by(CommunityPost.position, CommunityPost.id))
        by_risk = _grouped(select(RiskPoint).where(RiskPoint.region_code.in_(chunk)).order_by(RiskPoint.id))
        by_have = _grouped(select(Preparedness).where(Preparedness.region_code.in_(chunk)))
        for code in chunk:
            found[code] = Known(code, by_post.get(code, []), by_risk.get(code, []), _ten(by_have.get(code, [])))
    return found


#: Parts of what is kept, each edited by itself.
POSTS, RISKS, HAVES = PARTS = ("posts", "risks", "ten")


def stamp(region_code: str, parts: Sequence[str] = PARTS) -> str:
    """Changes with anything that is kept in these parts; for caches, and to see that two people edit at once."""
    return stamp_of(known([region_code])[region_code], parts)


def stamp_of(item: Known, parts: Sequence[str] = PARTS) -> str:
    """The stamp of what was read already."""
    facts = {POSTS: [_facts(row) for row in item.posts], RISKS: [_facts(row) for row in item.risks],
             HAVES: [[h.item, h.there, h.note_zh, h.note_en, str(h.checked_at), h.checked_by] for h in item.ten]}
    text = json.dumps([facts[part] for part in parts], ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _facts(row: CommunityPost | RiskPoint) -> list[Any]:
    return [getattr(row, column.key) for column in row.__table__.columns if column.key not in ("id", "demonstration")]


def _grouped(query: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in db.session.execute(query).scalars():
        found[row.region_code].append(row)
    return found


def _ten(rows: Sequence[Preparedness]) -> list[Have]:
    said = {row.item: row for row in rows}
    return [_have(item, said.get(item)) for item in words.TEN]


def _have(item: str, row: Preparedness | None) -> Have:
    label, means = words.TEN[item], words.TEN_MEANS[item]
    if row is None:
        return Have(item, label, means)
    return Have(item, label, means, row.there, row.note_zh, row.note_en, row.checked_at, row.checked_by, row.demonstration)
