"""Skills on which assessors of one session differ: who said what, and how it ends."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, false, func, or_, select, tuple_
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Conflict, Invalid
from portal.identity import listing
from portal.identity.models import Account
from portal.identity.rights import TRAINER, regions_for, require_in
from portal.regions.codes import code_range
from portal.training.assessing import people, recording, rules
from portal.training.assessing.rules import DISPUTED
from portal.training.models import Learner
from portal.training.practical_models import Assessment, PracticalSession

#: Disputes shown at once.
MOST = 100
SHORTEST_REASON = 4


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one assessor says, as he said it last."""

    assessor_id: uuid.UUID
    assessor: str
    passed: bool
    note: str
    seen_at: datetime
    steps: dict[str, bool | None]
    version_id: int
    id: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """`differ`: ids of the steps that were marked differently, in the order of the checklist. `mine`: the account that looks is
    one of those who differ."""

    session: PracticalSession
    learner_id: int
    name: str | None
    tail: str
    skill: str
    sheets: tuple[Sheet, ...]
    differ: tuple[str, ...]
    mine: bool


def of_account(account: Account) -> list[Dispute]:
    """Open disputes at sessions that the account's duty covers, the latest first; at most 100."""
    return _open(account, _covered(account))


def count(account: Account) -> int:
    """How many open disputes there are at sessions that the account's duty covers."""
    keys = _disputed(_covered(account), Assessment.session_id, Assessment.learner_id, Assessment.skill).distinct().subquery()
    return db.session.execute(select(func.count()).select_from(keys)).scalar_one()


def _covered(account: Account) -> ColumnElement[bool]:
    """Sessions in the regions of the account's duty as a trainer; none without one."""
    return or_(false(), *(PracticalSession.region_code.between(*code_range(code)) for code in regions_for(account, TRAINER)))


def of_session(account: Account, session_id: uuid.UUID) -> list[Dispute]:
    """Open disputes of one session, which the account may see."""
    return _open(account, PracticalSession.id == session_id)


def settle(account: Account, session_id: uuid.UUID, learner_id: int, skill: str, sheet_id: int, reason: str) -> None:
    """A third one decides whose sheet holds, and says why. Raises LookupError, Forbidden, Conflict when it is no dispute any
    more or the account is one of those who differ, Invalid at `reason`."""
    why = " ".join(reason.split())
    if len(why) < SHORTEST_REASON:
        raise Invalid.one("reason", _l("Say in a few words why."))
    with transaction() as session:
        audit.serialise(session)
        held = session.get(PracticalSession, session_id, populate_existing=True)
        if held is None:
            raise LookupError(str(session_id))
        require_in(account, TRAINER, [held.region_code])
        state = rules.at_session(recording.says(session, session_id, learner_id, skill))
        if state.state != DISPUTED:
            raise Conflict(_l("The assessors do not differ any more; nothing is left to settle."))
        if account.id in state.assessors:
            raise Conflict(_l("You are one of those who differ. You can change your own assessment; settling is for a third."))
        sheet = session.get(Assessment, sheet_id)
        if sheet is None or sheet.id not in {say.id for say in state.says}:
            raise Invalid.one("sheet", _l("Choose whose assessment holds. If one was changed meanwhile, look at it first."))
        _refuse_oneself(session, account, learner_id)
        now = utcnow()
        recording.keep(session, account, Assessment(
            ref=str(uuid7()), session_id=session_id, learner_id=learner_id, slug=held.slug, skill=skill, settles=True,
            version_id=sheet.version_id, assessor_id=account.id, steps=dict(sheet.steps), passed=sheet.passed,
            note=why[:recording.LONGEST_NOTE], seen_at=now, received_at=now))


def _refuse_oneself(session: Session, account: Account, learner_id: int) -> None:
    learner = session.get(Learner, learner_id)
    if learner is None or recording.is_himself(account, learner):
        raise Conflict(_l("The learner has your name. Nobody assesses oneself: another trainer has to."))


def _open(account: Account, where: ColumnElement[bool]) -> list[Dispute]:
    key = (Assessment.session_id, Assessment.learner_id, Assessment.skill)
    rows = db.session.execute(_disputed(where, *key, func.min(Assessment.disputed_at)).group_by(*key).order_by(
        func.min(Assessment.disputed_at).desc()).limit(MOST)).all()
    if not rows:
        return []
    said: dict[tuple[uuid.UUID, int, str], list[Assessment]] = {(row[0], row[1], row[2]): [] for row in rows}
    for one in db.session.execute(select(Assessment).where(tuple_(*key).in_(list(said)))).scalars():
        said[one.session_id, one.learner_id, one.skill].append(one)
    sessions = {one.id: one for one in db.session.execute(select(PracticalSession).where(
        PracticalSession.id.in_({row[0] for row in rows}))).scalars()}
    names = people.names([row[1] for row in rows])
    assessors = listing.display_names(one.assessor_id for group in said.values() for one in group)
    found = [_dispute(account, sessions[of], name, group, assessors) for (of, learner_id, _skill), group in said.items()
             if (name := names.get(learner_id)) is not None]
    return [one for one in found if one is not None]


def _disputed(where: ColumnElement[bool], *columns: Any) -> Select[Any]:
    """Of rows that are part of an open dispute: an index holds these and no others."""
    return select(*columns).join(PracticalSession, PracticalSession.id == Assessment.session_id).where(
        Assessment.disputed_at.is_not(None), where)


def _dispute(account: Account, session: PracticalSession, name: tuple[str | None, str], said: Sequence[Assessment],
             assessors: Mapping[uuid.UUID, str]) -> Dispute | None:
    state, rows = rules.at_session(recording.say(one) for one in said), {one.id: one for one in said}
    if state.state != DISPUTED:
        return None
    sheets = [_sheet(rows[say.id], assessors) for say in state.says]
    learner_id, skill = said[0].learner_id, said[0].skill
    checklist = recording.checklist_of(sheets[-1].version_id, session.slug, skill)
    ids = [step.id for step in checklist.steps] if checklist else list(sheets[-1].steps)
    differ = tuple(step for step in ids if len({sheet.steps.get(step) for sheet in sheets}) > 1)
    return Dispute(session, learner_id, *name, skill, tuple(sheets), differ, account.id in state.assessors)


def _sheet(one: Assessment, assessors: Mapping[uuid.UUID, str]) -> Sheet:
    return Sheet(one.assessor_id, assessors.get(one.assessor_id, ""), one.passed, one.note, one.seen_at, dict(one.steps),
                 one.version_id, one.id)
