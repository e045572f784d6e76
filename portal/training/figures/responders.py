"""Certified first responders by community and by kind of place: counted by a job, read by pages.

Somebody is a responder with a certificate of one of the courses that make one, as long as it is valid and not taken back. The
community is where the person lives now. Whoever erased himself is not counted: nobody could call him.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import lookup
from portal.regions.snapshot import Node
from portal.training.certificate_models import Certificate
from portal.training.certificates.listing import SOON
from portal.training.group_models import KINDS, Cohort, CohortMember, ResponderFigure
from portal.training.models import Learner

#: The kind that counts those whose certificate ends soon.
ENDING = "ending"
_ALL = ""
_WITHOUT_END = datetime(9999, 1, 1, tzinfo=UTC)
#: Any number that only this counting uses.
_LOCK = 0x72657370


# -- the job -----------------------------------------------------------------------------------------------------------------
def count(app: Flask) -> int:
    """As :func:`keep_count`, for the scheduler."""
    with app.app_context():
        return keep_count()


def keep_count() -> int:
    """Count anew and keep it; how many counts."""
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        now = utcnow()
        rows = [{"region_code": region, "kind": kind, "responders": n, "at": now} for region, kind, n in _counted(session, now)]
        session.execute(delete(ResponderFigure))
        if rows:
            session.execute(insert(ResponderFigure), rows)
        return len(rows)


def _counted(session: Session, now: datetime) -> Iterable[tuple[str, str, int]]:
    """(community or empty, kind, how many)."""
    end = func.coalesce(Certificate.valid_until, _WITHOUT_END, type_=Certificate.valid_until.type)
    held = (select(Certificate.learner_id, func.max(end, type_=Certificate.valid_until.type).label("end"))
            .where(Certificate.slug.in_(current_settings().responder_courses), Certificate.revoked_at.is_(None),
                   Certificate.learner_id.is_not(None), or_(Certificate.valid_until.is_(None), Certificate.valid_until > now))
            .group_by(Certificate.learner_id).subquery())
    region = func.coalesce(Learner.region_code, "")
    people = select(region, func.count()).join(held, held.c.learner_id == Learner.id).group_by(region)
    for code, n in session.execute(people).all():
        yield code, _ALL, n
    for code, n in session.execute(people.where(held.c.end < now + SOON)).all():
        yield code, ENDING, n
    kinds = (select(region, Cohort.kind, func.count(Learner.id.distinct()))
             .join(held, held.c.learner_id == Learner.id).join(CohortMember, CohortMember.learner_id == Learner.id)
             .join(Cohort, Cohort.id == CohortMember.cohort_id).group_by(region, Cohort.kind))
    yield from session.execute(kinds).all()


# -- what pages show ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Place:
    """A community, or a sum of them. `residents` is None where the number is not known; `needed` and `missing` are then 0, so
    that nobody thinks that a known number of people is wanted. In a sum, what one community has too many fills no gap of
    another."""

    code: str
    node: Node | None
    residents: int | None
    needed: int
    certified: int
    missing: int
    ending: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """Certified of those needed; None where that is not known."""
        return self.certified / self.needed if self.needed else None

    @property
    def verdict(self) -> str:
        """`met`, `near` (half and more), `below`, `none` or `unknown`."""
        if self.share is None:
            return "unknown"
        if not self.certified:
            return "none"
        return "met" if not self.missing else "near" if self.share >= 0.5 else "below"


@dataclass(frozen=True, slots=True)
class Overview:
    """`communities`: those that miss most first. `elsewhere`: responders whose community is not known or not of the district.
    `at`: when it was counted, None for never."""

    communities: list[Place]
    streets: list[Place]
    district: Place
    elsewhere: Place
    kinds: dict[str, int]
    at: datetime | None


def overview(district: str, residents_each: int) -> Overview:
    """Everything that the page shows, from one query."""
    figures: dict[str, dict[str, int]] = {}
    at = None
    for one in db.session.execute(select(ResponderFigure)).scalars():
        figures.setdefault(one.region_code, {})[one.kind] = one.responders
        at = one.at
    communities = [_place(code, figures.pop(code, {}), residents_each) for code in lookup.communities_under([district])]
    streets = [_sum(street.code, street, [one for one in communities if one.code[:9] == street.code[:9]])
               for street in lookup.children(district)]
    elsewhere = _sum("", None, [_place(code, of, residents_each) for code, of in figures.items()])
    whole = _sum(district, lookup.get(district), communities)
    everybody = [*communities, elsewhere]
    kinds = {kind: sum(one.kinds.get(kind, 0) for one in everybody) for kind in KINDS}
    worst = sorted(communities, key=lambda one: (-one.missing, one.share if one.share is not None else 2.0, one.code))
    return Overview(worst, sorted(streets, key=lambda one: (-one.missing, one.code)), whole, elsewhere, kinds, at)


def needed(residents: int | None, residents_each: int) -> int:
    """One for so many residents and for each part of it."""
    return -(-residents // residents_each) if residents else 0


def _place(code: str, figures: dict[str, int], residents_each: int) -> Place:
    node = lookup.get(code) if code else None
    residents = node.population if node else None
    certified, wanted = figures.get(_ALL, 0), needed(residents, residents_each)
    kinds = {kind: n for kind, n in figures.items() if kind in KINDS}
    return Place(code, node, residents, wanted, certified, max(0, wanted - certified), figures.get(ENDING, 0), kinds)


def _sum(code: str, node: Node | None, parts: list[Place]) -> Place:
    kinds = {kind: sum(one.kinds.get(kind, 0) for one in parts) for kind in KINDS}
    known = [one.residents for one in parts if one.residents is not None]
    return Place(code, node, sum(known) if known else None, sum(one.needed for one in parts), sum(one.certified for one in parts),
                 sum(one.missing for one in parts), sum(one.ending for one in parts), kinds)
