"""Renewing a certificate: from when on, and what has been done for it since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from portal.core.clock import utcnow
from portal.core.db import db
from portal.training import courses_store, standing
from portal.training.assessing import rules
from portal.training.assessing.rules import Say
from portal.training.certificate_models import Certificate
from portal.training.content.values import Course
from portal.training.exam_models import Attempt
from portal.training.practical_models import Assessment
from portal.training.standing import Gates


@dataclass(frozen=True, slots=True)
class Way:
    """What a renewal asks for, and what of it is still to be done; open `since`."""

    since: datetime
    exam: bool
    skills_open: tuple[str, ...]

    @property
    def done(self) -> bool:
        return not self.exam and not self.skills_open


def held(learner_id: int, slug: str) -> Certificate | None:
    """The certificate of a course that holds longest or held last, of those that were not taken back; None for none."""
    mine = select(Certificate).where(Certificate.learner_id == learner_id, Certificate.slug == slug,
                                     Certificate.revoked_at.is_(None))
    found = db.session.execute(mine.execution_options(populate_existing=True)).scalars().all()
    return max(found, key=lambda one: (one.valid_until is None, one.valid_until or one.issued_at, one.issued_at), default=None)


def opens_at(certificate: Certificate, course: Course) -> datetime | None:
    """From when on it can be renewed; None where it has no end."""
    if certificate.valid_until is None:
        return None
    # Never before it was granted: what was done for it would count twice.
    return max(certificate.valid_until - timedelta(days=course.renewal.days_before), certificate.issued_at)


def taken_back(certificate: Certificate) -> bool:
    """Of one that :func:`held` gives: whether it was renewed and the renewal taken back. What was done for that one earns no
    second one; only the desk gives it back."""
    after = select(Certificate.id).where(Certificate.renews == certificate.id).limit(1)
    return db.session.execute(after).first() is not None


def open_since(learner_id: int, slug: str) -> datetime | None:
    """Since when the learner may renew what he holds; None while he may not, or holds nothing, or had the renewal taken back."""
    loaded, certificate = courses_store.current(slug), held(learner_id, slug)
    if loaded is None or certificate is None:
        return None
    opens = opens_at(certificate, loaded[1])
    return opens if opens is not None and opens <= utcnow() and not taken_back(certificate) else None


def way(learner_id: int, course: Course, since: datetime) -> Way:
    """What is left to do of a renewal that is open `since`."""
    wanted = course.renewal
    exam = wanted.exam and course.exam is not None and not _has_passed(learner_id, course.id, since)
    there = {one.id for one in course.checklists}
    skills = [skill for skill in wanted.skills if skill in there]
    passed = _skills(learner_id, course.id, since) if skills else set()
    return Way(since, exam, tuple(skill for skill in skills if skill not in passed))


def gates(learner_id: int, slug: str) -> Gates:
    """As :func:`portal.training.standing.gates`, for booking: while a renewal is open, the skills that it asks for are open
    again."""
    now, since = standing.gates(learner_id, slug), open_since(learner_id, slug)
    loaded = courses_store.current(slug)
    if since is None or loaded is None:
        return now
    again = {*now.skills_open, *way(learner_id, loaded[1], since).skills_open}
    left = tuple(one.id for one in loaded[1].checklists if one.id in again)
    return Gates(now.theory, not left, left)


def _has_passed(learner_id: int, slug: str, since: datetime) -> bool:
    again = select(Attempt.id).where(Attempt.slug == slug, Attempt.learner_id == learner_id, Attempt.passed,
                                     Attempt.started_at >= since, Attempt.ended_at.is_not(None)).limit(1)
    return db.session.execute(again).first() is not None


def _skills(learner_id: int, slug: str, since: datetime) -> set[str]:
    seen = select(Assessment).where(Assessment.learner_id == learner_id, Assessment.slug == slug, Assessment.seen_at >= since)
    says: dict[str, list[Say]] = {}
    for one in db.session.execute(seen).scalars():
        says.setdefault(one.skill, []).append(
            Say(one.id, one.session_id, one.assessor_id, one.passed, one.settles, one.seen_at))
    return {skill for skill, all_of_it in says.items() if rules.state(all_of_it).passed}
