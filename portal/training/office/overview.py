"""What the first of the desk's pages of training shows: what waits for somebody, and how far the learners of a region are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from portal.core.db import db
from portal.regions.codes import code_range
from portal.training.assessing.attendance import CORRECTED_FOR
from portal.training.certificate_models import Certificate
from portal.training.models import Enrolment
from portal.training.practical_models import ATTENDED, PLANNED, WAITING, Assessment, Booking, PracticalSession

#: How far ahead sessions are shown.
AHEAD = timedelta(days=7)
MOST_SESSIONS = 12


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many learners of a course came how far. `certified`: with a certificate that holds now."""

    slug: str
    enrolled: int
    theory: int
    practical: int
    certified: int


def funnels(now: datetime, regions: Sequence[str] | None) -> dict[str, Funnel]:
    """By course, of learners whose community lies in the regions; None for all learners, also those whose is not known."""
    counted = select(Enrolment.slug, func.count(), func.count(Enrolment.theory_at), func.count(Enrolment.practical_at),
                     func.sum(case((Enrolment.certified_until > now, 1), else_=0))).group_by(Enrolment.slug)
    if regions is not None:
        counted = counted.where(_within(Enrolment.region_code, regions))
    return {row[0]: Funnel(row[0], row[1], row[2], row[3], int(row[4])) for row in db.session.execute(counted)}


def sessions(now: datetime, regions: Sequence[str] | None) -> list[PracticalSession]:
    """What takes place now and in the next days, soonest first."""
    soon = select(PracticalSession).where(PracticalSession.state == PLANNED, PracticalSession.ends_at > now,
                                          PracticalSession.starts_at < now + AHEAD, *_held(regions))
    return list(db.session.execute(soon.order_by(PracticalSession.starts_at).limit(MOST_SESSIONS)).scalars())


def waiting(now: datetime, regions: Sequence[str] | None) -> int:
    """People who wait for a seat at a session to come."""
    queue = select(func.count()).select_from(Booking).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.state == WAITING, PracticalSession.state == PLANNED, PracticalSession.starts_at > now, *_held(regions))
    return db.session.execute(queue).scalar_one()


def unassessed(now: datetime, regions: Sequence[str] | None) -> list[tuple[PracticalSession, int]]:
    """Sessions at which people were present of whom nobody assessed any skill, and how many of them, as long as something can be
    done about it: a phone that was without a network brings what it kept, or the list is corrected."""
    seen = exists().where(Assessment.session_id == Booking.session_id, Assessment.learner_id == Booking.learner_id)
    left = select(Booking.session_id, func.count()).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.state == ATTENDED, PracticalSession.ends_at.between(now - CORRECTED_FOR, now), ~seen, *_held(regions))
    many = {row[0]: row[1] for row in db.session.execute(left.group_by(Booking.session_id))}
    rows = select(PracticalSession).where(PracticalSession.id.in_(many)).order_by(PracticalSession.starts_at)
    return [(row, many[row.id]) for row in db.session.execute(rows).scalars()]


def ending(now: datetime, days: int, regions: Sequence[str] | None) -> int:
    """Certificates that end within so many days and that no later one prolongs."""
    later = Certificate.__table__.alias("later")
    soon = select(func.count()).select_from(Certificate).where(
        Certificate.revoked_at.is_(None), Certificate.learner_id.is_not(None),
        Certificate.valid_until.between(now, now + timedelta(days=days)), ~exists().where(later.c.renews == Certificate.id))
    if regions is not None:
        soon = soon.where(_within(Certificate.region_code, regions))
    return db.session.execute(soon).scalar_one()


def _held(regions: Sequence[str] | None) -> tuple[ColumnElement[bool], ...]:
    return () if regions is None else (_within(PracticalSession.region_code, regions),)


def _within(column: InstrumentedAttribute, regions: Sequence[str]) -> ColumnElement[bool]:
    return or_(false(), *(column.between(*code_range(code)) for code in regions))
