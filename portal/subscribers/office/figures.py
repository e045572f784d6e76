"""How many subscribers there are, by community, audience, language and what became of them.

Counted by the database over all rows, which takes a second for a million; the answer of a minute ago is good enough.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import current_app
from sqlalchemy import ColumnElement, and_, func, or_, select

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db
from portal.regions import codes, lookup
from portal.subscribers import audiences
from portal.subscribers.models import ACTIVE, Subscriber, SubscriberRegion

FRESH_SECONDS = 60
_lock = threading.Lock()


@dataclass(slots=True)
class Place:
    """A region: active subscribers by language, and those who left. In a street each counts once for each of its communities."""

    code: str
    population: int | None
    languages: Counter[str] = field(default_factory=Counter)
    left: int = 0
    inside: list[Place] = field(default_factory=list)

    @property
    def active(self) -> int:
        return sum(self.languages.values())


@dataclass(slots=True)
class Figures:
    """People, each once, but for `places`. `audiences` counts somebody in each of their audiences."""

    at: datetime
    statuses: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    audiences: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    places: list[Place] = field(default_factory=list)

    @property
    def active(self) -> int:
        return self.statuses[ACTIVE]


def of(scope: Sequence[str]) -> Figures:
    """The figures of these regions, at most a minute old."""
    kept: dict[tuple[str, ...], tuple[float, Figures]] = current_app.extensions.setdefault("subscriber_figures", {})
    key = tuple(scope)
    with _lock:
        known = kept.get(key)
    if known is not None and time.monotonic() - known[0] < FRESH_SECONDS:
        return known[1]
    found = count(scope)
    with _lock:
        if len(kept) > 200:
            kept.clear()
        kept[key] = (time.monotonic(), found)
    return found


def count(scope: Sequence[str]) -> Figures:
    """Count now."""
    found = Figures(utcnow())
    if not scope:
        return found
    # Who was erased is a row without a number, and nobody.
    query = select(Subscriber.status, Subscriber.language, Subscriber.audiences, Subscriber.source, func.count()).where(
        func.length(Subscriber.phone_sealed) > 0).group_by(
        Subscriber.status, Subscriber.language, Subscriber.audiences, Subscriber.source)
    if current_settings().district not in scope:
        query = query.where(Subscriber.id.in_(select(SubscriberRegion.subscriber_id).where(within(scope))))
    for status, language, mask, source, many in db.session.execute(query):
        found.statuses[status] += many
        if status == ACTIVE:
            found.languages[language] += many
            found.sources[source] += many
            for one in audiences.AUDIENCES:
                if mask >> one.bit & 1:
                    found.audiences[one.key] += many
    found.places = _places(scope)
    return found


def within(scope: Sequence[str]) -> ColumnElement[bool]:
    """A condition: the community lies in one of the regions."""
    ranges = [codes.code_range(code) for code in scope]
    return or_(*(and_(SubscriberRegion.region_code >= low, SubscriberRegion.region_code <= high) for low, high in ranges))


def _places(scope: Sequence[str]) -> list[Place]:
    rows = db.session.execute(
        select(SubscriberRegion.region_code, Subscriber.status, Subscriber.language, func.count())
        .join(Subscriber, Subscriber.id == SubscriberRegion.subscriber_id).where(within(scope))
        .group_by(SubscriberRegion.region_code, Subscriber.status, Subscriber.language))
    counted: dict[str, Place] = {}
    for code, status, language, many in rows:
        place = counted.setdefault(code, Place(code, None))
        if status == ACTIVE:
            place.languages[language] += many
        else:
            place.left += many
    streets: dict[str, Place] = {}
    known = set(counted) | set(lookup.communities_under(scope))
    for code in sorted(known):
        place = counted.get(code) or Place(code, None)
        node, above = lookup.get(code), codes.parent_of(code) or code
        place.population = node.population if node else None
        street = streets.setdefault(above, Place(above, None))
        street.inside.append(place)
        street.languages.update(place.languages)
        street.left += place.left
        street.population = (street.population or 0) + (place.population or 0)
    return list(streets.values())
