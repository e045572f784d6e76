"""The steps of a transfer: which may follow which, and which need a word of explanation."""

from __future__ import annotations

from portal.shelters.models import ARRIVED, CONTACTED, ON_THE_WAY, REFUSED, UNREACHABLE, WAITING

#: State → what may follow. People change their minds, so that no end is final; `ARRIVED` is left only to mend a mistake.
MOVES: dict[str, tuple[str, ...]] = {
    WAITING: (CONTACTED, ON_THE_WAY, ARRIVED, REFUSED, UNREACHABLE),
    CONTACTED: (ON_THE_WAY, ARRIVED, REFUSED, UNREACHABLE, WAITING),
    ON_THE_WAY: (ARRIVED, CONTACTED, REFUSED, UNREACHABLE),
    ARRIVED: (ON_THE_WAY, WAITING),
    REFUSED: (CONTACTED, ON_THE_WAY, ARRIVED, UNREACHABLE),
    UNREACHABLE: (CONTACTED, ON_THE_WAY, ARRIVED, REFUSED),
}
#: Nobody has to be gone after any more: arrived, or known not to come. Whoever does not answer the door may lie behind it: that
#: is no end, somebody has to go again.
ENDS = (ARRIVED, REFUSED)
#: Not on the way for a reason: whoever leads must read it.
NOT_COMING = (REFUSED, UNREACHABLE)


def may(before: str, after: str) -> bool:
    """Whether the step is in the table; saying again what is so already confirms it and is always allowed."""
    return after in MOVES.get(before, ()) or (before == after and after in MOVES)


def needs_note(before: str, after: str) -> bool:
    """Whether the step must be explained: why somebody does not come, and taking back an arrival."""
    return after in NOT_COMING or (before == ARRIVED and after != ARRIVED)


def contradicts(earlier: str, later: str) -> bool:
    """Whether two observations by people who did not know of each other must be looked at: the later one does not follow
    from the earlier one, or says that an end was none."""
    return earlier != later and (earlier in ENDS or not may(earlier, later))
