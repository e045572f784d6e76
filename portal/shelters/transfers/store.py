"""Reading transfers: people by region, their round, and how far each community is.

Nothing here asks who is asking: callers narrow `region_codes` by :mod:`rights` before, and write looks into the trail
(:mod:`looks`). What is sealed stays sealed here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from portal.core.db import db
from portal.regions import codes, lookup
from portal.regions.codes import code_range
from portal.shelters.models import ARRIVED, REFUSED, TRANSFER_STATES, TransferEvent, TransferPerson, TransferRound
from portal.shelters.transfers import moves

#: Rounds that are open at the same time; far more than a city has streets.
MOST_ROUNDS = 5000
#: People on one page or in one copy of a list.
MOST_LISTED = 500
#: What a list may be narrowed to, beside each state.
NOT_DONE, ALL = "not_done", "all"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one community is. Figures are of its open round; without one only `listed` and `listed_people` say something.

    `households` counts entries of the list, `people` the persons in them, both of the round alone (a round for a hazard
    asks only for those whom the hazard drives out); `by_state` maps each state to its households. A drill's figures are
    never in the same object as a real round's.
    """

    region_code: str
    listed: int
    listed_people: int
    round: TransferRound | None = None
    households: int = 0
    people: int = 0
    arrived_people: int = 0
    by_state: dict[str, int] = field(default_factory=dict)

    @property
    def exercise(self) -> bool:
        return self.round is not None and self.round.exercise

    @property
    def arrived(self) -> int:
        return self.by_state.get(ARRIVED, 0)

    @property
    def open(self) -> int:
        """Households after whom somebody still has to go."""
        return sum(n for state, n in self.by_state.items() if state not in moves.ENDS)

    @property
    def refused(self) -> int:
        """Households that are done with, and did not go."""
        return self.by_state.get(REFUSED, 0)

    @property
    def deadline(self) -> datetime | None:
        return self.round.deadline if self.round else None

    def late(self, now: datetime) -> bool:
        """Whether the deadline has passed and not everybody is done with."""
        return self.deadline is not None and self.deadline <= now and self.open > 0


def within(region_codes: Iterable[str]) -> ColumnElement[bool]:
    """A condition on TransferPerson: in one of the regions or below."""
    ranges = [TransferPerson.region_code.between(*code_range(code)) for code in region_codes]
    return or_(*ranges) if ranges else TransferPerson.id.is_(None)


def listed(region_codes: Iterable[str]) -> ColumnElement[bool]:
    """A condition on TransferPerson: on the list of one of the regions now."""
    return and_(within(region_codes), TransferPerson.removed_at.is_(None))


def in_round(round_id: uuid.UUID) -> ColumnElement[bool]:
    """A condition on TransferPerson: somebody of that round."""
    return TransferPerson.id.in_(select(TransferEvent.person_id).where(TransferEvent.round_id == round_id))


def open_rounds(region_codes: Iterable[str]) -> list[TransferRound]:
    """Rounds under way that touch the regions, the oldest first."""
    wanted = list(region_codes)
    found = db.session.execute(select(TransferRound).where(TransferRound.ended_at.is_(None))
                               .order_by(TransferRound.started_at, TransferRound.id).limit(MOST_ROUNDS)).scalars()
    return [r for r in found if any(codes.contains(a, b) or codes.contains(b, a) for a in r.region_codes for b in wanted)]


def round_over(region_code: str) -> TransferRound | None:
    """The round under way in a community; there is at most one (see :mod:`rounds`)."""
    return next((r for r in open_rounds([region_code]) if covers(r, region_code)), None)


def covers(round_: TransferRound, region_code: str) -> bool:
    return any(codes.contains(code, region_code) for code in round_.region_codes)


def progress(region_codes: Iterable[str]) -> list[Progress]:
    """How far each community with a list is, by code. Only for eyes that have the duty over the regions: narrow them with
    `rights.seen_of(account, region_codes)` first."""
    wanted = lookup.topmost(region_codes)
    if not wanted:
        return []
    lists = {code: (n, people or 0) for code, n, people in db.session.execute(
        select(TransferPerson.region_code, func.count(), func.sum(TransferPerson.people)).where(listed(wanted))
        .group_by(TransferPerson.region_code))}
    rounds = open_rounds(wanted)
    found = []
    counts = {r.id: _counts(r, wanted) for r in rounds}
    for code in sorted(lists):
        under_way = next((r for r in rounds if covers(r, code)), None)
        by_state = counts[under_way.id].get(code, {}) if under_way else {}
        found.append(Progress(
            code, *lists[code], under_way, sum(n for n, _ in by_state.values()), sum(p for _, p in by_state.values()),
            by_state.get(ARRIVED, (0, 0))[1], {state: n for state, (n, _) in by_state.items()}))
    return found


def _counts(round_: TransferRound, region_codes: Sequence[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Community → state → (households, people) of an open round."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for code, state, n, people in db.session.execute(
            select(TransferPerson.region_code, TransferPerson.state, func.count(), func.sum(TransferPerson.people))
            .where(listed(region_codes), in_round(round_.id)).group_by(TransferPerson.region_code, TransferPerson.state)):
        found.setdefault(code, {})[state] = (n, people or 0)
    return found


def people_query(region_codes: Iterable[str]) -> Select[TransferPerson]:
    """Everybody on the lists of the regions, by code."""
    return select(TransferPerson).where(listed(region_codes)).order_by(TransferPerson.code)


def list_query(region_code: str, round_: TransferRound | None, show: str = ALL, text: str = "") -> Select[TransferPerson]:
    """The list of one community, those first after whom somebody has to go. `show`: `NOT_DONE`, `ALL` or a state, which only
    mean something during a round; `text`: a piece of initials or code."""
    query = select(TransferPerson).where(listed([region_code]))
    if text:
        query = query.where(or_(*(c.icontains(text, autoescape=True) for c in (TransferPerson.initials, TransferPerson.code))))
    if round_ is None:
        return query.order_by(TransferPerson.code)
    member = in_round(round_.id)
    if show == NOT_DONE:
        query = query.where(member, TransferPerson.state.not_in(moves.ENDS))
    elif show != ALL:
        query = query.where(member, TransferPerson.state == show)
    order = case({state: n for n, state in enumerate(TRANSFER_STATES)}, value=TransferPerson.state)
    # Those whom the hazard leaves alone come last, then by state from waiting to the ends.
    return query.order_by(case((member, 0), else_=1), order, TransferPerson.code)


def removed_query(region_code: str) -> Select[TransferPerson]:
    """Those who were taken from the list and can still be brought back, the last ones first."""
    return (select(TransferPerson).where(within([region_code]), TransferPerson.removed_at.is_not(None),
                                         TransferPerson.initials != "").order_by(TransferPerson.removed_at.desc()))


def count(query: Select[TransferPerson]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0


def members(people: Iterable[TransferPerson], round_: TransferRound | None) -> set[uuid.UUID]:
    """Of these people, those who take part in the round."""
    if round_ is None:
        return set()
    ids = [p.id for p in people]
    return {found for at in range(0, len(ids), 500) for found in db.session.execute(
        select(TransferEvent.person_id).where(TransferEvent.round_id == round_.id,
                                              TransferEvent.person_id.in_(ids[at:at + 500])).distinct()).scalars()}
