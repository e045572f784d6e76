"""Cohorts as they are kept: made, changed, ended, listed; who belongs to them. A trainer sees those of the own regions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.models import Account
from portal.identity.rights import TRAINER, may_in, regions_for, require_in
from portal.regions import codes, lookup
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.group_models import KINDS, Cohort, CohortMember
from portal.training.models import Enrolment, Learner, LearnerSession
from portal.training.practical_models import Booking

KIND_NAMES = {"school": _l("School"), "enterprise": _l("Enterprise"), "community": _l("Community"),
              "mall": _l("Shopping mall"), "metro": _l("Metro"), "other": _l("Other")}
LONGEST_NAME = 120
#: Cohorts of one page of the list.
PAGE = 50
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Typed:
    """What the form says."""

    name: str = ""
    kind: str = ""
    region_code: str = ""
    slug: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    cohort: Cohort
    members: int


def get(account: Account, cohort_id: uuid.UUID) -> Cohort | None:
    """The cohort, when the account may see it."""
    found = db.session.get(Cohort, cohort_id)
    return found if found is not None and may_in(account, TRAINER, [found.region_code]) else None


def listing(account: Account, *, ended: bool = False, after: uuid.UUID | None = None) -> tuple[list[Listed], uuid.UUID | None]:
    """A page of the cohorts of the account's regions, the newest first, with the number of their members; and what the next
    page is asked for by."""
    query = _seen_by(account).where(Cohort.ended_at.is_not(None) if ended else Cohort.ended_at.is_(None))
    if after is not None:
        query = query.where(Cohort.id < after)
    rows = list(db.session.execute(query.order_by(Cohort.id.desc()).limit(PAGE + 1)).scalars())
    counts = _counts(row.id for row in rows[:PAGE])
    return [Listed(row, counts.get(row.id, 0)) for row in rows[:PAGE]], rows[PAGE - 1].id if len(rows) > PAGE else None


def at_work(account: Account, limit: int = 200) -> list[Cohort]:
    """The newest cohorts of the account's regions that have not ended: for a choice."""
    query = _seen_by(account).where(Cohort.ended_at.is_(None)).order_by(Cohort.id.desc())
    return list(db.session.execute(query.limit(limit)).scalars())


def members_of(cohort_id: uuid.UUID) -> int:
    return _counts([cohort_id]).get(cohort_id, 0)


def save(account: Account, typed: Typed, cohort_id: uuid.UUID | None = None, version: int = 0) -> Cohort:
    """Make a cohort, or change one. Raises Invalid at the fields, Forbidden outside the duty, LookupError, and Conflict when
    somebody changed it since `version`."""
    values = _checked(typed)
    require_in(account, TRAINER, [values["region_code"]])
    with transaction() as session:
        if cohort_id is None:
            row = Cohort(**values, made_at=utcnow())
            session.add(row)
            session.flush()
        else:
            row = _locked(session, account, cohort_id, version)
            for name, value in values.items():
                setattr(row, name, value)
            row.version += 1
        audit.append(session, account.actor, "cohort.create" if cohort_id is None else "cohort.change", _subject(row.id),
                     {"kind": row.kind, "region_code": row.region_code, "course": row.slug})
    return row


def end(account: Account, cohort_id: uuid.UUID, version: int, *, again: bool = False) -> Cohort:
    """End a cohort, or take that back. What its members reached stays. Raises as :func:`save`."""
    with transaction() as session:
        row = _locked(session, account, cohort_id, version)
        row.ended_at, row.version = None if again else utcnow(), row.version + 1
        audit.append(session, account.actor, "cohort.reopen" if again else "cohort.end", _subject(row.id))
    return row


def take_out(account: Account, cohort_id: uuid.UUID, learner_id: int) -> bool:
    """Somebody is no longer a member. Whoever came by a list alone and never signed in leaves the portal with that."""
    with transaction() as session:
        audit.serialise(session)  # nobody comes in at the door meanwhile
        row = session.get(Cohort, cohort_id)
        if row is None or not may_in(account, TRAINER, [row.region_code]):
            raise LookupError(cohort_id)
        member = session.get(CohortMember, (cohort_id, learner_id))
        if member is None:
            return False
        added = member.added_at
        session.delete(member)
        session.flush()
        gone = forget_unused(session, [learner_id], added)
        audit.append(session, account.actor, "cohort.take_out", _subject(cohort_id), {"learner": learner_id, "gone": gone})
    return True


def forget_unused(session: Session, learner_ids: Sequence[int], made_at: datetime) -> int:
    """Delete those of the learners whom a list made at this moment and who have done nothing here since, nor stand in another
    list; how many."""
    gone = 0
    for start in range(0, len(learner_ids), _AT_ONCE):
        query = delete(Learner).where(Learner.id.in_(learner_ids[start:start + _AT_ONCE]), *_unused(made_at))
        gone += len(session.execute(query.returning(Learner.id), execution_options={"synchronize_session": False}).all())
    return gone


def leaves_with(member: CohortMember) -> bool:
    """Whether somebody who is taken out of this cohort is deleted from the portal with that, as it stands now."""
    found = select(Learner.id).where(Learner.id == member.learner_id, *_unused(member.added_at, besides=member.cohort_id))
    return db.session.execute(found).first() is not None


def _unused(made_at: datetime, *, besides: uuid.UUID | None = None) -> Iterator[ColumnElement[bool]]:
    """That a list made a learner at this moment, who did nothing since and stands in no list `besides` this cohort's."""
    yield from (Learner.joined_at == made_at, Learner.seen_at == made_at, Learner.on_call_at.is_(None))
    for column in (LearnerSession.learner_id, Enrolment.learner_id, Booking.learner_id, Certificate.learner_id):
        yield ~exists().where(column == Learner.id)
    listed = exists().where(CohortMember.learner_id == Learner.id)
    yield ~(listed if besides is None else listed.where(CohortMember.cohort_id != besides))


def _seen_by(account: Account) -> Select[Cohort]:
    own = regions_for(account, TRAINER)
    return select(Cohort).where(or_(*(Cohort.region_code.between(*codes.code_range(one)) for one in own)) if own
                                else Cohort.id.is_(None))


def _counts(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = select(CohortMember.cohort_id, func.count()).where(CohortMember.cohort_id.in_(list(ids))).group_by(
        CohortMember.cohort_id)
    return {key: count for key, count in db.session.execute(rows)}  # noqa: C416  (a Row is no pair to dict)


def _checked(typed: Typed) -> dict[str, Any]:
    name, problems = " ".join(typed.name.split()), list[Problem]()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        problems.append(Problem("name", _l("Give a name of at most %(n)s characters.", n=LONGEST_NAME)))
    if typed.kind not in KINDS:
        problems.append(Problem("kind", _l("Choose what kind of place it is.")))
    if lookup.get(typed.region_code) is None:
        problems.append(Problem("region_code", _l("Choose the region.")))
    if courses_store.current(typed.slug[:64]) is None:
        problems.append(Problem("slug", _l("Choose the course.")))
    if problems:
        raise Invalid(problems)
    return {"name": name, "kind": typed.kind, "region_code": typed.region_code, "slug": typed.slug}


def _locked(session: Session, account: Account, cohort_id: uuid.UUID, version: int) -> Cohort:
    row = session.get(Cohort, cohort_id, with_for_update=True, populate_existing=True)
    if row is None or not may_in(account, TRAINER, [row.region_code]):
        raise LookupError(cohort_id)
    if row.version != version:
        raise Conflict(_l("Somebody else changed this cohort meanwhile. Look at it again; nothing was changed."))
    return row


def _subject(cohort_id: uuid.UUID) -> str:
    return f"cohort:{cohort_id}"
