"""Who of a community is told of a matter: how, in which language, and as whom. For audiences of millions.

The database decides: who is active, wants the matter, belongs to the audience, sleeps. It answers with one number for each
person. A community is one range of an index; its people are looked up in it one by one. Where many communities are asked about,
everybody is read once in the order of their ids instead, a range at each call of :meth:`Crowd.read_ahead`, 4 bytes of memory a
person; from then on a community costs its range alone.
"""

from __future__ import annotations

import numpy as np
from sqlalchemy import ColumnElement, Select, and_, case, func, select

from portal.core.arrays import ById, read
from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.subscribers.matter import Matter
from portal.subscribers.models import ACTIVE, Subscriber, SubscriberRegion
from portal.subscribers.store import matches

NOT_TOLD = -1
#: Ids that one call of `read_ahead` covers.
RANGE = 400_000
#: How many people are looked up in the time in which one is read ahead.
DEARER = 3


class Crowd:
    """Those who are told of one matter, as they are while it is asked. `mask`: see :mod:`portal.subscribers.store`."""

    def __init__(self, mask: int, matter: Matter) -> None:
        self._told = and_(
            Subscriber.status == ACTIVE, Subscriber.language.in_(LANGUAGES), matches(mask), matter.wanted()
        )
        self._code = _code(matter)
        self._next = 0  # everybody below was read ahead
        self._highest: int | None = None
        self._numbers = ById("<u4")
        self._codes = np.array([NOT_TOLD])  # by those numbers

    def page(self, region_code: str, after_id: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Ids of people of one community, ascending after `after_id`, fewer than `limit` only at the end; and for each what
        :func:`language_of` and its neighbours read, or NOT_TOLD."""
        people = self.range_of(region_code, after_id, limit)
        if self.is_read:
            ids = np.sort(read(db.session, people)[:, 0])
            return ids, self._codes[self._numbers.get(ids)]
        rows = read(db.session, looked_up(people, self._told, self._code))
        rows = rows[np.argsort(rows[:, 0])]
        return rows[:, 0], rows[:, 1]

    @staticmethod
    def range_of(region_code: str, after_id: int, limit: int) -> Select[int]:
        here = SubscriberRegion
        return (select(here.subscriber_id).where(here.region_code == region_code, here.subscriber_id > after_id)
                .order_by(here.subscriber_id).limit(limit))

    @property
    def is_read(self) -> bool:
        return self._highest is not None and self._next > self._highest

    def worth_reading(self, people: int) -> bool:
        """Whether to read ahead, where so many are still to be asked about."""
        if self.is_read:
            return False
        if self._highest is None:
            self._highest = db.session.scalar(select(func.max(Subscriber.id))) or 0
        return people * DEARER > self._highest - self._next

    def read_ahead(self) -> None:
        """Read one range of everybody."""
        inside = (Subscriber.id >= self._next, Subscriber.id < self._next + RANGE)
        rows = read(db.session, select(Subscriber.id, self._code).where(*inside, self._told))
        codes, which = np.unique(rows[:, 1], return_inverse=True)
        new = np.setdiff1d(codes, self._codes)
        self._codes = np.concatenate([self._codes, new])
        order = np.argsort(self._codes)
        numbers = order[np.searchsorted(self._codes, codes, sorter=order)]
        self._numbers.set(rows[:, 0], numbers[which])
        self._next += RANGE


def language_of(codes: np.ndarray) -> np.ndarray:
    """Places in LANGUAGES."""
    return codes & 7


def hour_of(codes: np.ndarray) -> np.ndarray:
    """The hour of the day at which their quiet hours end; -1 for those who are told at once."""
    return (codes >> 3 & 31) - 1


def audiences_of(codes: np.ndarray) -> np.ndarray:
    return codes >> 8


def _code(matter: Matter) -> ColumnElement[int]:
    language = case({name: n for n, name in enumerate(LANGUAGES)}, value=Subscriber.language, else_=0)
    until = case((matter.quiet(), Subscriber.quiet_to + 1), else_=0)
    return Subscriber.audiences * 256 + until * 8 + language


def looked_up(people: Select[int], told: ColumnElement[bool], code: ColumnElement[int]) -> Select[int, int]:
    """Each of `people` with a code. As a subquery in the list, not a join: PostgreSQL would read all subscribers for a page."""
    ids = people.subquery()
    one = select(code).where(Subscriber.id == ids.c.subscriber_id, told).scalar_subquery()
    return select(ids.c.subscriber_id, func.coalesce(one, NOT_TOLD))
