"""The demonstration's practical sessions, assessed: skills passed and not yet, and two on which assessors differ.

It takes up the sessions of :mod:`portal.training.practicals.demo`: those that are past were held, and at the one that is going on
some people are there and the first are assessed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.identity.listing import holders
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.training import courses_store, standing
from portal.training.assessing import recording, rules
from portal.training.assessing.attendance import CODE, HAND
from portal.training.content.values import Checklist, Course
from portal.training.practical_models import ATTENDED, BOOKED, PLANNED, Assessment, Booking, PracticalSession

Step = Callable[[str, str], AbstractContextManager[None]]

COURSE = "first-responder"
#: At the session that is going on: people who are there, and who are assessed already, in one skill.
THERE, SEEN = 9, 4
#: Of 100: who does not pass a skill at first.
FAILED, MOST_SESSIONS = 12, 12
_NOTES = ("按压深度不够，回弹不完全。", "忘了先看现场是否安全。", "止血带绑得太靠近关节。")


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    loaded, now = courses_store.current(COURSE), utcnow()
    if loaded is None:
        return
    wanted = select(PracticalSession).where(
        PracticalSession.slug == COURSE, PracticalSession.state == PLANNED, PracticalSession.starts_at <= now,
        ~exists().where(Assessment.session_id == PracticalSession.id), exists().where(Booking.session_id == PracticalSession.id))
    found = db.session.execute(wanted.order_by(PracticalSession.starts_at).limit(MOST_SESSIONS)).scalars().all()
    if not found:
        return
    with step("实操签到和考核", "attendance and assessments of practical sessions"):
        for held in found:
            with transaction() as session:
                _fill(session, held, loaded[0], loaded[1], now)


def _fill(session: Session, held: PracticalSession, version_id: int, course: Course, now: datetime) -> None:
    assessors = holders(TRAINER, [held.region_code], "white")
    lists = [one for one in course.checklists if one.id in held.skills]
    if not assessors or not lists:
        return
    going_on, chance = held.ends_at > now, random.Random(held.place)  # noqa: S311  (invented people)
    if going_on:
        _come_in(session, held)
        lists = lists[:1]
    there = session.execute(select(Booking.learner_id).where(
        Booking.session_id == held.id, Booking.state == ATTENDED).order_by(Booking.id)).scalars().all()
    there = there[:SEEN] if going_on else there
    for at, learner_id in enumerate(there):
        seen_at = min(held.starts_at + timedelta(minutes=20 + 5 * at), now)
        for checklist in lists:
            _assess(session, held, learner_id, version_id, checklist, assessors, seen_at, chance, differ=at == 1)
            seen_at = min(seen_at + timedelta(minutes=1), now)
    for one in standing.recount(session, there, course.id):
        standing.tell(session, one, course.id)


def _come_in(session: Session, held: PracticalSession) -> None:
    booked = select(Booking).where(Booking.session_id == held.id, Booking.state == BOOKED).order_by(Booking.id).limit(THERE)
    for at, booking in enumerate(session.execute(booked).scalars()):
        booking.state, booking.attended_by = ATTENDED, HAND if at % 4 == 3 else CODE
        booking.attended_at = booking.changed_at = held.starts_at + timedelta(minutes=at - 8)
    session.flush()


def _assess(session: Session, held: PracticalSession, learner_id: int, version_id: int, checklist: Checklist,
            assessors: Sequence[Account], seen_at: datetime, chance: random.Random, *, differ: bool) -> None:
    good = chance.randrange(100) >= FAILED or differ
    _say(session, held, learner_id, version_id, checklist, assessors[0], seen_at, chance, good=good)
    if differ and len(assessors) > 1 and checklist.id == held.skills[0]:
        recording.recount(session, _say(session, held, learner_id, version_id, checklist, assessors[1], seen_at, chance,
                                        good=False))


def _say(session: Session, held: PracticalSession, learner_id: int, version_id: int, checklist: Checklist, assessor: Account,
         seen_at: datetime, chance: random.Random, *, good: bool) -> Assessment:
    steps: dict[str, bool | None] = {step.id: True for step in checklist.steps}
    others = [step.id for step in checklist.steps if not step.required]
    spare = len(others) - rules.needed(len(others), checklist.others)
    for step in chance.sample(others, min(spare, chance.randrange(2))):
        steps[step] = chance.choice([False, None])
    if not good:
        steps[chance.choice([step.id for step in checklist.steps if step.required])] = False
    made = Assessment(
        ref=str(uuid7()), session_id=held.id, learner_id=learner_id, slug=held.slug, skill=checklist.id, version_id=version_id,
        assessor_id=assessor.id, steps=steps, passed=rules.passes(checklist, steps), note="" if good else chance.choice(_NOTES),
        seen_at=seen_at, received_at=seen_at)
    session.add(made)
    return made
