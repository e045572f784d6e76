"""Practical sessions of the demonstration: past, going on, to come, one that is full, one that was called off.

The people are invented, and have numbers that nobody can have. When all sessions are past, the next start plans new ones.
"""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import from_local, local, utcnow
from portal.core.db import transaction, uuid7
from portal.core.phones import PhoneBook
from portal.identity.listing import holders
from portal.identity.models import Account
from portal.identity.rights import TRAINER
from portal.regions import lookup
from portal.subscribers.demo import number
from portal.training import courses_store, standing
from portal.training.content.values import Course
from portal.training.exam_models import HANDED_IN, Attempt
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, CANCELLED, PLANNED, WAITING, Booking, PracticalSession
from portal.training.practicals import sessions, store

Step = Callable[[str, str], AbstractContextManager[None]]

COURSE = "first-responder"
#: The first number of the demonstration's people of practical sessions, and how many they are.
FIRST_NUMBER, PEOPLE = 60_000, 36
_SURNAMES, _NAMES = "赵钱孙李周吴郑王冯", ("一帆", "小满", "知夏", "秋实")


@dataclass(frozen=True, slots=True)
class Sample:
    """`day`: from today on; None begins half an hour ago. `skills`: how many of the course's. `booked`, `waiting`: how
    many people. `off`: why it was called off."""

    day: int | None
    begins: int
    hours: int
    place: str
    community: int
    seats: int
    booked: int
    waiting: int = 0
    skills: int | None = None
    note: str = ""
    off: str = ""


SAMPLES = (
    Sample(-16, 14, 3, "区应急培训中心 2 楼实训室", 0, 20, 18),
    Sample(-6, 9, 3, "坑梓文化科技中心一楼", 6, 16, 12, skills=3),
    Sample(None, 0, 4, "区应急培训中心 2 楼实训室", 0, 20, 14, note="请穿便于活动的衣裤，自带饮用水。"),
    Sample(1, 9, 3, "马峦街道党群服务中心", 3, 8, 8, 3, note="停车位有限，建议乘公交前往。"),
    Sample(4, 14, 3, "区应急培训中心 2 楼实训室", 0, 20, 9),
    Sample(5, 9, 3, "龙田街道体育馆", 9, 20, 6, off="场地停电检修。"),
    Sample(9, 19, 2, "坪山中心公园东门广场（夜间场）", 1, 24, 2, skills=3),
    Sample(15, 9, 6, "石井社区综合服务站", 12, 30, 0),
)


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    loaded, now = courses_store.current(COURSE), utcnow()
    communities = lookup.communities_under([current_settings().district])
    trainers = holders(TRAINER, [communities[0]], "white") if communities else []
    if loaded is None or not loaded[1].checklists or not trainers or store.listing(now, limit=1).rows:
        return
    first = not store.listing(now, past=True, limit=1).rows
    with step("实操场次、预约和候补名单", "practical sessions with bookings and a waiting list"):
        with transaction() as session:
            learners = _learners(session, loaded[0], loaded[1], communities, now)
        with transaction() as session:
            for sample in SAMPLES:
                if first or sample.day is None or sample.day >= 0:
                    _session(session, sample, loaded[1], communities, trainers, learners, now)


def _learners(session: Session, version_id: int, course: Course, communities: Sequence[str], now: datetime) -> list[int]:
    """People who passed the theory."""
    book: PhoneBook = current_app.extensions["phones"]
    names = [surname + name for name, surname in itertools.product(_NAMES, _SURNAMES)][:PEOPLE]
    found, new = list[int](), list[int]()
    for at, name in enumerate(names):
        phone = number(FIRST_NUMBER + at)
        row = session.execute(select(Learner).where(Learner.phone_index == book.index(phone))).scalar_one_or_none()
        if row is None:
            row = Learner(phone_sealed=book.seal(phone), phone_index=book.index(phone), tail=phone[-4:], language="zh",
                          region_code=communities[at % len(communities)], joined_at=now - timedelta(days=60), seen_at=now)
            session.add(row)
            session.flush()
            row.name_sealed = own.sealed(row.id, name)
            session.add(_passed(row.id, version_id, course, now - timedelta(days=30 + at % 7)))
            new.append(row.id)
        found.append(row.id)
    for one in standing.recount(session, new, course.id):
        standing.tell(session, one, course.id)
    return found


def _passed(learner_id: int, version_id: int, course: Course, at: datetime) -> Attempt:
    """An exam that somebody passed; what was asked in it is not invented, and so it is in no figures."""
    questions = course.exam.questions if course.exam else 0
    return Attempt(learner_id=learner_id, slug=course.id, version_id=version_id, number=1, seed=secrets.token_hex(16), drawn=[],
                   started_at=at - timedelta(minutes=40), deadline_at=at, closes_at=at, pass_mark=course.pass_mark, live_hash="-",
                   ended_at=at, ended_by=HANDED_IN, points=float(questions), out_of=questions, percent=100, passed=True,
                   modules={}, counted=True)


def _session(session: Session, sample: Sample, course: Course, communities: Sequence[str], trainers: Sequence[Account],
             learners: Sequence[int], now: datetime) -> None:
    starts = _starts(sample, now)
    region = communities[sample.community % len(communities)]
    may = holders(TRAINER, [region], "white") or trainers
    ids = [one.id for one in course.checklists][:sample.skills]
    point = _point(region)
    plan = sessions.Plan(slug=course.id, skills=tuple(ids), place=sample.place, region_code=region, lon=point[0], lat=point[1],
                         starts_at=starts, ends_at=starts + timedelta(hours=sample.hours), seats=sample.seats,
                         trainer_id=may[sample.seats % len(may)].id, note=sample.note)
    row = PracticalSession(id=uuid7(), state=CANCELLED if sample.off else PLANNED, version=2 if sample.off else 1,
                           made_at=min(now, starts) - timedelta(days=20), cancelled_because=sample.off)
    sessions.fill(row, plan)
    session.add(row)
    session.flush()
    chance = random.Random(sample.place + str(sample.day))  # noqa: S311  (invented people)
    people = chance.sample(list(learners), sample.booked + sample.waiting)
    for at, learner_id in enumerate(people):
        asked = row.made_at + timedelta(hours=3 * at + 1)
        state = _state(at, sample, row, now)
        session.add(Booking(session_id=row.id, learner_id=learner_id, state=state, asked_at=asked, changed_at=asked,
                            reminded_at=starts - timedelta(hours=2) if starts <= now else None,
                            attended_at=starts if state == ATTENDED else None, attended_by="code" if state == ATTENDED else ""))


def _state(at: int, sample: Sample, row: PracticalSession, now: datetime) -> str:
    if at >= sample.booked:
        return WAITING
    if row.ends_at <= now:
        return ABSENT if at % 8 == 5 else ATTENDED
    return BOOKED


def _starts(sample: Sample, now: datetime) -> datetime:
    zone = current_settings().timezone
    if sample.day is None:
        begun = now - timedelta(minutes=30)
        return begun - timedelta(minutes=begun.minute % 30, seconds=begun.second, microseconds=begun.microsecond)
    today = local(now, zone).replace(hour=sample.begins, minute=0, second=0, microsecond=0, tzinfo=None)
    return from_local(today + timedelta(days=sample.day), zone)


def _point(region: str) -> tuple[float, float] | tuple[None, None]:
    """The middle of the community, where that lies in it."""
    box = lookup.box(region)
    if box is None:
        return None, None
    lon, lat = round((box[0] + box[2]) / 2, 5), round((box[1] + box[3]) / 2, 5)
    return (lon, lat) if lookup.at_point(lon, lat) == region else (None, None)

