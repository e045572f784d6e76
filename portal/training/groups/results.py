"""Results of practical skills that a school or company sends: they become assessments by whoever imports them, all or none.

A skill was seen at a session, so each day of a file gets one for the cohort, held elsewhere and over. The same file again
changes nothing; a result that differs from the one before is a new assessment, and the last one counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import from_local, local, utcnow
from portal.core.db import db, insert_into, transaction, uuid7
from portal.core.errors import Problem
from portal.identity.models import Account
from portal.identity.rights import TRAINER, require_in
from portal.training import courses_store, standing
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups.results_file import NUMBER, SKILL, Result, Results
from portal.training.groups.tables import Faults
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import ATTENDED, Assessment, Booking, PracticalSession
from portal.training.practicals import booking, sessions
from portal.training.practicals.sessions import Plan
from portal.training.practicals.store import SEATED

_SESSIONS = uuid.UUID("4d0f1f7a-6a0e-4b5e-9d5f-0c6d3c3f5a10")


@dataclass(slots=True)
class Report:
    """What an import would do, or did. `passed` and `failed` are new; `unchanged` were there. `people`: whose results changed."""

    rows: int
    passed: int = 0
    failed: int = 0
    unchanged: int = 0
    people: int = 0
    faults: Faults = field(default_factory=Faults)
    ignored: tuple[str, ...] = ()
    done: bool = False


@dataclass(frozen=True, slots=True)
class _New:
    learner_id: int
    result: Result


def check(account: Account, cohort: Cohort, read: Results) -> Report:
    """What an import would do now."""
    report, _new = _compare(account, cohort, read)
    return report


def take_in(account: Account, cohort: Cohort, read: Results) -> Report:
    """Take the results in, all of them in one transaction, or none where a row is wrong. Raises Forbidden."""
    require_in(account, TRAINER, [cohort.region_code])
    if read.faults.count:
        return check(account, cohort, read)
    with transaction() as session:
        report, new = _compare(account, cohort, read)
        if report.faults.count:
            return report
        audit.serialise(session)
        _write(session, account, cohort, new)
        ids = {one.learner_id for one in new}
        audit.append(session, account.actor, "results.import", f"cohort:{cohort.id}", {
            "rows": report.rows, "course": cohort.slug, "passed": report.passed, "people": len(ids)})
        standing.recount(session, ids, cohort.slug)
    for learner_id in sorted(ids):  # what follows for one of them, a certificate, waits for no other
        with transaction() as session:
            standing.touch(session, learner_id, cohort.slug)
    report.done = True
    return report


def held_elsewhere(session: Session, cohort: Cohort, account_id: Any, moment: datetime,
                   skills: Iterable[str]) -> PracticalSession:
    """The session of a cohort on the day of `moment` whose results come by a list of this account; made if it is missing. It
    has as many seats as people were there, who are counted by whoever seats them."""
    zone = current_settings().timezone
    day = local(moment, zone).date()
    key = uuid.uuid5(_SESSIONS, f"{cohort.id} {account_id} {day}")
    row = session.get(PracticalSession, key)
    if row is None:
        starts = from_local(datetime.combine(day, time(0)), zone)
        row = PracticalSession(id=key, made_at=utcnow())
        sessions.fill(row, Plan(
            slug=cohort.slug, skills=tuple(sorted(set(skills))), place=cohort.name[:sessions.LONGEST_PLACE],
            region_code=cohort.region_code, lon=None, lat=None, starts_at=starts,
            ends_at=min(starts + timedelta(days=1) - timedelta(minutes=1), utcnow()), seats=1,
            trainer_id=account_id, note=""))
        session.add(row)
        session.flush()
    elif missing := set(skills) - set(row.skills):
        row.skills = sorted({*row.skills, *missing})
        session.flush()
    return row


def _compare(account: Account, cohort: Cohort, read: Results) -> tuple[Report, list[_New]]:
    faults = Faults(list(read.faults.named), read.faults.count)
    report, new = Report(len(read.rows) + read.faults.count, faults=faults, ignored=read.ignored), list[_New]()
    by_number, by_index = _members(cohort, read.rows)
    ids = {*by_number.values(), *by_index.values()}
    passed_theory, before, seen = _theory(cohort.slug, ids), _before(account, cohort.slug, ids), dict[tuple[int, str], int]()
    exam = (loaded := courses_store.current(cohort.slug)) is not None and loaded[1].exam is not None
    for row in read.rows:
        found = {one for one in (by_number.get(row.number) if row.number else None, by_index.get(row.index)) if one is not None}
        asked = bool(row.number) + bool(row.index)
        learner_id = next(iter(found), 0)
        if len(found) != 1 or (asked == 2 and (by_number.get(row.number) is None or by_index.get(row.index) is None)):
            faults.add(row.line, Problem(NUMBER, _l("No member of the cohort has this number and phone.") if asked == 2
                                         else _l("No member of the cohort has this number or phone.")))
        elif (learner_id, row.skill) in seen:
            faults.add(row.line, Problem(SKILL, _l("The same person's result in this skill stands in line %(n)s already.",
                                                   n=seen[learner_id, row.skill])))
        elif exam and learner_id not in passed_theory:
            faults.add(row.line, Problem("", _l("This person has not passed the theory, which comes before the practical part.")))
        elif before.get((learner_id, row.skill, row.day)) is row.passed:
            report.unchanged += 1
        else:
            new.append(_New(learner_id, row))
            report.passed, report.failed = report.passed + row.passed, report.failed + (not row.passed)
        if found:
            seen.setdefault((learner_id, row.skill), row.line)
    report.people = len({one.learner_id for one in new})
    return report, new


def _members(cohort: Cohort, rows: Sequence[Result]) -> tuple[dict[str, int], dict[bytes, int]]:
    """Members of the cohort by number and by phone, of those that the rows name."""
    of = select(CohortMember.number, Learner.phone_index, CohortMember.learner_id).join(
        Learner, Learner.id == CohortMember.learner_id).where(CohortMember.cohort_id == cohort.id)
    numbers = db.session.execute(of.where(CohortMember.number.in_({row.number for row in rows if row.number}))).all()
    phones = db.session.execute(of.where(Learner.phone_index.in_({row.index for row in rows if row.index}))).all()
    return {row.number: row.learner_id for row in numbers if row.number}, {row.phone_index: row.learner_id for row in phones}


def _theory(slug: str, ids: Iterable[int]) -> set[int]:
    return set(db.session.execute(select(Enrolment.learner_id).where(
        Enrolment.slug == slug, Enrolment.learner_id.in_(list(ids)), Enrolment.theory_at.is_not(None))).scalars())


def _before(account: Account, slug: str, ids: Iterable[int]) -> dict[tuple[int, str, date], bool]:
    """(learner, skill, day) → what this account said last of it."""
    zone = current_settings().timezone
    rows = db.session.execute(select(Assessment).where(
        Assessment.learner_id.in_(list(ids)), Assessment.slug == slug, Assessment.assessor_id == account.id).order_by(
        Assessment.seen_at, Assessment.id)).scalars()
    return {(one.learner_id, one.skill, local(one.seen_at, zone).date()): one.passed for one in rows}


def _write(session: Session, account: Account, cohort: Cohort, new: Sequence[_New]) -> None:
    now, zone = utcnow(), current_settings().timezone
    loaded = courses_store.current(cohort.slug)
    if not new or loaded is None:
        return
    held: dict[date, PracticalSession] = {}
    for day in sorted({one.result.day for one in new}):
        skills = [one.result.skill for one in new if one.result.day == day]
        held[day] = held_elsewhere(session, cohort, account.id, from_local(datetime.combine(day, time(12)), zone), skills)
    session.execute(insert(Assessment), [
        {"ref": str(uuid7()), "session_id": held[one.result.day].id, "learner_id": one.learner_id, "slug": cohort.slug,
         "skill": one.result.skill, "version_id": loaded[0], "assessor_id": account.id, "steps": {}, "passed": one.result.passed,
         "settles": False, "note": "", "seen_at": held[one.result.day].starts_at, "received_at": now} for one in new])
    there = {(held[one.result.day].id, one.learner_id) for one in new}
    session.execute(insert_into(session, Booking).on_conflict_do_nothing(), [
        {"session_id": key, "learner_id": learner_id, "state": ATTENDED, "asked_at": now, "changed_at": now, "attended_at": now,
         "attended_by": "hand"} for key, learner_id in sorted(there, key=str)])
    for row in held.values():
        row.seats = max(1, len(booking.states(session, row.id, SEATED)))
