"""When a skill is passed: of one checklist, of what several assessors say, of several sessions. Pure.

At one session an assessor has one say on a skill, the one that he saw last. Who says the same agrees. Two who differ are a
dispute, which is settled by a third who was asked to (`settles`), or by one of them changing his own say; who writes last
decides nothing. What was once passed without dispute at a session stays passed, whatever is seen at another.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from portal.training.content.values import Checklist

#: How a skill stands.
UNSEEN, PASSED, NOT_YET, DISPUTED = "unseen", "passed", "not_yet", "disputed"


# -- one checklist -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Tally:
    """How far a checklist is: required steps shown of all required, and others shown, needed and there at all."""

    required_done: int
    required: int
    others_done: int
    others_needed: int
    others: int

    @property
    def passed(self) -> bool:
        return self.required_done == self.required and self.others_done >= self.others_needed


def needed(others: int, per_cent: int) -> int:
    """How many of `others` steps are at least `per_cent` of them."""
    return -(-others * per_cent // 100)


def tally(checklist: Checklist, steps: Mapping[str, bool | None]) -> Tally:
    """`steps`: step id → shown, not shown, or None; what was not seen counts for nothing, and no other id counts at all."""
    required = [step for step in checklist.steps if step.required]
    others = [step for step in checklist.steps if not step.required]
    done = [sum(steps.get(step.id) is True for step in group) for group in (required, others)]
    return Tally(done[0], len(required), done[1], needed(len(others), checklist.others), len(others))


def passes(checklist: Checklist, steps: Mapping[str, bool | None]) -> bool:
    """Whether these steps are enough: every required one, and the file's share of the others."""
    return tally(checklist, steps).passed


def missed(checklist: Checklist, steps: Mapping[str, bool | None]) -> list[str]:
    """Ids of the steps that were not shown or not seen, in the order of the list."""
    return [step.id for step in checklist.steps if steps.get(step.id) is not True]


# -- several assessors, several sessions ----------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Say:
    """What one assessor saw of one skill of one learner. `id` decides between two that were seen at one moment."""

    id: int
    session_id: uuid.UUID
    assessor_id: uuid.UUID
    passed: bool
    settles: bool
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class SkillState:
    """How a skill stands, decided at `session_id`: since when (`at`; of what is not passed, when it was seen last), and by the
    `says` that count there, the earliest first."""

    state: str = UNSEEN
    at: datetime | None = None
    session_id: uuid.UUID | None = None
    says: tuple[Say, ...] = ()

    @property
    def passed(self) -> bool:
        return self.state == PASSED

    @property
    def assessors(self) -> tuple[uuid.UUID, ...]:
        return tuple(say.assessor_id for say in self.says)


def counted(says: Iterable[Say]) -> tuple[Say, ...]:
    """Of one session: the last say of each assessor, the earliest first."""
    last: dict[uuid.UUID, Say] = {}
    for say in sorted(says, key=_order):
        last[say.assessor_id] = say
    return tuple(sorted(last.values(), key=_order))


def at_session(says: Iterable[Say]) -> SkillState:
    """How a skill stands by what was seen at one session."""
    count = counted(says)
    if not count:
        return SkillState()
    decisive = [say for say in count if say.settles] or list(count)
    verdicts = {say.passed for say in decisive}
    last = max(say.seen_at for say in count)
    if len(verdicts) > 1:
        return SkillState(DISPUTED, last, count[0].session_id, count)
    if verdicts == {True}:
        return SkillState(PASSED, decisive[0].seen_at, count[0].session_id, count)
    return SkillState(NOT_YET, last, count[0].session_id, count)


def state(says: Iterable[Say]) -> SkillState:
    """How a skill stands by what was seen at all sessions: passed at the first where it was; else disputed, while a dispute may
    still end well; else not yet, as seen last."""
    sessions: dict[uuid.UUID, list[Say]] = {}
    for say in says:
        sessions.setdefault(say.session_id, []).append(say)
    found = sorted((at_session(group) for group in sessions.values()), key=_moment)
    if passed := [one for one in found if one.state == PASSED]:
        return passed[0]
    if disputed := [one for one in found if one.state == DISPUTED]:
        return disputed[-1]
    return found[-1] if found else SkillState()


def passed_at(states: Mapping[str, SkillState]) -> datetime | None:
    """Since when all of these skills are passed; None where one is not, or where there are none."""
    moments = [one.at for one in states.values() if one.state == PASSED and one.at is not None]
    return max(moments) if moments and len(moments) == len(states) else None


def _order(say: Say) -> tuple[datetime, int]:
    return say.seen_at, say.id


def _moment(one: SkillState) -> tuple[datetime, str]:
    if one.at is None:
        raise ValueError("a session at which nothing was seen")
    return one.at, str(one.session_id)
