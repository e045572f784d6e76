"""The row that says how somebody stands is what happened, whatever the order, on both databases."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from portal.core import audit
from portal.core.db import db, transaction
from portal.identity.rights import TRAINER
from portal.training import courses_store, standing
from portal.training.certificate_models import Certificate
from portal.training.exam_models import Attempt
from portal.training.exams import attempts
from portal.training.learners import learning, own
from portal.training.models import Enrolment, Learner, LessonProgress
from portal.training.practical_models import Assessment, PracticalSession
from tests.district import DISTRICT, LIULIAN, office
from tests.training.conftest import change, content, course  # noqa: F401  (fixtures)
from tests.training.exams.conftest import clock, learner, make_learner  # noqa: F401  (fixtures)
from tests.training.exams.test_attempts import all_right
from tests.training.groups.conftest import loaded  # noqa: F401  (a fixture)
from tests.waiting import until_somebody_waits_for_a_lock

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
COMMUNITIES = (None, LIULIAN, "440310001002")
_numbers = iter(range(10_000_000))


def at(hour):
    return NOON + timedelta(hours=hour)


def row(learner_id):
    db.session.rollback()
    return db.session.get(Enrolment, (learner_id, "sample"), populate_existing=True)


def held(learner_id):
    found = row(learner_id)
    return standing.Facts(*(getattr(found, name) for name in standing.Facts.__slots__))


def new_session(trainer):
    return PracticalSession(id=uuid.uuid4(), slug="sample", skills=["cpr"], place="hall", region_code=LIULIAN, starts_at=NOON,
                            ends_at=at(3), seats=20, trainer_id=trainer.id, secret_sealed=b"s", made_at=NOON)


def assessment(learner_id, session_id, assessor, hour, passed, *, settles=False):
    return Assessment(ref=str(uuid.uuid4()), session_id=session_id, learner_id=learner_id, slug="sample", skill="cpr",
                      version_id=courses_store.current("sample")[0], assessor_id=assessor.id, steps={}, passed=passed,
                      settles=settles, seen_at=at(hour), received_at=at(hour))


def attempt(learner_id, number, percent, hour, *, passed):
    return Attempt(learner_id=learner_id, slug="sample", version_id=courses_store.current("sample")[0], number=number, seed="s",
                   drawn=[], started_at=at(hour - 1), deadline_at=at(hour), closes_at=at(hour), pass_mark=80, live_hash="",
                   ended_at=at(hour), ended_by="time", points=1.0, out_of=1, percent=percent, passed=passed, modules={})


def certificate(learner_id, hour, until):
    return Certificate(serial=uuid.uuid4().hex, learner_id=learner_id, slug="sample", issued_at=at(hour),
                       version_id=courses_store.current("sample")[0], status_index=next(_numbers), credential="c",
                       valid_until=None if until is None else at(until))


HOURS = st.integers(1, 400)
EVENTS = st.lists(st.one_of(
    st.tuples(st.just("lesson"), st.integers(0, 1), HOURS),
    st.tuples(st.just("undone"), st.integers(0, 1)),
    st.tuples(st.just("exam"), st.integers(0, 100), HOURS, st.booleans()),
    st.tuples(st.just("seen"), st.integers(0, 1), st.integers(0, 1), HOURS, st.booleans(), st.booleans()),
    st.tuples(st.just("granted"), HOURS, st.none() | HOURS),
    st.tuples(st.just("revoked"), st.integers(0, 3)),
    st.tuples(st.just("moved"), st.integers(0, 2)),
), min_size=1, max_size=12)


class Story:
    """What happened to one learner, written as rows, and retold without the database."""

    def __init__(self, trainers):
        self.learner, self.trainers = make_learner(uuid.uuid4().hex[:4]), trainers
        with transaction() as session:
            session.execute(update(Learner).where(Learner.id == self.learner).values(
                phone_index=uuid.uuid4().bytes, region_code=None))
            session.add_all(sessions := [new_session(trainers[0]), new_session(trainers[1])])
        self.sessions = [one.id for one in sessions]
        self.lessons = [one.id for one in courses_store.current("sample")[1].lessons]
        self.done, self.exams, self.seen, self.granted, self.region = {}, [], [], [], None

    def happens(self, session, event):
        kind, *what = event
        getattr(self, f"_{kind}")(session, *what)

    def _lesson(self, session, n, hour):
        self.done[n] = at(hour)
        self._progress(session, n, at(hour))

    def _undone(self, session, n):
        self.done.pop(n, None)
        self._progress(session, n, None)

    def _progress(self, session, n, when):
        session.merge(LessonProgress(learner_id=self.learner, slug="sample", lesson_id=self.lessons[n], opened_at=NOON,
                                     done_at=when))

    def _exam(self, session, percent, hour, passed):
        self.exams.append((percent, at(hour), passed))
        session.add(attempt(self.learner, len(self.exams), percent, hour, passed=passed))

    def _seen(self, session, where, who, hour, passed, settles):
        self.seen.append((at(hour), len(self.seen), where, who, passed, settles))
        session.add(assessment(self.learner, self.sessions[where], self.trainers[who], hour, passed, settles=settles))
        session.flush()

    def _granted(self, session, hour, until):
        session.add(made := certificate(self.learner, hour, until))
        session.flush()
        self.granted.append([made.id, standing.WITHOUT_END if until is None else at(until)])

    def _revoked(self, session, n):
        if n < len(self.granted):
            session.execute(update(Certificate).where(Certificate.id == self.granted[n][0]).values(revoked_at=at(500)))
            self.granted[n][1] = None

    def _moved(self, session, n):
        self.region = COMMUNITIES[n]
        session.execute(update(Learner).where(Learner.id == self.learner).values(region_code=self.region))

    def _skill(self):
        passes = []
        for where in (0, 1):
            last = {}
            for when, n, place, who, passed, settles in sorted(self.seen):
                if place == where:
                    last[who] = (when, n, passed, settles)
            deciding = [one for one in last.values() if one[3]] or list(last.values())
            if deciding and all(one[2] for one in deciding):
                passes.append(min(one[0] for one in deciding))
        return min(passes, default=None)

    def told(self):
        return standing.Facts(
            self.region, len(self.done), len(self.exams), max((one[0] for one in self.exams), default=None),
            min((one[1] for one in self.exams if one[2]), default=None), self._skill(),
            max((end for _id, end in self.granted if end is not None), default=None))


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, touched=st.lists(st.booleans(), min_size=12, max_size=12))
def test_after_any_order_of_events_the_row_is_what_happened(loaded, trainers, events, touched):  # noqa: F811
    story = Story(trainers)
    for event, touches in zip(events, touched, strict=False):
        with transaction() as session:
            story.happens(session, event)
            if touches:
                standing.touch(session, story.learner, "sample")
        if touches:
            assert held(story.learner) == story.told()
    for _twice in range(2):
        with transaction() as session:
            standing.touch_all(session, story.learner)
            standing.touch(session, story.learner, "sample")
        assert held(story.learner) == story.told()
    told, gates = story.told(), standing.gates(story.learner, "sample")
    assert gates == standing.Gates(told.theory_at is not None, told.practical_at is not None,
                                   () if told.practical_at else ("cpr",))


@pytest.fixture
def trainers(loaded):  # noqa: F811
    return [office(name, (TRAINER, DISTRICT, "blue")) for name in ("one", "two")]


def test_marks_and_exams_keep_the_row_themselves(loaded, learner, clock):  # noqa: F811
    first, second = (one.id for one in courses_store.current("sample")[1].lessons)
    learning.mark(learner, "sample", first, done=True)
    learning.mark(learner, "sample", second, done=True)
    learning.mark(learner, "sample", second, done=False)
    assert (row(learner).lessons_done, row(learner).attempts) == (1, 0)
    begun, secret = attempts.start(learner, "sample")
    assert row(learner).attempts == 0
    attempts.submit(learner, begun.id, secret, all_right(begun))
    assert (row(learner).attempts, row(learner).best_percent, row(learner).theory_at) == (1, 100, begun.ended_at)
    other = make_learner("0002")
    attempts.start(other, "sample")
    clock.forward(days=1)
    assert attempts.sweep(loaded) == 1
    assert (row(other).attempts, row(other).best_percent, row(other).theory_at) == (1, 0, None)


def test_a_course_without_an_exam_is_passed_by_its_lessons_and_one_without_checklists_needs_no_practical(
        loaded, learner, course, change):  # noqa: F811
    exam = ("exam: {minutes: 20, grace_seconds: 30, attempts: 3, wait_hours: 24, one_at_a_time: false, feedback: after_pass,"
            " draw: {fire: 5}}\npractical: [cpr]")
    change("course.yaml", exam, "practical: []")
    (course / "practical" / "cpr.yaml").unlink()
    assert courses_store.sync()[0].new
    lessons = [one.id for one in courses_store.current("sample")[1].lessons]
    learning.mark(learner, "sample", lessons[0], done=True)
    assert standing.gates(learner, "sample") == standing.Gates(theory=False, practical=True, skills_open=())
    learning.mark(learner, "sample", lessons[1], done=True)
    done = [db.session.get(LessonProgress, (learner, "sample", one)).done_at for one in lessons]
    assert (row(learner).theory_at, row(learner).practical_at) == (max(done), None)
    assert standing.gates(learner, "sample") == standing.Gates(theory=True, practical=True, skills_open=())


def test_what_two_did_at_once_is_both_in_the_row(loaded, learner, database_url):  # noqa: F811
    lessons = [one.id for one in courses_store.current("sample")[1].lessons]
    failed = []

    def other():
        try:
            with loaded.app_context():
                learning.mark(learner, "sample", lessons[1], done=True)
        except Exception as error:  # told by the test, which a thread cannot fail
            failed.append(error)

    second = threading.Thread(target=other)
    with transaction() as session:
        session.add(LessonProgress(learner_id=learner, slug="sample", lesson_id=lessons[0], opened_at=NOON, done_at=NOON))
        standing.touch(session, learner, "sample")
        second.start()
        until_somebody_waits_for_a_lock(database_url)
    second.join(60)
    assert not failed
    assert row(learner).lessons_done == 2


def test_what_follows_is_done_once_a_touch_and_its_failure_undoes_only_itself(loaded, learner, monkeypatch):  # noqa: F811
    called = Counter()

    def touches_again(session, learner_id, slug):
        called["again"] += 1
        standing.touch(session, learner_id, slug)

    def fails(session, learner_id, slug):
        called["fails"] += 1
        audit.append(session, audit.SYSTEM, "test.half", "learner:1")
        raise RuntimeError("a hook")

    monkeypatch.setattr(standing, "AFTER_TOUCH", [fails, touches_again])
    first = next(courses_store.current("sample")[1].lessons).id
    learning.mark(learner, "sample", first, done=True)
    assert called == {"again": 1, "fails": 1}
    assert row(learner).lessons_done == 1
    assert db.session.query(audit.AuditEntry).filter_by(action="test.half").count() == 0
    with transaction() as session:
        audit.append(session, audit.SYSTEM, "test.whole", "learner:1")
    assert list(audit.verify(db.session)) == []


def test_nobody_is_enrolled_in_what_was_never_loaded_nor_after_leaving(loaded, learner):  # noqa: F811
    with transaction() as session:
        standing.touch(session, learner, "unknown")
        standing.touch(session, learner + 999, "sample")
    assert db.session.query(Enrolment).count() == 0
    assert standing.gates(learner, "unknown") == standing.Gates(theory=False, practical=False, skills_open=())


def test_handing_in_costs_few_statements_far_from_a_certificate_also_in_a_course_of_responders(make_app, content):  # noqa: F811
    app, asked = make_app(content=content, surfaces=("hooks",), responder_courses=("sample",)), []
    with app.app_context():
        courses_store.sync()
        learner_id = make_learner()
        with transaction() as session:
            own.set_name(session, session.get(Learner, learner_id), "张三")
        sitting, secret = attempts.start(learner_id, "sample")
        said = all_right(sitting)
        sqlalchemy.event.listen(db.engine, "before_cursor_execute", lambda _c, _cursor, said, *_more: asked.append(said))
        attempts.submit(learner_id, sitting.id, secret, said)
    answers = sum("INSERT INTO exam_answer" in one for one in asked)
    assert answers == len(said)
    assert len(asked) - answers <= 28  # each hand-in of hundreds waits for those before it
