"""Cohorts of the demonstration: people in all states, from one who has not begun to one with a certificate.

The people are invented, and have numbers that nobody can have. What each has done is written as it happens in life; how each
stands, and whose certificate is due, follows from it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.phones import PhoneBook
from portal.identity.listing import holders
from portal.identity.rights import TRAINER
from portal.regions import lookup
from portal.subscribers.demo import number
from portal.training import courses_store, standing
from portal.training.content.values import Course
from portal.training.exam_models import HANDED_IN, Attempt
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups.results import held_elsewhere
from portal.training.learners import own
from portal.training.models import Learner, LessonProgress
from portal.training.practical_models import Assessment

Step = Callable[[str, str], AbstractContextManager[None]]

COURSE = "first-responder"
#: The first number of these people: those before belong to other rooms' demonstrations.
FIRST_NUMBER = 70_000


@dataclass(frozen=True, slots=True)
class State:
    """How far somebody is: share of the lessons that are done, marks of the exams so far, share of the skills that were passed
    and of those that were seen."""

    lessons: float
    marks: tuple[int, ...] = ()
    skills: float = 0
    seen: float = 0
    named: bool = True


STATES = (
    State(0), State(0.2), State(0.6), State(1), State(1, (58,)), State(1, (58, 71)), State(1, (41, 66, 74)), State(1, (64, 85)),
    State(1, (92,), 0.4, 0.4), State(1, (88,), 0.6, 1), State(1, (96,), 1, 1), State(1, (83,), 1, 1),
    State(1, (90,), 1, 1, named=False))
#: Name, kind of place, place of the community among the district's, and how many people.
SAMPLES = (("坪山中学高一应急社团（演示）", "school", 0, 26), ("坪山工业园安全员班（演示）", "enterprise", 5, 15),
           ("六联社区志愿者队（演示）", "community", 0, 13), ("坪山大道商圈物业班（演示）", "mall", 8, 9),
           ("十六号线站务班（演示）", "metro", 11, 9), ("区图书馆志愿者（演示）", "other", 2, 6))
_SURNAMES, _NAMES = "陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金", ("晓岚", "思远", "雨桐", "子墨", "若溪")


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    loaded = courses_store.current(COURSE)
    communities = lookup.communities_under([current_settings().district])
    trainers = holders(TRAINER, [current_settings().district], "white") if communities else []
    there = db.session.execute(select(Cohort.id).where(Cohort.name == SAMPLES[0][0])).first()
    if loaded is None or not trainers or there is not None:
        return
    with step("班组、名单和成绩册", "cohorts with people in all states"):
        first = 0
        for name, kind, place, people in SAMPLES:
            with transaction() as session:
                community = communities[place % len(communities)]
                cohort = Cohort(name=name, kind=kind, region_code=community, slug=COURSE, made_at=utcnow() - timedelta(days=50))
                session.add(cohort)
                session.flush()
                came = [_person(session, cohort, n, loaded[0], loaded[1]) for n in range(first, first + people)]
                _skills(session, cohort, came, loaded[0], loaded[1], trainers[0].id)
                begun = [learner_id for learner_id, state in came if state.lessons]
                for learner_id in standing.recount(session, begun, COURSE):
                    standing.tell(session, learner_id, COURSE)
            first += people


def _person(session: Session, cohort: Cohort, n: int, version_id: int, course: Course) -> tuple[int, State]:
    book: PhoneBook = current_app.extensions["phones"]
    phone, state, began = number(FIRST_NUMBER + n), STATES[n % len(STATES)], utcnow() - timedelta(days=45 - n % 7)
    learner = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:], language="zh",
                      region_code=cohort.region_code, joined_at=cohort.made_at, seen_at=began)
    session.add(learner)
    session.flush()
    if state.named:
        learner.name_sealed = own.sealed(learner.id, _SURNAMES[n % len(_SURNAMES)] + _NAMES[n % len(_NAMES)])
    session.add(CohortMember(cohort_id=cohort.id, learner_id=learner.id, number=f"{2026000 + n}", added_at=cohort.made_at))
    _lessons(session, learner.id, course, state, began)
    for at, mark in enumerate(state.marks):
        session.add(_attempt(learner.id, version_id, course, at + 1, mark, began + timedelta(days=10 + 3 * at)))
    return learner.id, state


def _lessons(session: Session, learner_id: int, course: Course, state: State, began: datetime) -> None:
    ids = [lesson.id for lesson in course.lessons]
    for at, lesson in enumerate(ids[:round(len(ids) * state.lessons)]):
        when = began + timedelta(hours=6 * at)
        session.add(LessonProgress(learner_id=learner_id, slug=course.id, lesson_id=lesson, opened_at=when, done_at=when))


def _attempt(learner_id: int, version_id: int, course: Course, at: int, mark: int, ended: datetime) -> Attempt:
    """An exam; what was asked in it is not invented, and so it is in no figures of questions."""
    questions = course.exam.questions if course.exam else 0
    return Attempt(learner_id=learner_id, slug=course.id, version_id=version_id, number=at, seed=secrets.token_hex(16), drawn=[],
                   started_at=ended - timedelta(minutes=40), deadline_at=ended, closes_at=ended, pass_mark=course.pass_mark,
                   live_hash="-", ended_at=ended, ended_by=HANDED_IN, points=questions * mark / 100, out_of=questions,
                   percent=mark, passed=mark >= course.pass_mark, modules={}, counted=True)


def _skills(session: Session, cohort: Cohort, came: Sequence[tuple[int, State]], version_id: int, course: Course,
            trainer_id: object) -> None:
    names, day = [one.id for one in course.checklists], utcnow() - timedelta(days=12)
    session.flush()
    if not any(state.seen for _learner_id, state in came):
        return
    held = held_elsewhere(session, cohort, trainer_id, day, names)
    held.seats = len(came)
    for learner_id, state in came:
        for at, skill in enumerate(names[:round(len(names) * state.seen)]):
            session.add(Assessment(ref=str(uuid7()), session_id=held.id, learner_id=learner_id, slug=course.id, skill=skill,
                                   version_id=version_id, assessor_id=trainer_id, steps={},
                                   passed=at < round(len(names) * state.skills), seen_at=held.starts_at, received_at=day))
    session.flush()
