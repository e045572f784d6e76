"""Certificates of the demonstration, in every state that there is. The people are invented, and have numbers that nobody can
have."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.phones import PhoneBook
from portal.identity.listing import holders
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.regions import lookup
from portal.subscribers.demo import number
from portal.training import courses_store, standing
from portal.training.certificates import issue
from portal.training.content.values import Course
from portal.training.exam_models import HANDED_IN, Attempt
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import Assessment, PracticalSession
from portal.training.practicals import sessions

Step = Callable[[str, str], AbstractContextManager[None]]

COURSE = "first-responder"
#: The first number of these people: those before belong to other rooms' demonstrations.
FIRST_NUMBER = 80_000
#: Name, and how many days ago the certificate was granted: holding, ending soon, over.
PEOPLE = (("周晓岚", 12), ("吴思远", 25), ("郑雨桐", 40), ("冯子墨", 66), ("褚若溪", 91), ("卫知夏", 120), ("蒋一帆", 150),
          ("沈秋实", 200), ("韩小满", 280), ("Maria Fernandes", 310), ("王𠮷安", 33), ("杨思远", 690), ("朱雨桐", 702),
          ("秦子墨", 715), ("尤若溪", 724), ("许知夏", 760), ("何一帆", 840))
#: Names on certificates that something happened to.
REVOKED, WRITTEN_WRONG, WRITTEN_RIGHT, RENEWED = "吕秋实", "施小漫", "施小满", "张晓岚"


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    loaded = courses_store.current(COURSE)
    district = current_settings().district
    communities = lookup.communities_under([district])
    trainers = holders(TRAINER, [district], "white") if communities else []
    if loaded is None or loaded[1].exam is None or not trainers:
        return
    book: PhoneBook = current_app.extensions["phones"]
    if db.session.execute(select(Learner.id).where(Learner.phone_index == book.index(number(FIRST_NUMBER)))).first() is not None:
        return
    with step("各种状态的证书", "certificates in every state"):
        _fill(trainers[0], communities, loaded[0], loaded[1])


def _fill(trainer: Account, communities: Sequence[str], version_id: int, course: Course) -> None:
    people = [*PEOPLE, (REVOKED, 80), (WRITTEN_WRONG, 20), (RENEWED, 700)]
    numbers = {}
    with transaction() as session:
        for n, (name, days) in enumerate(people):
            at = utcnow() - timedelta(days=days, hours=n % 7)
            learner = _learner(session, n, name, communities[n % len(communities)], at)
            _passed(session, learner, trainer, version_id, course, at)
            numbers[name] = issue.enter(session, learner, version_id, at).serial, learner.id
    issue.revoke(trainer, numbers[REVOKED][0], "由他人代考，经核实后撤销")
    issue.reissue(trainer, numbers[WRITTEN_WRONG][0], WRITTEN_RIGHT)
    with transaction() as session:  # passes once more what a renewal asks for, which renews it at once
        again = session.get_one(Learner, numbers[RENEWED][1])
        _passed(session, again, trainer, version_id, course, utcnow() - timedelta(days=3), count=2)
        standing.touch(session, again.id, course.id)


def _learner(session: Session, n: int, name: str, community: str, at: datetime) -> Learner:
    book: PhoneBook = current_app.extensions["phones"]
    phone = number(FIRST_NUMBER + n)
    row = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:],
                  language="zh" if not name.isascii() else "en", region_code=community, joined_at=at - timedelta(days=60),
                  seen_at=at, on_call_at=at if n % 2 else None)
    session.add(row)
    session.flush()
    row.name_sealed = own.sealed(row.id, name)
    return row


def _passed(session: Session, learner: Learner, trainer: Account, version_id: int, course: Course, at: datetime, *,
            count: int = 1) -> None:
    """The exam and the skills that were passed before the certificate."""
    session.add(_attempt(learner.id, version_id, course, count, at - timedelta(days=9)))
    held = PracticalSession(id=uuid7(), made_at=at - timedelta(days=20))
    sessions.fill(held, sessions.Plan(
        slug=course.id, skills=tuple(one.id for one in course.checklists), place="区应急培训中心 2 楼实训室",
        region_code=learner.region_code or "", lon=None, lat=None, starts_at=at - timedelta(hours=5),
        ends_at=at - timedelta(hours=2), seats=20, trainer_id=trainer.id, note=""))
    session.add(held)
    session.flush()
    for one in course.checklists:
        session.add(Assessment(ref=str(uuid7()), session_id=held.id, learner_id=learner.id, slug=course.id, skill=one.id,
                               version_id=version_id, assessor_id=trainer.id, steps={step.id: True for step in one.steps},
                               passed=True, seen_at=at - timedelta(hours=3), received_at=at - timedelta(hours=3)))
    session.flush()


def _attempt(learner_id: int, version_id: int, course: Course, count: int, at: datetime) -> Attempt:
    """An exam; what was asked in it is not invented, and so it is in no figures."""
    questions = course.exam.questions if course.exam else 0
    return Attempt(learner_id=learner_id, slug=course.id, version_id=version_id, number=count, seed=secrets.token_hex(16),
                   drawn=[], started_at=at - timedelta(minutes=40), deadline_at=at, closes_at=at, pass_mark=course.pass_mark,
                   live_hash="-", ended_at=at, ended_by=HANDED_IN, points=questions * 0.92, out_of=questions, percent=92,
                   passed=True, modules={}, counted=True)
