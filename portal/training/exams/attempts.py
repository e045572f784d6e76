"""Attempts as they are kept: begun, taken over, answered, handed in, and ended when their time is over.

Each act locks the attempt first, so that an answer either is in before the end or is refused. All times are the server's.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _l
from sqlalchemy import literal, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.training import courses_store
from portal.training.certificates import renewal
from portal.training.content.values import Course, Exam
from portal.training.exam_models import HANDED_IN, TIME, UNMARKED, Attempt, AttemptAnswer
from portal.training.exams import answers, marking, rules
from portal.training.exams.asked import questions
from portal.training.exams.draw import TooFew, draw
from portal.training.models import Learner, LearnerSession

log = logging.getLogger(__name__)

#: Client counts of one device begin here times its generation, so that a device that took over counts on from above the others.
GENERATION = 1_000_000
GREATEST = 2**53 - 1  # what a browser counts exactly
MOST_AT_ONCE = 200  # answers of one request
SWEPT_AT_ONCE = 500


class Elsewhere(Conflict):
    """The attempt goes on on another device."""

    def __init__(self) -> None:
        super().__init__(_l("This exam was continued on another device or in another browser. What was saved there counts."))


class Over(Conflict):
    """The attempt has ended, or its time and grace are over."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to the question at place `at`, with the client's count."""

    at: int
    seq: int
    raw: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept at a place."""

    value: Any
    seq: int


@dataclass(frozen=True, slots=True)
class Saved:
    """An attempt after an act, and what is kept then at the places that were said."""

    attempt: Attempt
    kept: dict[int, Kept]


def past(learner_id: int, slug: str) -> list[Attempt]:
    """All attempts of a learner at a course, the newest first."""
    mine = select(Attempt).where(Attempt.slug == slug, Attempt.learner_id == learner_id).order_by(Attempt.number.desc())
    return list(db.session.execute(mine).scalars().all())


def current(learner_id: int, slug: str) -> Attempt | None:
    """The attempt that is under way; one whose time is over is ended now."""
    under_way = select(Attempt).where(Attempt.learner_id == learner_id, Attempt.slug == slug, Attempt.ended_at.is_(None))
    found = db.session.execute(under_way).scalar_one_or_none()
    if found is None or not rules.is_over(found.closes_at, utcnow()):
        return found
    _end_if_over(found.id)
    return None


def mine(learner_id: int, attempt_id: uuid.UUID) -> Attempt | None:
    found = db.session.get(Attempt, attempt_id)
    return found if found is not None and found.learner_id == learner_id else None


def standing(exam: Exam, attempts: Sequence[Attempt], *, offered: bool = True) -> rules.Standing:
    """Where somebody stands now who made these attempts; `offered`: whether the course still has an exam."""
    if attempts and (since := renewal.open_since(attempts[0].learner_id, attempts[0].slug)) is not None:
        attempts = [one for one in attempts if one.started_at >= since]  # to renew a certificate one begins afresh
    past = [rules.Past(one.started_at, one.ended_at, one.passed, one.ended_by != UNMARKED, one.forgiven) for one in attempts]
    return rules.standing(exam, past, utcnow(), offered=offered)


def seconds_left(attempt: Attempt) -> float:
    """Until the deadline, by the server's clock; below 0 within the grace."""
    return (attempt.deadline_at - utcnow()).total_seconds()


def kept(attempt_id: uuid.UUID, places: Sequence[int] | None = None) -> dict[int, Kept]:
    """Place → what is kept there, of all places or of these."""
    rows = select(AttemptAnswer.at, AttemptAnswer.value, AttemptAnswer.seq).where(AttemptAnswer.attempt_id == attempt_id)
    if places is not None:
        rows = rows.where(AttemptAnswer.at.in_(places))
    return {at: Kept(value, seq) for at, value, seq in db.session.execute(rows).all()}


def points(attempt_id: uuid.UUID) -> dict[int, float]:
    """Place → points from 0 to 1, after the end."""
    rows = select(AttemptAnswer.at, AttemptAnswer.points).where(AttemptAnswer.attempt_id == attempt_id)
    return {at: won for at, won in db.session.execute(rows).all() if won is not None}


def is_live(attempt: Attempt, secret: str) -> bool:
    return bool(secret) and attempt.live_hash == _hashed(secret)


def next_seq(attempt: Attempt, known: dict[int, Kept]) -> int:
    """A count that outranks whatever is kept."""
    return max([attempt.generation * GENERATION, *(one.seq for one in known.values())]) + 1


# -- acts ----------------------------------------------------------------------------------------------------
def start(learner_id: int, slug: str) -> tuple[Attempt, str]:
    """Begin an attempt, or go on with the one under way on this device; the secret of the device. Whoever had it before may
    answer no more. Raises Invalid where the rules do not allow another attempt, LookupError where there is no exam."""
    current(learner_id, slug)
    loaded = courses_store.current(slug)
    if loaded is None:
        raise LookupError(slug)
    version_id, course = loaded
    with transaction() as session:
        # Two devices begin one attempt. Rows that refer to the learner may still be made meanwhile: a sign-in makes one while it
        # holds the trail, for which this waits.
        session.execute(select(Learner.id).where(Learner.id == learner_id).with_for_update(key_share=True))
        before, secret = past(learner_id, slug), secrets.token_urlsafe(32)
        attempt = next((one for one in before if one.ended_at is None), None)
        if attempt is not None:
            changes = {"live_hash": _hashed(secret), "generation": Attempt.generation + 1}
            session.execute(update(Attempt).where(Attempt.id == attempt.id).values(changes))
            session.refresh(attempt)
        else:
            attempt = _begin(session, learner_id, version_id, course, before, secret)
    return attempt, secret


def _begin(session: Session, learner_id: int, version_id: int, course: Course, before: Sequence[Attempt], secret: str) -> Attempt:
    exam, now = course.exam, utcnow()
    if exam is None:
        raise LookupError(course.id)
    if not standing(exam, before).may:
        raise Invalid.one("", _l("Another attempt is not possible now."))
    seed = secrets.token_hex(16)
    try:
        asked = draw(exam.draw, {module.id: module.questions for module in course.modules}, seed)
    except TooFew as error:
        log.error("no exam can be drawn from %s version %s: %s", course.id, version_id, error)
        raise Invalid.one("", _l("The exam of this course is not ready: a bank has too few questions. Please tell the"
                                 " organiser; this does not count as an attempt.")) from error
    due = rules.deadline(now, exam.minutes)
    attempt = Attempt(
        learner_id=learner_id, slug=course.id, version_id=version_id, number=len(before) + 1, seed=seed,
        drawn=[one.stored() for one in asked], started_at=now, deadline_at=due,
        closes_at=rules.closing(due, exam.grace_seconds), pass_mark=course.pass_mark, live_hash=_hashed(secret),
        generation=1, out_of=len(asked))
    session.add(attempt)
    session.flush()
    _trail(session, attempt, "exam.start", {"number": attempt.number, "version_id": version_id})
    return attempt


def save(learner_id: int, attempt_id: uuid.UUID, secret: str, said: Sequence[Said], *, slug: str | None = None) -> Saved:
    """Keep answers; what is kept then at their places may be newer than what was said. Sent twice, nothing changes. With `slug`
    an attempt at another course's exam counts as none.
    Raises LookupError, :class:`Over`, :class:`Elsewhere`, :class:`answers.Malformed`."""
    return _act(learner_id, attempt_id, secret, said, end=False, slug=slug)


def save_signed_in(session_key: str, attempt_id: uuid.UUID, secret: str, said: Sequence[Said], slug: str) -> Saved | None:
    """As :func:`save`, for whoever is signed in by the session with this key: the attempt is found by it, in one statement and
    one transaction. None where nobody is, or it is not theirs; who it is must be asked then."""
    try:
        return _act(None, attempt_id, secret, said, end=False, slug=slug, session_key=session_key)
    except LookupError:
        return None


def submit(learner_id: int, attempt_id: uuid.UUID, secret: str, said: Sequence[Said] = ()) -> Attempt:
    """Keep the last answers and end the attempt, at once. Raises what :func:`save` raises."""
    return _act(learner_id, attempt_id, secret, said, end=True).attempt


def _act(learner_id: int | None, attempt_id: uuid.UUID, secret: str, said: Sequence[Said], *, end: bool,
         slug: str | None = None, session_key: str | None = None) -> Saved:
    known: dict[int, Kept] = {}
    with transaction() as session:
        attempt = _locked(session, attempt_id, session_key)
        theirs = attempt is not None and (session_key is not None or attempt.learner_id == learner_id)
        if attempt is None or not theirs or slug not in (None, attempt.slug):
            raise LookupError(str(attempt_id))
        now, late = utcnow(), False
        if attempt.ended_at is not None:
            raise Over(_l("This attempt has ended. What was saved before its end counts."))
        if rules.is_over(attempt.closes_at, now):
            late = True
            marking.end(session, attempt, TIME, attempt.closes_at)
        elif not is_live(attempt, secret):
            raise Elsewhere
        else:
            known = _keep(session, attempt, said, now)
            if end:
                marking.end(session, attempt, HANDED_IN, now)
    if late:
        raise Over(_l("The time and the seconds of grace are over. What reached us before counts; this came too late."))
    return Saved(attempt, known)


def _locked(session: Session, attempt_id: uuid.UUID, session_key: str | None = None) -> Attempt | None:
    """The attempt, locked; with a key of a session only where it is of the learner who is signed in by it."""
    wanted = select(Attempt).where(Attempt.id == attempt_id).with_for_update(of=Attempt)
    if session_key is not None:
        wanted = wanted.join(LearnerSession, LearnerSession.learner_id == Attempt.learner_id).where(
            LearnerSession.token_hash == session_key, LearnerSession.expires_at > utcnow())
    return session.execute(wanted).scalar_one_or_none()


@cache
def _newer(dialect: str) -> Any:
    """Puts one answer to its place unless something newer is there; gives what it wrote."""
    table = AttemptAnswer.__table__
    rows = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    fresh = {name: rows.excluded[name] for name in ("value", "seq", "received_at")}
    newer = rows.on_conflict_do_update(index_elements=["attempt_id", "at"], set_=fresh, where=table.c.seq < rows.excluded.seq)
    return newer.returning(table.c.at, table.c.value, table.c.seq)


def _keep(session: Session, attempt: Attempt, said: Sequence[Said], now: datetime) -> dict[int, Kept]:
    """Keep what was said; what is kept then at its places."""
    asked, newest = questions(attempt), {}
    if len(said) > MOST_AT_ONCE:
        raise answers.Malformed
    for one in sorted(said, key=lambda one: one.seq):
        if not 0 <= one.at < len(asked) or not 0 < one.seq <= GREATEST:
            raise answers.Malformed
        place, question = asked[one.at]
        newest[one.at] = {"attempt_id": attempt.id, "at": one.at, "question_id": question.id,
                          "value": answers.clean(question, place, one.raw), "seq": one.seq, "received_at": now}
    if not newest:
        return {}
    known, newer = dict[int, Kept](), _newer(session.get_bind().dialect.name)
    connection = session.connection()  # past the ORM, which would make the statement anew for each answer
    for values in newest.values():
        for at, value, seq in connection.execute(newer, values):
            known[at] = Kept(value, seq)
    if older := [at for at in newest if at not in known]:  # something newer was there
        known |= kept(attempt.id, older)
    return known


def _end_if_over(attempt_id: uuid.UUID) -> bool:
    with transaction() as session:
        attempt = _locked(session, attempt_id)
        if attempt is None or attempt.ended_at is not None or not rules.is_over(attempt.closes_at, utcnow()):
            return False
        marking.end(session, attempt, TIME, attempt.closes_at)
        return True


def sweep(app: Flask) -> int:
    """End the attempts whose time and grace are over; how many. What one of them lacks does not keep the others, however many
    lack something."""
    ended, last = 0, None
    with app.app_context():
        while True:
            over = select(Attempt.closes_at, Attempt.id).where(Attempt.ended_at.is_(None), Attempt.closes_at < utcnow())
            if last is not None:
                over = over.where(tuple_(Attempt.closes_at, Attempt.id) > tuple_(*map(literal, last)))
            found = db.session.execute(over.order_by(Attempt.closes_at, Attempt.id).limit(SWEPT_AT_ONCE)).all()
            for _closes_at, attempt_id in found:
                try:
                    ended += _end_if_over(attempt_id)
                except Exception:
                    log.exception("the attempt %s could not be ended", attempt_id)
            if len(found) < SWEPT_AT_ONCE:
                return ended
            last = tuple(found[-1])


def _trail(session: Session, attempt: Attempt, action: str, details: dict[str, Any]) -> None:
    audit.append(session, audit.Actor(None, f"learner {attempt.learner_id}"), action, f"exam:{attempt.id}",
                 {"course": attempt.slug, **details})


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
