"""A session that is going on, trainers of its street, and learners who passed the exam in theory."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from flask_babel import force_locale

from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.identity.rights import TRAINER
from portal.training import course_codec, courses_store, standing
from portal.training.assessing import recording
from portal.training.assessing.rules import DISPUTED
from portal.training.content import reader
from portal.training.learners import own
from portal.training.models import CourseVersion, Learner
from portal.training.practical_models import ATTENDED, BOOKED, Booking, PracticalSession
from tests import district
from tests.training.conftest import CONTENT, SAMPLE

STEPS = {"safe-scene": True, "call": True}


@pytest.fixture
def school(make_app):
    """The application with the sample course, whose one skill is `cpr`."""
    app = make_app(content=CONTENT, sms_provider="sandbox")
    app.extensions["sms_courier"] = lambda work: work()
    with app.app_context():
        load()
        yield app


@cache
def _sample() -> tuple[str, dict[str, Any]]:
    course = reader.read(SAMPLE).course
    assert course is not None
    return course.version, course_codec.write(course)


def load() -> None:
    """Regions and the sample course, which is read from its files once for all tests."""
    district.settle_regions()
    version, data = _sample()
    with transaction() as session:
        session.add(CourseVersion(slug="sample", version=version, sha256="0" * 64, data=data, loaded_at=utcnow()))


@pytest.fixture
def english(school):
    """Refusals in English, for tests that ask for none by a browser."""
    with force_locale("en"):
        yield


@pytest.fixture
def version(school) -> int:
    return courses_store.current("sample")[0]


@pytest.fixture
def passed(monkeypatch) -> set[int]:
    """Learners who passed the exam in theory."""
    ids: set[int] = set()
    monkeypatch.setattr(standing, "gates", lambda learner_id, slug: standing.Gates(learner_id in ids, False, ("cpr",)))
    return ids


@pytest.fixture
def trainer(school):
    return district.office("trainer", (TRAINER, district.DISTRICT, "red"))


@pytest.fixture
def second(school):
    return district.office("second", (TRAINER, district.PINGSHAN, "red"))


@pytest.fixture
def third(school):
    return district.office("third", (TRAINER, district.PINGSHAN, "red"))


@pytest.fixture
def stranger(school):
    return district.office("stranger", (TRAINER, district.KENGZI, "red"))


def make_session(trainer_id: uuid.UUID, *, starts: datetime | None = None, hours: float = 3, seats: int = 2) -> PracticalSession:
    starts = starts or utcnow() - timedelta(minutes=30)
    with transaction() as session:
        held = PracticalSession(id=uuid7(), slug="sample", skills=["cpr"], place="社区活动室", region_code=district.LIULIAN,
                                starts_at=starts, ends_at=starts + timedelta(hours=hours), seats=seats, trainer_id=trainer_id,
                                secret_sealed=uuid7().bytes * 3, made_at=utcnow())
        session.add(held)
    return held


@pytest.fixture
def held(trainer) -> PracticalSession:
    return make_session(trainer.id)


@pytest.fixture
def people(school) -> Callable[..., Learner]:
    """`people(3, "王一")`: a learner with the phone +8612900000003, and a name."""
    book = school.extensions["phones"]

    def make(number: int, name: str = "") -> Learner:
        phone = f"+861290000{number:04}"
        with transaction() as session:
            learner = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:], language="zh",
                              joined_at=utcnow(), seen_at=utcnow())
            session.add(learner)
            session.flush()
            if name:
                own.set_name(session, learner, name)
        return learner
    return make


def seat(held: PracticalSession, learner: Learner, state: str = BOOKED) -> Booking:
    now = utcnow()
    with transaction() as session:
        booking = Booking(session_id=held.id, learner_id=learner.id, state=state, asked_at=now, changed_at=now,
                          attended_at=now if state == ATTENDED else None, attended_by="hand" if state == ATTENDED else "")
        session.add(booking)
    return booking


def state_of(booking: Booking) -> str:
    db.session.rollback()
    return db.session.get(Booking, booking.id, populate_existing=True).state


@pytest.fixture
def there(held, people) -> Learner:
    """Somebody who is at the session."""
    learner = people(1, "王一")
    seat(held, learner, ATTENDED)
    return learner


def seen(held: PracticalSession, learner: Learner, version: int, *, ref: str = "", minute: float = 0,
         **changes: object) -> recording.Seen:
    """What somebody saw, `minute` minutes after the session began: by default everything done well."""
    values = {"ref": ref or str(uuid7()), "session_id": held.id, "learner_id": learner.id, "skill": "cpr", "version_id": version,
              "steps": STEPS, "note": "", "seen_at": held.starts_at + timedelta(minutes=minute)}
    return recording.Seen(**(values | changes))


@pytest.fixture
def dispute(held, there, trainer, second, version):
    recording.record(trainer, [seen(held, there, version, minute=10)])
    (outcome,) = recording.record(second, [seen(held, there, version, minute=12, steps={"safe-scene": True, "call": None})])
    assert outcome.state.state == DISPUTED
