"""What an assessor has before him: the checklists of a session, who is there, and what was said of whom."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.i18n import select_language
from portal.identity.models import Account
from portal.training import courses_store
from portal.training.assessing import people, results, rules, words
from portal.training.assessing.people import Person
from portal.training.assessing.rules import SkillState
from portal.training.content.values import Checklist
from portal.training.practical_models import ATTENDED, Assessment, PracticalSession

#: So long a phone keeps a list after the session's end.
KEPT_AFTER = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one skill of one person stands: over all sessions, and what the account itself said here last."""

    checklist: Checklist
    state: SkillState
    mine: Assessment | None


@dataclass(frozen=True, slots=True)
class Row:
    person: Person
    skills: tuple[Standing, ...]


def checklists(held: PracticalSession) -> tuple[int, list[Checklist]]:
    """The version of the course that is current, and its checklists of this session. Raises LookupError."""
    loaded = courses_store.current(held.slug)
    if loaded is None:
        raise LookupError(held.slug)
    version_id, course = loaded
    return version_id, [one for one in course.checklists if one.id in held.skills]


def rows(account: Account, held: PracticalSession) -> list[Row]:
    """Everybody with a seat, who is there first, with the skills of the session."""
    there, (_version, lists) = people.seated(held.id), checklists(held)
    ids = [one.learner_id for one in there]
    states, mine = dict(results.states_of(held.slug, ids)), _mine(account, held.id)
    return [Row(one, tuple(Standing(checklist, states[one.learner_id].get(checklist.id, SkillState()),
                                    mine.get((one.learner_id, checklist.id))) for checklist in lists)) for one in there]


def _mine(account: Account, session_id: uuid.UUID) -> dict[tuple[int, str], Assessment]:
    """What the account said at a session: of each learner and skill what it saw last."""
    said = select(Assessment).where(Assessment.session_id == session_id, Assessment.assessor_id == account.id)
    found = db.session.execute(said.order_by(Assessment.seen_at, Assessment.id)).scalars()
    return {(one.learner_id, one.skill): one for one in found}


# -- for a phone ---------------------------------------------------------------------------------------------
def take(account: Account, held: PracticalSession) -> dict[str, Any]:
    """The list for a phone that may lose its network, with names; the trail tells that it was taken."""
    found = rows(account, held)
    with transaction() as session:
        audit.append(session, account.actor, "assessment.take", f"practical:{held.id}", {"people": len(found)})
    version_id, lists = checklists(held)
    now, language = utcnow(), select_language()
    return {
        "account": str(account.id), "session": str(held.id), "title": words.course_title(held.slug), "place": held.place,
        "starts": _ms(held.starts_at), "ends": _ms(held.ends_at), "taken": _ms(now),
        "expires": _ms(max(held.ends_at, now) + KEPT_AFTER), "version": version_id,
        "skills": [_checklist(one, language) for one in lists],
        "people": [{"id": row.person.learner_id, "name": row.person.name or "", "tail": row.person.tail,
                    **_stands(row)} for row in found]}


def brief(account: Account, held: PracticalSession) -> list[dict[str, Any]]:
    """How everybody stands, without names."""
    return [{"id": row.person.learner_id, **_stands(row)} for row in rows(account, held)]


def _stands(row: Row) -> dict[str, Any]:
    return {"present": row.person.state == ATTENDED, "skills": _skills(row)}


def _checklist(one: Checklist, language: str) -> dict[str, Any]:
    others = sum(not step.required for step in one.steps)
    return {"id": one.id, "title": one.title[language], "needed": rules.needed(others, one.others),
            "steps": [{"id": step.id, "words": step.words[language], "hint": step.hint[language], "required": step.required}
                      for step in one.steps]}


def _skills(row: Row) -> dict[str, Any]:
    return {one.checklist.id: {"state": one.state.state, "mine": _own(one.mine)} for one in row.skills}


def _own(said: Assessment | None) -> dict[str, Any] | None:
    return None if said is None else {"passed": said.passed, "steps": said.steps, "note": said.note}


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def steps_in(values: Sequence[tuple[str, str]]) -> dict[str, bool | None]:
    """The marks of a form: ``("s-<step>", "yes" | "no" | "unseen")``."""
    read = {"yes": True, "no": False}
    return {name[2:]: read.get(value) for name, value in values if name.startswith("s-")}
