"""The rules of an exam: who may begin, until when answers are taken, when it is passed, what is shown afterwards.

Pure, and only about moments of the server's clock: what a phone believes the time to be is nowhere asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from portal.training.content.values import Exam

#: Why nobody may begin now.
OPEN, PASSED, UNMARKED, WITHDRAWN, USED_UP, WAIT = "open", "passed", "unmarked", "withdrawn", "used_up", "wait"


@dataclass(frozen=True, slots=True)
class Past:
    """An attempt that was made; `ended_at` is None while it is under way. `marked` is not True where its marking failed;
    `forgiven`: a trainer gave another one in its place."""

    started_at: datetime
    ended_at: datetime | None
    passed: bool
    marked: bool = True
    forgiven: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an attempt may begin. `hindrance`: OPEN (one is under way), PASSED, UNMARKED (one waits for its mark), WITHDRAWN,
    USED_UP, WAIT (until `since`) or empty. `left`: attempts that are left, this one counted."""

    hindrance: str
    left: int
    since: datetime | None = None

    @property
    def may(self) -> bool:
        return not self.hindrance


def standing(exam: Exam, past: Sequence[Past], now: datetime, *, offered: bool = True) -> Standing:
    """Where somebody stands who made the attempts `past`, in any order. Not `offered`: the course has no exam any more."""
    left = max(0, exam.attempts - sum(not one.forgiven for one in past))
    if any(one.ended_at is None for one in past):
        return Standing(OPEN, left)
    if any(one.passed for one in past):
        return Standing(PASSED, left)
    if any(not one.marked for one in past):
        return Standing(UNMARKED, left)
    if not offered:
        return Standing(WITHDRAWN, left)
    if not left:
        return Standing(USED_UP, left)
    ends = [one.ended_at for one in past if one.ended_at is not None]
    if ends and (since := max(ends) + timedelta(hours=exam.wait_hours)) > now:
        return Standing(WAIT, left, since)
    return Standing("", left)


def deadline(started_at: datetime, minutes: int) -> datetime:
    return started_at + timedelta(minutes=minutes)


def closing(deadline_at: datetime, grace_seconds: int) -> datetime:
    """The last moment at which an answer counts: the stated grace after the deadline."""
    return deadline_at + timedelta(seconds=grace_seconds)


def is_over(closes_at: datetime, now: datetime) -> bool:
    """Whether what arrives `now` is too late."""
    return now > closes_at


def passes(points: Fraction, out_of: int, pass_mark: int) -> bool:
    """Exactly: a share that merely rounds to the mark does not reach it."""
    return out_of > 0 and points * 100 >= pass_mark * out_of


def percent(points: Fraction, out_of: int) -> int:
    """Rounded down, so that nobody who failed reads the mark that is needed."""
    return points * 100 // out_of if out_of else 0


def may_show_feedback(feedback: str, *, ended: bool, passed: bool) -> bool:
    """Whether what was right may be shown: `feedback` is one of ``content.values.FEEDBACK``."""
    return ended and (feedback == "after_each" or (feedback == "after_pass" and passed))
