"""Figures of the demonstration: what invented people would have answered, and responders in each community.

The answers themselves are not invented, only what would be left of them: the sums of the questions. Responders are some of the
demonstration's subscribers, with certificates without a name and a credential, as of somebody who left.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import numpy as np
from flask import current_app
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.phones import PhoneBook
from portal.regions import lookup
from portal.subscribers.demo import people
from portal.subscribers.store import NewSubscriber
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import serial
from portal.training.content.values import MULTIPLE, Choice, Course, Hotspot, Question
from portal.training.figures import folding, responders
from portal.training.figures.folding import centred
from portal.training.figures.measures import FEWEST
from portal.training.group_models import Cohort, CohortMember, QuestionFigure
from portal.training.models import Enrolment, Learner

Step = Callable[[str, str], AbstractContextManager[None]]

COURSE = "first-responder"
PEOPLE = 900
#: Places in the exam's banks, counted from the first question, of those that something is wrong with.
MISLEADING, EASY, HARD, WEAK, BLANK, RARE = (4, 97), (11, 60), (23,), (31, 75, 120), (42,), (150, 151, 152)
#: What share of its need a community has, one after the other; above 1 is more than enough.
SHARES = (0.42, 0.18, 0.71, 1.06, 1.3, 0.0, 0.55, 1.1, 0.31, 0.64, 0.09, 0.83, 2.0, 1.02, 0.47, 1.0)
AGREED, ENDING = 0.4, 0.12
SUBSCRIBERS = 20_000  # of whom some are chosen
MANY = 100  # certificates without a credential that only this file leaves
#: Kind of place → its group, and one of how many responders belongs to it.
GROUPS = {"school": ("坪山区中小学校医与班主任班（演示）", 9), "mall": ("坪山商圈物业安保班（演示）", 21),
          "metro": ("地铁坪山段站务班（演示）", 33),
          "enterprise": ("高新区企业安全员班（演示）", 6), "community": ("社区志愿者班（演示）", 4)}
_PLACES = 1_000_000  # in the public list of revocations, from here on what others left free


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    loaded = courses_store.current(COURSE)
    if loaded is None or loaded[1].exam is None:
        return
    version_id, course = loaded
    if (db.session.scalar(select(func.max(QuestionFigure.n))) or 0) < FEWEST:
        with step("题目质量数据", "figures of questions"), transaction() as session:
            _questions(session, course)
    if (db.session.scalar(select(func.count()).select_from(Certificate).where(Certificate.credential == "")) or 0) < MANY:
        with step("各社区的第一响应人", "first responders of each community"), transaction() as session:
            _responders(session, version_id, course)
    responders.keep_count()


def _book() -> PhoneBook:
    book: PhoneBook = current_app.extensions["phones"]
    return book


# -- questions ---------------------------------------------------------------------------------------------------------------
def _questions(session: Session, course: Course) -> None:
    """Each person has an ability, each question a difficulty; whoever has more of the one than the other likely wins it."""
    chance = np.random.default_rng(20_261_125)
    ability = chance.normal(size=PEOPLE)
    rest = 1 / (1 + np.exp(-(ability + 1.0))) + chance.normal(scale=0.06, size=PEOPLE)
    questions = [one for module in course.modules for one in module.questions if one.fits_exam]
    sums, choices = {}, dict[tuple[str, str, int, int], int]()
    for at, question in enumerate(questions):
        n = 17 if at in RARE else int(chance.integers(PEOPLE // 3, PEOPLE))
        won, blank = _won(chance, at, question, ability[:n])
        y = rest[:n]
        raw = (won.sum(), y.sum(), (won * won).sum(), (y * y).sum(), (won * y).sum())
        sums[course.id, question.id, question.rev] = centred(n, int(blank.sum()), *map(float, raw))
        choices |= _choices(chance, course, question, won, blank)
    folding.write_sums(session, sums)
    folding.write_choices(session, choices)


def _won(chance: np.random.Generator, at: int, question: Question, ability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points 0 or 1 of each, and who left it blank."""
    hard, told = 0.6 * question.difficulty - 2.2, 1.0
    if at in MISLEADING:
        hard, told = 0.3, -0.8
    elif at in EASY:
        hard = -5.0
    elif at in HARD:
        hard = 2.6
    elif at in WEAK:
        hard, told = -0.5, 0.25
    won = (chance.random(len(ability)) < 1 / (1 + np.exp(-told * ability + hard))).astype(float)
    blank = chance.random(len(ability)) < (0.16 if at in BLANK else 0.01)
    won[blank] = 0.0
    return won, blank


def _choices(chance: np.random.Generator, course: Course, question: Question, won: np.ndarray,
             blank: np.ndarray) -> dict[tuple[str, str, int, int], int]:
    if isinstance(question, Choice):
        rights = [option.right for option in question.options]
    elif isinstance(question, Hotspot):
        rights = [area.right for area in question.areas]
    else:
        return {}
    wrong = int((won == 0).sum() - blank.sum())
    shares = chance.dirichlet([1.5] * max(1, rights.count(False)))
    others = iter(np.floor(shares * wrong).astype(int).tolist())
    several = isinstance(question, Choice) and question.type == MULTIPLE
    counts = [int(won.sum()) + (wrong // 2 if several else 0) if right else next(others) for right in rights]
    return {(course.id, question.id, question.rev, at): n for at, n in enumerate(counts) if n}


# -- responders --------------------------------------------------------------------------------------------------------------
def _responders(session: Session, version_id: int, course: Course) -> None:
    chance, now = random.Random("responders"), utcnow()  # noqa: S311  (for show)
    book, lessons, chosen = _book(), sum(1 for _lesson in course.lessons), _chosen()
    learners = [{"phone_sealed": book.seal(one.number), "phone_index": book.index(one.number), "tail": one.number[-4:],
                 "language": one.language, "region_code": home, "joined_at": now - timedelta(days=200),
                 "seen_at": now - timedelta(days=20),
                 "on_call_at": now - timedelta(days=90) if chance.random() < AGREED else None}
                for one, home in chosen]
    if not learners:
        return
    homes = [home for _one, home in chosen]
    ids = session.execute(insert(Learner).returning(Learner.id, sort_by_parameter_order=True), learners).scalars().all()
    ends = [now + timedelta(days=chance.randint(5, 88) if chance.random() < ENDING else chance.randint(150, 700)) for _ in ids]
    passed = now - timedelta(days=120)
    session.execute(insert(Enrolment), [
        {"learner_id": one, "slug": course.id, "version_id": version_id, "started_at": now - timedelta(days=200), "at": passed,
         "region_code": home, "lessons_done": lessons, "attempts": 1, "best_percent": chance.randint(course.pass_mark, 100),
         "theory_at": passed, "practical_at": passed, "certified_until": end}
        for one, home, end in zip(ids, homes, ends, strict=True)])
    taken = set(session.execute(select(Certificate.status_index).where(Certificate.status_index >= _PLACES)).scalars())
    places = (place for place in itertools.count(_PLACES) if place not in taken)
    session.execute(insert(Certificate), [
        {"id": uuid7(), "serial": serial.new(), "learner_id": one, "slug": course.id, "version_id": version_id,
         "region_code": home, "issued_at": passed, "valid_until": end, "status_index": place, "credential": ""}
        for one, home, end, place in zip(ids, homes, ends, places, strict=False)])
    district = current_settings().district
    for kind, (name, each) in GROUPS.items():
        group = Cohort(name=name, kind=kind, region_code=district, slug=course.id, made_at=now - timedelta(days=210),
                       ended_at=passed)
        session.add(group)
        session.flush()
        session.execute(insert(CohortMember), [{"cohort_id": group.id, "learner_id": one, "added_at": now - timedelta(days=205)}
                                               for one in ids[::each]])


def _chosen() -> list[tuple[NewSubscriber, str]]:
    """Subscribers who are no learners yet, each with a community: of each community as many as its share of its need."""
    settings, open_places = current_settings(), dict[str, int]()
    for at, code in enumerate(lookup.communities_under([settings.district])):
        node = lookup.get(code)
        need = responders.needed(node.population if node else None, settings.residents_per_responder)
        open_places[code] = round(need * SHARES[at % len(SHARES)])
    book, there = _book(), {bytes(index) for index in db.session.execute(select(Learner.phone_index)).scalars()}
    found = []
    for one in people(settings.district, SUBSCRIBERS) if any(open_places.values()) else ():
        home = one.region_codes[0]
        if open_places.get(home) and book.index(one.number) not in there:
            open_places[home] -= 1
            found.append((one, home))
    return found
