"""Skills on which assessors of one session differ: who said what, and how it ends."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction, uuid7
from portal.core.errors import Conflict, Invalid
from portal.identity import listing
from portal.identity.models import Account
from portal.identity.rights import TRAINER, regions_for, require_in
from portal.regions.codes import code_range
from portal.training.assessing import people, recording, results, rules
from portal.training.assessing.rules import DISPUTED
from portal.training.models import Learner
from portal.training.practical_models import Assessment, PracticalSession

#: Disputes shown at once; how old a session may be of which one is shown.
MOST, BACK = 100, timedelta(days=730)
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
    """Open disputes at sessions that the account's duty covers, the latest session first; at most 100."""
    codes = regions_for(account, TRAINER)
    if not codes:
        return []
    covered = or_(*(PracticalSession.region_code.between(*code_range(code)) for code in codes))
    return _open(account, and_(covered, PracticalSession.starts_at > utcnow() - BACK))


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


def _open(account: Account, where: object) -> list[Dispute]:
    key = (Assessment.session_id, Assessment.learner_id, Assessment.skill)
    differing = select(*key).join(PracticalSession, PracticalSession.id == Assessment.session_id).where(where).group_by(  # type: ignore[arg-type]
        *key).having(func.count(Assessment.passed.distinct()) > 1).order_by(Assessment.session_id.desc()).limit(2 * MOST)
    keys = [(row.session_id, row.learner_id, row.skill) for row in db.session.execute(differing)]
    sessions = {one.id: one for one in db.session.execute(select(PracticalSession).where(
        PracticalSession.id.in_({key[0] for key in keys}))).scalars()}
    found = [dispute for one in keys if (dispute := _dispute(account, sessions[one[0]], *one[1:]))]
    moot = _passed_elsewhere(found)
    return sorted((one for one in found if (one.learner_id, one.session.slug, one.skill) not in moot),
                  key=lambda one: one.session.starts_at, reverse=True)[:MOST]


def _passed_elsewhere(found: Iterable[Dispute]) -> set[tuple[int, str, str]]:
    """Skills that were passed at another session: nothing hangs on their disputes any more."""
    learners: dict[str, set[int]] = {}
    for one in found:
        learners.setdefault(one.session.slug, set()).add(one.learner_id)
    return {(learner_id, slug, skill) for slug, ids in learners.items()
            for learner_id, states in results.states_of(slug, sorted(ids)) for skill, state in states.items() if state.passed}


def _dispute(account: Account, session: PracticalSession, learner_id: int, skill: str) -> Dispute | None:
    rows = {one.id: one for one in db.session.execute(select(Assessment).where(
        Assessment.session_id == session.id, Assessment.learner_id == learner_id, Assessment.skill == skill)).scalars()}
    state = rules.at_session(recording.say(one) for one in rows.values())
    if state.state != DISPUTED:
        return None
    sheets = sheets_of([rows[say.id] for say in state.says])
    checklist = recording.checklist_of(sheets[-1].version_id, session.slug, skill)
    ids = [step.id for step in checklist.steps] if checklist else list(sheets[-1].steps)
    differ = tuple(step for step in ids if len({sheet.steps.get(step) for sheet in sheets}) > 1)
    name, tail = people.names([learner_id])[learner_id]
    return Dispute(session, learner_id, name, tail, skill, tuple(sheets), differ, account.id in state.assessors)


def sheets_of(rows: Sequence[Assessment]) -> list[Sheet]:
    """Assessments with the names of who made them."""
    names = listing.display_names(one.assessor_id for one in rows)
    return [Sheet(one.assessor_id, names.get(one.assessor_id, ""), one.passed, one.note, one.seen_at, dict(one.steps),
                  one.version_id, one.id) for one in rows]


