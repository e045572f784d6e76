"""A district with trainers, a course that was loaded, learners who passed its theory, and sessions."""

from __future__ import annotations

import itertools
import shutil
from datetime import timedelta

import pytest

from portal import create_app
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.identity.rights import TRAINER, VIEWER
from portal.training import courses_store
from portal.training.exam_models import HANDED_IN, Attempt
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import Booking
from portal.training.practicals import sessions
from portal.training.practicals.sessions import Plan
from tests import district
from tests.desk.conftest import seat  # noqa: F401  (a browser at the desk)
from tests.training.conftest import content  # noqa: F401  (the same fixture as courses have)

_numbers = itertools.count(1)


def pass_theory(learner_id, slug="sample"):
    """An exam that was passed."""
    now, (version_id, _course) = utcnow(), courses_store.current(slug)
    with transaction() as session:
        session.add(Attempt(learner_id=learner_id, slug=slug, version_id=version_id, number=1, seed="s", drawn=[], started_at=now,
                            deadline_at=now, closes_at=now, pass_mark=80, live_hash="h", ended_at=now, ended_by=HANDED_IN,
                            points=5, out_of=5, percent=100, passed=True, modules={}))


def new_learner(app, name="张伟", *, theory=True, language="zh", region=None):
    number = f"+86129{next(_numbers):08}"
    book = app.extensions["phones"]
    with transaction() as session:
        row = Learner(phone_sealed=book.seal(number), phone_index=book.index(number), tail=number[-4:], language=language,
                      region_code=region, joined_at=utcnow(), seen_at=utcnow())
        session.add(row)
        session.flush()
        if name:
            own.set_name(session, row, name)
    if theory:
        pass_theory(row.id)
    return row


def states(session_id):
    """Learner → state, as the database has it now."""
    db.session.rollback()
    return {one.learner_id: one.state for one in db.session.query(Booking).filter_by(session_id=session_id)}


def plan(trainer, **changes):
    starts = changes.pop("starts_at", utcnow().replace(second=0, microsecond=0) + timedelta(days=3))
    return Plan(**({"slug": "sample", "skills": ("cpr",), "place": "区应急培训中心 2 楼", "region_code": district.LIULIAN,
                    "lon": None, "lat": None, "starts_at": starts, "ends_at": starts + timedelta(hours=3), "seats": 2,
                    "trainer_id": trainer.id, "note": ""} | changes))


@pytest.fixture
def school(make_app, content):  # noqa: F811
    app = make_app(content=content)
    with app.app_context():
        district.settle_regions()
        courses_store.sync()
        yield app


@pytest.fixture
def school_on_sqlite(tmp_path, content, sqlite_template):  # noqa: F811
    """For what asks nothing particular of the database: a module that takes it for `school` runs once."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, public_url="http://localhost", content=content))
    app.testing = True
    with app.app_context():
        district.settle_regions()
        courses_store.sync()
        yield app
        db.engine.dispose()


@pytest.fixture
def trainer(school):
    return district.office("trainer", (TRAINER, district.DISTRICT, "red"))


@pytest.fixture
def stranger(school):
    return district.office("kengzi", (TRAINER, district.KENGZI, "red"))


@pytest.fixture
def viewer(school):
    return district.office("viewer", (VIEWER, district.DISTRICT, "red"))


@pytest.fixture
def publish(trainer):
    return lambda **changes: sessions.publish(trainer, plan(trainer, **changes))


@pytest.fixture
def learners(school):
    """`learners(3)`: people who may book."""
    return lambda count=1, **facts: [new_learner(school, **facts) for _n in range(count)]


@pytest.fixture
def settled(school):
    """What `seat` of the desk's tests stands on."""
    return school
