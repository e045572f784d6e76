"""What a community's paper says: plain values, read once, from which every sheet is drawn.

The same facts give the same bytes: `Facts.key` names them. Nothing here depends on the moment of printing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from portal.shelters.communities.store import Have
from portal.shelters.field.steps import minutes
from portal.shelters.paper.streets import Street
from portal.warnings.hazards import Phrase

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """A shelter. `suits`: family → True, False or None for unknown; `unsafe`: its staff say that nobody may enter."""

    number: int
    id: int
    code: str
    name: Phrase
    address: Phrase
    space: str | None
    place: Point | None
    capacity: int | None
    step_free: bool | None
    night: bool | None
    phone: str
    contact: Phrase
    suits: dict[str, bool | None]
    unsafe: bool = False
    inside: bool = True  # of this community

    def fits(self, family: str) -> bool | None:
        return False if self.unsafe else self.suits.get(family)


@dataclass(frozen=True, slots=True)
class Way:
    """From a place of the community to a shelter; `number` None: there is no safe way, and `words` say what to do."""

    origin: Phrase
    place: Point
    number: int | None
    seconds: float = 0
    metres: float = 0
    steps: bool = False
    line: tuple[Point, ...] = ()
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def minutes(self) -> int:
        """As the route itself tells them."""
        return minutes(round(self.seconds))


@dataclass(frozen=True, slots=True)
class Danger:
    """A risk point; `letter` is its sign on the map."""

    letter: str
    kind: str
    name: Phrase
    note: Phrase
    people: int | None
    place: Point | None


@dataclass(frozen=True, slots=True)
class Block:
    """An obstruction in force when the paper was made."""

    kind: str
    name: Phrase
    geometry: dict[str, Any]
    radius: float
    effect: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    post: Phrase
    task: Phrase
    phone: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    name: Phrase
    rings: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class Facts:
    """Everything of one community for one family of hazards. `basis`: `open` when the ways lead to shelters that are open
    now, `plan` when they lead to all that are suitable, empty when no ways are known; `as_of`: the moment of the newest
    fact of the ways; `left_out`: shelters and starting places that found no room."""

    code: str
    name: Phrase
    street: Phrase
    district: Phrase
    authority: Phrase
    base_url: str
    zone: str
    family: str
    families: dict[str, Phrase]
    population: int | None
    rings: tuple[tuple[Point, ...], ...]
    neighbours: tuple[Neighbour, ...]
    streets: tuple[Street, ...]
    goals: tuple[Goal, ...]
    ways: tuple[Way, ...]
    dangers: tuple[Danger, ...]
    blocks: tuple[Block, ...]
    posts: tuple[Post, ...]
    ten: tuple[Have, ...]
    basis: str
    as_of: datetime | None
    demonstration: bool
    left_out: tuple[int, int] = (0, 0)

    @property
    def key(self) -> str:
        """Names all of these facts: the same key, the same paper."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "ten"}
        plain["ten"] = [[h.item, h.there, h.note_zh, h.note_en, h.checked_at] for h in self.ten]
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, default=_plain)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """What stands on the sheet: the first eight signs of the key."""
        return self.key[:8].upper()

    def goal(self, number: int | None) -> Goal | None:
        return next((g for g in self.goals if g.number == number), None)

    def url(self, language: str) -> str:
        return f"{self.base_url}/{language}/communities/{self.code}/"


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)
