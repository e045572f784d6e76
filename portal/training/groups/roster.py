"""A list of people becomes a cohort's members: looked at first, then taken in whole or not at all.

Who is a learner already is joined, not doubled, and keeps the own name and community; a list fills only what is empty. Nobody
has agreed to anything by standing in a list: who is taken in is not on call, and gets no text.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.errors import Conflict, Problem
from portal.core.i18n import LANGUAGES
from portal.core.phones import PhoneBook
from portal.identity.models import Account
from portal.identity.rights import TRAINER, require_in
from portal.training.certificate_models import Certificate
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups import cohorts
from portal.training.groups.roster_file import NUMBER, Entry, Roster
from portal.training.groups.tables import Faults
from portal.training.learners import own
from portal.training.models import Enrolment, Learner

_LEARNERS: Any = Learner.__table__
_AT_ONCE = 500
#: What PostgreSQL says where two lists name the same people in another order: one of the two is ended.
_DEADLOCK = "40P01"
#: A name is given to who has none: what the learner typed in this very moment stays.
_NAME = update(_LEARNERS).where(_LEARNERS.c.id == bindparam("of"), _LEARNERS.c.name_sealed.is_(None)).values(
    name_sealed=bindparam("sealed"))


@dataclass(slots=True)
class Report:
    """What an import would do, or did. `new`: learners who are made; `joined`: learners who were known and become members;
    `members`: who were members before and are left as they are. `names_filled`: known learners without a name, who get the
    list's; `kept`: lines of those whose own name differs and stays. `faults`: one is enough for nothing to be taken in.
    `at`: the moment by which it can be taken back; None where nothing was done."""

    rows: int
    new: int = 0
    joined: int = 0
    members: int = 0
    names_filled: int = 0
    kept: list[int] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    ignored: tuple[str, ...] = ()
    at: datetime | None = None

    @property
    def added(self) -> int:
        return self.new + self.joined


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    name: str | None
    region_code: str | None
    member: bool


@dataclass(slots=True)
class _Later:
    """Names and communities (→ learners) for learners who were there before."""

    names: list[dict[str, Any]] = field(default_factory=list)
    regions: dict[str, list[int]] = field(default_factory=dict)


def check(cohort: Cohort, roster: Roster) -> Report:
    """What an import would do now."""
    report = _report(roster)
    for chunk in _chunks(roster.entries):
        _compare(cohort.id, chunk, report)
    return report


def take_in(account: Account | None, cohort_id: uuid.UUID, roster: Roster) -> Report:
    """Take the list in, in one transaction: all of it, or nothing where a row is wrong. `account` None: somebody who owns the
    machine. Raises LookupError, Forbidden, and Conflict where the cohort has ended or others changed it in the same moment."""
    if roster.faults.count:
        return check(_open(account, cohort_id), roster)
    report, now = _report(roster), utcnow()
    try:
        with transaction() as session:
            cohort = _open(account, cohort_id)
            later = _Later()
            for chunk in _chunks(roster.entries):
                known = _compare(cohort.id, chunk, report)
                if report.faults.count:
                    raise _Wrong
                _write(session, cohort.id, chunk, known, now, later)
            audit.append(session, account.actor if account else audit.SYSTEM, "roster.import", f"cohort:{cohort.id}", {
                "rows": report.rows, "new": report.new, "joined": report.joined, "members": report.members})
            _fill(session, later)
    except _Wrong:
        return check(_open(account, cohort_id), roster)
    except DBAPIError as error:
        if not isinstance(error, IntegrityError) and getattr(error.orig, "sqlstate", "") != _DEADLOCK:
            raise
        raise Conflict(_l("The cohort changed while the list was taken in. Nothing was taken in; check the file again.")
                       ) from error
    report.at = now
    return report


def take_back(account: Account, cohort_id: uuid.UUID, added_at: datetime) -> tuple[int, int]:
    """Take out the members whom one import added: how many, and how many of them leave the portal too, since a list alone had
    made them and they did nothing here since."""
    with transaction() as session:
        audit.serialise(session)  # nobody of them comes in at the door meanwhile
        cohort = _open(account, cohort_id, ended=True)
        ids = list(session.execute(select(CohortMember.learner_id).where(
            CohortMember.cohort_id == cohort.id, CohortMember.added_at == added_at)).scalars())
        session.execute(CohortMember.__table__.delete().where(  # type: ignore[attr-defined]
            CohortMember.cohort_id == cohort.id, CohortMember.added_at == added_at))
        gone = cohorts.forget_unused(session, ids, added_at)
        audit.append(session, account.actor, "roster.undo", f"cohort:{cohort.id}", {"members": len(ids), "gone": gone})
    return len(ids), gone


class _Wrong(Exception):
    """Something is wrong with the list by what the database holds now."""


def _open(account: Account | None, cohort_id: uuid.UUID, *, ended: bool = False) -> Cohort:
    cohort = db.session.get(Cohort, cohort_id)
    if cohort is None:
        raise LookupError(cohort_id)
    if account is not None:
        require_in(account, TRAINER, [cohort.region_code])
    if cohort.ended_at is not None and not ended:
        raise Conflict(_l("This cohort has ended: nobody can be added."))
    return cohort


def _report(roster: Roster) -> Report:
    faults = Faults(list(roster.faults.named), roster.faults.count)
    return Report(roster.rows, faults=faults, ignored=roster.ignored)


def _chunks(entries: Sequence[Entry]) -> Any:
    return (entries[start:start + _AT_ONCE] for start in range(0, len(entries), _AT_ONCE))


def _compare(cohort_id: uuid.UUID, chunk: Sequence[Entry], report: Report) -> dict[bytes, _Known]:
    """Count what becomes of each row, and find whose number belongs to somebody else."""
    known, holders = _known(cohort_id, chunk), _holders(cohort_id, chunk)
    for entry in chunk:
        there = known.get(entry.index)
        if entry.number in holders and (there is None or holders[entry.number] != there.id):
            report.faults.add(entry.line, Problem(NUMBER, _l("Another member of the cohort has this number.")))
            continue
        if there is None:
            report.new += 1
        elif there.member:
            report.members += 1
        else:
            report.joined += 1
        if there is not None and entry.name:
            if there.name is None:
                report.names_filled += 1
            elif there.name != entry.name:
                report.kept.append(entry.line)
    return known


def _known(cohort_id: uuid.UUID, chunk: Sequence[Entry]) -> dict[bytes, _Known]:
    rows = select(Learner, CohortMember.learner_id).outerjoin(
        CohortMember, (CohortMember.learner_id == Learner.id) & (CohortMember.cohort_id == cohort_id)).where(
        Learner.phone_index.in_([entry.index for entry in chunk]))
    return {one.phone_index: _Known(one.id, own.name(one), one.region_code, member is not None)
            for one, member in db.session.execute(rows)}


def _holders(cohort_id: uuid.UUID, chunk: Sequence[Entry]) -> dict[str, int]:
    rows = select(CohortMember.number, CohortMember.learner_id).where(
        CohortMember.cohort_id == cohort_id, CohortMember.number.in_([entry.number for entry in chunk if entry.number]))
    return {number: learner_id for number, learner_id in db.session.execute(rows) if number is not None}


def _write(session: Session, cohort_id: uuid.UUID, chunk: Sequence[Entry], known: dict[bytes, _Known], now: datetime,
           later: _Later) -> None:
    """New learners with their names, and members of one chunk, in few statements. What learners get who were there before comes
    last of all, see :func:`_fill`."""
    book: PhoneBook = current_app.extensions["phones"]
    fresh = [{"phone_sealed": book.seal(one.phone), "phone_index": one.index, "tail": one.phone[-4:], "language": LANGUAGES[0],
              "region_code": one.region_code, "joined_at": now, "seen_at": now} for one in chunk if one.index not in known]
    if fresh:
        session.execute(insert_into(session, Learner).on_conflict_do_nothing(), fresh)
    found = select(Learner.id, Learner.phone_index).where(Learner.phone_index.in_([one.index for one in chunk]))
    ids = {row.phone_index: row.id for row in session.execute(found)}
    names, members = list[dict[str, Any]](), list[dict[str, Any]]()
    for one in chunk:
        learner_id, there = ids[one.index], known.get(one.index)
        if one.name and (there is None or there.name is None):
            (names if there is None else later.names).append({"of": learner_id, "sealed": own.sealed(learner_id, one.name)})
        if there is None or not there.member:
            members.append({"cohort_id": cohort_id, "learner_id": learner_id, "number": one.number or None, "added_at": now})
        if there is not None and there.region_code is None and one.region_code:
            later.regions.setdefault(one.region_code, []).append(learner_id)
    if names:
        session.connection().execute(_NAME, names)
    if members:
        session.execute(insert_into(session, CohortMember), members)


def _fill(session: Session, later: _Later) -> None:
    """Known learners without a name or a community get the list's, and with a community what follows the learner. After the
    trail's place was taken, as whoever names himself or recounts how somebody stands does it."""
    if later.names:
        session.connection().execute(_NAME, sorted(later.names, key=lambda one: one["of"]))
    for region, ids in sorted(later.regions.items()):
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start:start + _AT_ONCE]
            for column, table in ((Learner.id, Learner), (Enrolment.learner_id, Enrolment),
                                  (Certificate.learner_id, Certificate)):
                session.execute(update(table).where(column.in_(some)).values(region_code=region)
                                .execution_options(synchronize_session=False))
