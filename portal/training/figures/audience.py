"""Certified first responders who agreed to be called are members of the subscribers' audience of responders in their community,
for as long as the certificate, the agreement and the learner are there."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.subscribers import given
from portal.subscribers.audiences import mask_of
from portal.subscribers.models import Given, Subscriber
from portal.training import standing
from portal.training.certificates import issue  # noqa: F401  (grants when somebody is due: ours looks afterwards)
from portal.training.learners import own
from portal.training.models import Enrolment, Learner

#: How the consent is said to have come.
SOURCE = "course"
AUDIENCE = mask_of(["responders"])
#: Transactions of one run: what is left waits for the next one.
MOST_CHUNKS = 400


def wanted() -> Select[bytes, bytes, str, str | None]:
    """Who is to be in the audience now."""
    certified = exists().where(
        Enrolment.learner_id == Learner.id, Enrolment.slug.in_(current_settings().responder_courses),
        Enrolment.certified_until > utcnow())
    return select(Learner.phone_index, Learner.phone_sealed, Learner.language, Learner.region_code).where(
        Learner.on_call_at.is_not(None), Learner.region_code.is_not(None), certified)


def refresh(session: Session, learner_id: int) -> bool:
    """Put one learner right, in the transaction of what happened: agreed or no longer, certified or no longer, moved; whether
    something changed."""
    session.flush()
    index = session.execute(select(Learner.phone_index).where(Learner.id == learner_id)).scalar_one_or_none()
    return index is not None and given.match(session, wanted(), AUDIENCE, SOURCE, phone_index=index) > 0


def after_touch(session: Session, learner_id: int, slug: str) -> None:
    """For :data:`portal.training.standing.AFTER_TOUCH`. Most who touch a course are neither certified in it nor were given
    anything, and cost one look."""
    if slug not in current_settings().responder_courses:
        return
    was_given = exists().where(Given.source == SOURCE, Given.subscriber_id == Subscriber.id,
                               Subscriber.phone_index == Learner.phone_index)
    concerned = select(Learner.id).join(Enrolment, Enrolment.learner_id == Learner.id).where(
        Learner.id == learner_id, Enrolment.slug == slug,
        or_(Enrolment.certified_until.is_not(None), was_given))
    if session.execute(concerned).first() is not None:
        refresh(session, learner_id)


def after_change(session: Session, learner: Learner) -> None:
    """For :data:`portal.training.learners.own.AFTER_CHANGE`: moved, agreed, or no longer."""
    refresh(session, learner.id)


def before_erasure(session: Session, learner: Learner) -> None:
    """For :data:`portal.training.learners.own.BEFORE_ERASURE`: a number that we have from the course alone goes as well."""
    learner.on_call_at = None
    refresh(session, learner.id)
    given.forget(session, learner.phone_index, SOURCE)


def refresh_all(app: Flask) -> int:
    """Put everybody right, also whose certificate has ended or who erased himself; how many changed."""
    changed = 0
    with app.app_context():
        for _chunk in range(MOST_CHUNKS):
            with transaction() as session:
                now = given.match(session, wanted(), AUDIENCE, SOURCE)
            changed += now
            if not now:
                break
    return changed


standing.AFTER_TOUCH.append(after_touch)
own.AFTER_CHANGE.append(after_change)
own.BEFORE_ERASURE.append(before_erasure)
