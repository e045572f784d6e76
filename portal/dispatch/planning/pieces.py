"""What a plan is made of: the job, and pieces of its audience as they are read."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import numpy as np

from portal.core.arrays import ById
from portal.dispatch import tallies
from portal.subscribers.matter import Matter

#: The ends of those to whom something went out, or perhaps went out.
REACHED = (tallies.ACCEPTED, tallies.UNCERTAIN)


class Waiting(Exception):
    """What is replaced is still being stopped; try again in a moment."""


@dataclass(frozen=True, slots=True)
class Part:
    """Recipients of one region and language, of whom batches are made; each once in a plan. `audiences`: how many have which
    mask; `until`: they have quiet hours until then; `carrier`: who brought them what this replaces."""

    region_code: str
    language: str
    ids: np.ndarray
    audiences: Mapping[int, int]
    until: datetime | None = None
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is written together. `after`: where the next piece of the same phase begins; None at its end."""

    parts: list[Part]
    after: tuple[Any, ...] | None


@dataclass(frozen=True)
class Job:
    """What a plan needs to know of its dispatch and bulletin: none of it changes while it is planned. `places`: communities in
    the order in which they are told."""

    id: uuid.UUID
    channel: str
    lane: int
    warning_id: uuid.UUID
    earlier: tuple[uuid.UUID, ...]  # the bulletins before it, by their place in the chain, not by any clock
    target: dict[str, Any]
    places: tuple[str, ...]
    matter: Matter
    carriers: bool  # whether there are several that may carry it
    at: datetime  # the moment that quiet hours are asked about, the same for the whole plan
    zone: str


class Phase(Protocol):
    """One way to find recipients. `taken`: whom the plan has already; a phase adds to it whom it gives."""

    name: str

    def read(self, after: tuple[Any, ...], limit: int) -> Piece:
        """The piece after `after`, which is () at the beginning; of `limit` people or some more. Raises Waiting."""
        ...


def fresh(ids: np.ndarray, taken: ById) -> np.ndarray:
    """Which of `ids`, each of them once, the plan has not yet; from now on it has them."""
    new = taken.get(ids) == 0
    taken.set(ids[new], 1)
    return new


def counted(audiences: np.ndarray) -> dict[int, int]:
    masks, numbers = np.unique(audiences, return_counts=True)
    return dict(zip(masks.tolist(), numbers.tolist(), strict=True))
