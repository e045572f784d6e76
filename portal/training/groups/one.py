"""One learner as trainers see him: how he stands in each course, his exams, skills, seats and certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import or_, select

from portal.core import audit
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in, regions_for
from portal.regions import codes
from portal.training import courses_store
from portal.training.assessing import results, rules
from portal.training.certificate_models import Certificate
from portal.training.content.values import Course
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.exams import rules as exams
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups.here import whole_district
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import Booking, PracticalSession

#: The newest of each kind are shown.
MOST = 30
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Taken:
    """A course that somebody takes, with what he did in it; the newest attempts first. `skills` by id, in the course's order."""

    course: Course
    row: Enrolment
    attempts: Sequence[Attempt]
    skills: dict[str, rules.SkillState]
    certificates: Sequence[Certificate]

    @property
    def used_up(self) -> bool:
        """Whether all attempts that the course allows are used, so that a trainer may give one more."""
        return self.course.exam is not None and attempts.standing(self.course.exam, self.attempts).hindrance == exams.USED_UP

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
            found.append(Taken(loaded[1], row, attempts.past(learner_id, row.slug), results.skills(learner_id, row.slug),
                               _certificates(learner_id, row.slug)))
    return found


def bookings(learner_id: int) -> list[tuple[Booking, PracticalSession]]:
    """Seats that somebody asked for, the newest first."""
    rows = select(Booking, PracticalSession).join(PracticalSession, PracticalSession.id == Booking.session_id).where(
        Booking.learner_id == learner_id).order_by(Booking.id.desc()).limit(MOST)
    return [(booking, held) for booking, held in db.session.execute(rows)]


def give_one_more(account: Account, learner_id: int, slug: str, reason: str) -> None:
    """Let somebody who used all attempts sit the exam once more; the waiting time between two stays. Raises Invalid at `reason`,
    Conflict where attempts are left, one is under way, or the exam is passed."""
    why, loaded = " ".join(reason.split()), courses_store.current(slug)
    if not 4 <= len(why) <= LONGEST_REASON or not why.isprintable():
        raise Invalid.one("reason", _l("Say why, in 4 to %(n)s characters: it is written into the trail.", n=LONGEST_REASON))
    with transaction() as session:
        session.execute(select(Learner.id).where(Learner.id == learner_id).with_for_update(key_share=True))  # as who begins one
        past = attempts.past(learner_id, slug)
        exam = loaded[1].exam if loaded else None
        if exam is None or attempts.standing(exam, past).hindrance != exams.USED_UP:
            raise Conflict(_l("An attempt is left, or under way, or the exam is passed: no more is needed."))
        last = next(one for one in past if not one.forgiven)
        last.forgiven = True
        audit.append(session, account.actor, "exam.more", f"exam:{last.id}", {"learner": learner_id, "course": slug,
                                                                              "reason": why})


def _certificates(learner_id: int, slug: str) -> Sequence[Certificate]:
    return db.session.execute(select(Certificate).where(
        Certificate.learner_id == learner_id, Certificate.slug == slug).order_by(Certificate.issued_at.desc()).limit(MOST)
    ).scalars().all()
