"""Learners who have passed what a course asks, in as few rows as that needs."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask import current_app

from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.identity.models import Account
from portal.training import courses_store, standing
from portal.training.exam_models import HANDED_IN, Attempt
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import Assessment, PracticalSession

SLUG = "sample"


def learner(number: int = 1, name: str | None = "王小明", region: str | None = "440310001001") -> int:
    book, phone = current_app.extensions["phones"], f"+86129000{number:05}"
    with transaction() as session:
        row = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:], language="zh",
                      region_code=region, joined_at=utcnow(), seen_at=utcnow())
        session.add(row)
        session.flush()
        if name is not None:
            row.name_sealed = own.sealed(row.id, name)
    return row.id


def pass_exam(learner_id: int, at: datetime | None = None) -> None:
    """An exam that was handed in and passed, and what follows from it."""
    at, (version_id, _course) = at or utcnow(), courses_store.current(SLUG)
    with transaction() as session:
        session.add(Attempt(learner_id=learner_id, slug=SLUG, version_id=version_id, number=1, seed="0", drawn=[], started_at=at,
                            deadline_at=at, closes_at=at, pass_mark=80, live_hash="", ended_at=at, ended_by=HANDED_IN, points=1,
                            out_of=1, percent=100, passed=True, modules={}, counted=True))
        session.flush()
        standing.touch(session, learner_id, SLUG)


def pass_skill(learner_id: int, at: datetime | None = None, skill: str = "cpr") -> None:
    """A skill that somebody saw, and what follows from it."""
    at, (version_id, _course) = at or utcnow(), courses_store.current(SLUG)
    with transaction() as session:
        account = session.query(Account).first() or _account(session)
        held = PracticalSession(id=uuid.uuid4(), slug=SLUG, skills=[skill], place="x", region_code="440310001001", starts_at=at,
                                ends_at=at, seats=9, trainer_id=account.id, secret_sealed=b"x", made_at=at)
        session.add(held)
        session.flush()
        session.add(Assessment(ref=str(uuid.uuid4()), session_id=held.id, learner_id=learner_id, slug=SLUG, skill=skill,
                               version_id=version_id, assessor_id=account.id, steps={}, passed=True, seen_at=at, received_at=at))
        session.flush()
        standing.touch(session, learner_id, SLUG)


def certified(number: int = 1, name: str = "王小明", region: str | None = "440310001001", at: datetime | None = None) -> int:
    made = learner(number, name, region)
    pass_exam(made, at)
    pass_skill(made, at)
    db.session.rollback()
    return made


def _account(session):
    account = Account(id=uuid7(), username="assessor", display_name="assessor", password=None, active=True,
                      fs_uniquifier="assessor", created_at=utcnow(), duties=[])
    session.add(account)
    session.flush()
    return account
