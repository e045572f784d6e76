"""What one bulletin of a warning changed against the one before it, so that a reader need not compare two texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from portal.config import TIERS
from portal.site.stories import area_names, headline, paragraphs, steps, word
from portal.warnings.models import CANCEL, Bulletin

_T = TypeVar("_T")
#: Changes that a warning's own page tells; the page of its history tells all.
SHOWN = 3


@dataclass(frozen=True)
class Changes:
    """Pairs are (before, now), None where nothing changed; lists hold what was added and what is no longer said."""

    tier: tuple[str, str] | None = None
    raised: bool = False
    starts: tuple[datetime, datetime] | None = None
    until: tuple[datetime, datetime] | None = None
    extended: bool = False
    headline: str = ""
    areas_added: Sequence[str] = ()
    areas_gone: Sequence[str] = ()
    todo_added: Sequence[str] = ()
    todo_gone: Sequence[str] = ()
    said_added: Sequence[str] = ()
    said_gone: Sequence[str] = ()

    def __bool__(self) -> bool:
        return self != Changes()


def between(before: Bulletin, now: Bulletin, language: str) -> Changes:
    """What `now` changed. An all-clear changes nothing of what was said: it ends it."""
    if now.kind == CANCEL:
        return Changes()
    areas = area_names(before, language), area_names(now, language)
    todo = steps(word(before, language, "instruction")), steps(word(now, language, "instruction"))
    said = paragraphs(word(before, language, "description")), paragraphs(word(now, language, "description"))
    return Changes(
        tier=_pair(before.tier, now.tier),
        raised=TIERS.index(now.tier) > TIERS.index(before.tier),
        starts=_pair(before.onset, now.onset),
        until=_pair(before.expires, now.expires),
        extended=now.expires > before.expires,
        headline=headline(now, language) if headline(now, language) != headline(before, language) else "",
        areas_added=_without(areas[1], areas[0]), areas_gone=_without(areas[0], areas[1]),
        todo_added=_without(todo[1], todo[0]), todo_gone=_without(todo[0], todo[1]),
        said_added=_without(said[1], said[0]), said_gone=_without(said[0], said[1]),
    )


def history(bulletins: Sequence[Bulletin], language: str) -> list[tuple[Bulletin, Changes]]:
    """Each bulletin with what it changed, the newest first."""
    pairs = [(now, between(before, now, language)) for before, now in pairwise(bulletins)]
    return [*reversed(pairs), *[(first, Changes()) for first in bulletins[:1]]]


def _pair(before: _T, now: _T) -> tuple[_T, _T] | None:
    return (before, now) if before != now else None


def _without(those: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in those if each not in known)
