"""Assessments come in: from a form, or from a phone that was without a network.

Each carries a `ref` made where it was filled in: sent twice, it counts once. What is taken is never thrown away, also where it
changes nothing because a dispute about the skill was settled before it arrived; what is refused says why.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in
from portal.training import courses_store, standing
from portal.training.assessing import attendance, rules
from portal.training.assessing.attendance import OPENS_BEFORE
from portal.training.assessing.rules import Say, SkillState
from portal.training.content.values import Checklist
from portal.training.learners import own
from portal.training.models import Learner
from portal.training.practical_models import ABSENT, ATTENDED, BOOKED, PLANNED, Assessment, Booking, PracticalSession

#: Assessments taken in at once; characters of a note.
MOST, LONGEST_NOTE = 40, 500
#: For so long after the end something seen at a session may be said for the first time.
SAID_WITHIN = timedelta(days=2)
TAKEN, AGAIN, REFUSED = "taken", "again", "refused"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an assessor says he saw. `steps`: step id → true, false, or None for not seen; `version_id`: of the course whose
    checklist he had before him."""

    ref: str
    session_id: uuid.UUID
    learner_id: int
    skill: str
    version_id: int
    steps: Mapping[str, Any]
    note: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one: TAKEN, AGAIN (it was here already) or REFUSED, with a `message` for the assessor. `state`: how the
    skill stands at that session now."""

    ref: str
    outcome: str
    message: str = ""
    passed: bool = False
    state: SkillState = field(default_factory=SkillState)


def record(account: Account, seen: Sequence[Seen]) -> list[Outcome]:
    """Take assessments in, each by itself, the earliest first; the outcomes in the order of `seen`."""
    found: dict[str, Outcome] = {}
    for one in sorted(seen[:MOST], key=lambda one: one.seen_at):
        with transaction() as session:
            found[one.ref] = _record(session, account, one)
    return [found[one.ref] for one in seen[:MOST]]


def checklist_of(version_id: int, slug: str, skill: str) -> Checklist | None:
    """The checklist of a course as it was in one of its versions."""
    try:
        course = courses_store.of(version_id)
    except LookupError:
        return None
    return next((one for one in course.checklists if one.id == skill), None) if course.id == slug else None


def says(session: Session, session_id: uuid.UUID, learner_id: int, skill: str) -> list[Say]:
    """All that was said of a skill of a learner at a session."""
    rows = session.execute(select(Assessment).where(
        Assessment.session_id == session_id, Assessment.learner_id == learner_id, Assessment.skill == skill)).scalars()
    return [say(one) for one in rows]


def say(one: Assessment) -> Say:
    return Say(one.id, one.session_id, one.assessor_id, one.passed, one.settles, one.seen_at)


def is_himself(account: Account, learner: Learner) -> bool:
    """Whether the account may be the learner. Accounts have no phone: it is the name that tells, where both have one."""
    name = own.name(learner)
    return name is not None and _folded(name) == _folded(account.display_name)


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _record(session: Session, account: Account, one: Seen) -> Outcome:
    audit.serialise(session)  # of two that bring one ref, the second finds the first one's row
    before = session.execute(select(Assessment).where(Assessment.ref == one.ref)).scalar_one_or_none()
    if before is not None:
        return _again(session, account, one, before)
    held = session.get(PracticalSession, one.session_id, populate_existing=True)
    if held is None or not may_in(account, TRAINER, [held.region_code]):
        return _refused(one, _("Your duty does not cover this session."))
    checklist = checklist_of(one.version_id, held.slug, one.skill)
    booking = session.execute(select(Booking).where(
        Booking.session_id == held.id, Booking.learner_id == one.learner_id).with_for_update()).scalar_one_or_none()
    why = _bad_list(one, held, checklist) or _why_not(session, account, one, held, booking)
    if why or checklist is None or booking is None:
        return _refused(one, why)
    attendance.was_seen(session, account, held, booking, one.seen_at)
    settled = any(say.settles and say.assessor_id == account.id for say in says(session, held.id, one.learner_id, one.skill))
    row = Assessment(ref=one.ref, settles=settled, session_id=held.id, learner_id=one.learner_id, slug=held.slug, skill=one.skill,
                     version_id=one.version_id, assessor_id=account.id,
                     steps={step.id: one.steps.get(step.id) for step in checklist.steps},
                     passed=rules.passes(checklist, one.steps), note=_text(one.note), seen_at=one.seen_at,
                     received_at=utcnow())
    return Outcome(one.ref, TAKEN, "", row.passed, keep(session, account, row))


def keep(session: Session, account: Account, row: Assessment) -> SkillState:
    """Write one down, tell the trail, and recount how the learner stands; how the skill stands at the session then."""
    session.add(row)
    session.flush()
    act = "assessment.settle" if row.settles else "assessment.record"
    audit.append(session, account.actor, act, f"practical:{row.session_id}",
                 {"learner": row.learner_id, "skill": row.skill, "passed": row.passed})
    state = recount(session, row)
    standing.touch(session, row.learner_id, row.slug)
    return state


def recount(session: Session, row: Assessment) -> SkillState:
    """Mark which assessments of this learner and skill are part of an open dispute; how the skill stands at the row's session.
    Whoever adds rows in another way than by :func:`keep` calls it after the last one of each learner and skill. A skill that was
    passed at another session has no open dispute: nothing hangs on it any more."""
    session.flush()
    rows = session.execute(select(Assessment).where(
        Assessment.learner_id == row.learner_id, Assessment.slug == row.slug, Assessment.skill == row.skill)).scalars().all()
    sessions = {one.session_id for one in rows}
    states = {key: rules.at_session(say(one) for one in rows if one.session_id == key) for key in sessions}
    passed = any(one.passed for one in states.values())
    for one in rows:
        is_open = not passed and states[one.session_id].state == rules.DISPUTED
        if is_open != (one.disputed_at is not None):
            one.disputed_at = utcnow() if is_open else None
    session.flush()
    return states[row.session_id]


def _text(note: str) -> str:
    """A note as both databases can keep it."""
    return note.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_NOTE]


def _again(session: Session, account: Account, one: Seen, before: Assessment) -> Outcome:
    if (before.assessor_id, before.session_id, before.learner_id, before.skill) != (
            account.id, one.session_id, one.learner_id, one.skill):
        return _refused(one, _("Another assessment came with the same number. Fill this one in once more."))
    state = rules.at_session(says(session, before.session_id, before.learner_id, before.skill))
    return Outcome(one.ref, AGAIN, "", before.passed, state)


def _why_not(session: Session, account: Account, one: Seen, held: PracticalSession, booking: Booking | None) -> str:
    if held.state != PLANNED:
        return _("This session was cancelled.")
    now = utcnow()
    if one.seen_at < held.starts_at - OPENS_BEFORE or one.seen_at > now + timedelta(minutes=1):
        return _("This was filled in before the session, by the clock of the phone.")
    said = any(say.assessor_id == account.id for say in says(session, held.id, one.learner_id, one.skill))
    if one.seen_at > held.ends_at + SAID_WITHIN and not said:
        return _("The session ended more than two days ago. Who saw this skill then may still change it; nobody else.")
    learner = session.get(Learner, one.learner_id)
    if learner is None:
        return _("This learner has had all personal data deleted and is not here any more. There is nothing left to record.")
    if booking is None or booking.state not in (ATTENDED, BOOKED, ABSENT):
        return _("This learner has no seat at the session. Take them in first, under “Attendance”.")
    if is_himself(account, learner):
        return _("The learner has your name. Nobody assesses oneself: another trainer has to.")
    return ""


def _bad_list(one: Seen, held: PracticalSession, checklist: Checklist | None) -> str:
    if checklist is None or one.skill not in held.skills:
        return _("This skill is not assessed at this session.")
    if not any(step.id in one.steps for step in checklist.steps) or any(
            mark is not None and not isinstance(mark, bool) for mark in one.steps.values()):
        return _("Nothing is marked on the checklist.")
    if all(one.steps.get(step.id) is None for step in checklist.steps):
        return _("Nothing is marked on the checklist.")
    return ""


def _refused(one: Seen, why: str) -> Outcome:
    return Outcome(one.ref, REFUSED, why)
