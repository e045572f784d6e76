"""One learner as trainers see him: how he stands in each course, his exams, skills, seats and certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from portal.core.db import db
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in, regions_for
from portal.regions import codes
from portal.training import courses_store
from portal.training.assessing import results, rules
from portal.training.certificate_models import Certificate
from portal.training.content.values import Course
from portal.training.exam_models import Attempt
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups.here import whole_district
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import Booking, PracticalSession

#: The newest of each kind are shown.
MOST = 30


@dataclass(frozen=True, slots=True)
class Taken:
    """A course that somebody takes, with what he did in it; the newest attempts first. `skills` by id, in the course's order."""

    course: Course
    row: Enrolment
    attempts: Sequence[Attempt]
    skills: dict[str, rules.SkillState]
    certificates: Sequence[Certificate]

    @property
    def lessons(self) -> int:
        return sum(1 for _one in self.course.lessons)


def find(account: Account, learner_id: int) -> Learner | None:
    """The learner, when the account may see him: he lives in the region of its duty, or belongs to a cohort there."""
    row = db.session.get(Learner, learner_id)
    if row is None:
        return None
    if may_in(account, TRAINER, [row.region_code]) if row.region_code else whole_district(account):
        return row
    return row if cohorts_of(account, learner_id) else None


def cohorts_of(account: Account, learner_id: int) -> list[tuple[Cohort, str | None]]:
    """The cohorts of the account's regions that somebody belongs to, with his number there."""
    own = regions_for(account, TRAINER)
    rows = select(Cohort, CohortMember.number).join(CohortMember, CohortMember.cohort_id == Cohort.id).where(
        CohortMember.learner_id == learner_id,
        or_(*(Cohort.region_code.between(*codes.code_range(one)) for one in own)) if own else Cohort.id.is_(None))
    return [(cohort, number) for cohort, number in db.session.execute(rows.order_by(Cohort.id.desc()).limit(MOST))]


def taken(learner_id: int) -> list[Taken]:
    """All courses that somebody takes, the newest first."""
    rows = db.session.execute(select(Enrolment).where(Enrolment.learner_id == learner_id).order_by(
        Enrolment.at.desc()).limit(MOST)).scalars().all()
    found = []
    for row in rows:
        if loaded := courses_store.current(row.slug):
            found.append(Taken(loaded[1], row, _attempts(learner_id, row.slug), results.skills(learner_id, row.slug),
                               _certificates(learner_id, row.slug)))
    return found


def bookings(learner_id: int) -> list[tuple[Booking, PracticalSession]]:
    """Seats that somebody asked for, the newest first."""
    rows = select(Booking, PracticalSession).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.learner_id == learner_id).order_by(Booking.id.desc()).limit(MOST)
    return [(booking, held) for booking, held in db.session.execute(rows)]


def _attempts(learner_id: int, slug: str) -> Sequence[Attempt]:
    return db.session.execute(select(Attempt).where(Attempt.slug == slug, Attempt.learner_id == learner_id).order_by(
        Attempt.number.desc()).limit(MOST)).scalars().all()


def _certificates(learner_id: int, slug: str) -> Sequence[Certificate]:
    return db.session.execute(select(Certificate).where(
        Certificate.learner_id == learner_id, Certificate.slug == slug).order_by(Certificate.issued_at.desc()).limit(MOST)
    ).scalars().all()
