"""When nothing moves that should: each rule of the dead-man's alarm, over facts alone.

What waits by right is no finding: for quiet hours, for a more urgent dispatch that is being sent, for the end of its own batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.dispatch.models import PLANNING, PUSH, SPEAKERS
from portal.dispatch.progress import Progress
from portal.dispatch.watch.facts import Facts
from portal.dispatch.watch.presence import is_near
from portal.dispatch.watch.said import DOWN, KEEPERS, NONE, SENDERS, Process

#: Kinds of alarms. The first two have a dispatch's id as their subject; the others concern the whole.
SENDING, PLAN, WORKERS, SCHEDULERS, RECEIPTS, BROKER, DATABASE = (
    "sending", "planning", "worker", "scheduler", "receipts", "broker", "database")
KINDS = (DATABASE, WORKERS, SCHEDULERS, SENDING, PLAN, BROKER, RECEIPTS)
#: A horn without power and a browser that is closed are tried again until the end, and that is in order: there, only what nobody
#: tries stands still. A carrier is always there.
_OFTEN_AWAY = (SPEAKERS, PUSH)


@dataclass(frozen=True, order=True)
class Finding:
    """Something stands still. `since`: when it last moved, where that is known."""

    kind: str
    subject: str = ""
    since: datetime | None = None


def findings(facts: Facts, seconds: int) -> list[Finding]:
    """All that stands still for so many seconds although it should move."""
    within = timedelta(seconds=seconds)
    found = [*_dispatches(facts, within), *_processes(facts, within)]
    if facts.overdue_receipts and not is_near(facts.overdue_receipts, facts.at, within):
        found.append(Finding(RECEIPTS, since=facts.overdue_receipts))
    return found


def _dispatches(facts: Facts, within: timedelta) -> Iterable[Finding]:
    """The open ones come most urgent first. While one of a channel is being sent, those behind it wait by right; so do those
    behind one that is being planned."""
    sent: set[str] = set()
    planned = False
    for progress in facts.open:
        dispatch = progress.dispatch
        planning = dispatch.state == PLANNING
        moved = max(_moments(progress))
        if any(is_near(moment, facts.at, within) for moment in _moments(progress)):
            sent.add(dispatch.channel)
            planned = planned or planning
        elif dispatch.expires_at <= facts.at:
            continue  # it is over, and the scheduler closes it
        elif planning and not planned:
            yield Finding(PLAN, str(dispatch.id), moved)
        elif dispatch.channel not in sent and _should_move(progress, facts, within):
            yield Finding(SENDING, str(dispatch.id), moved)


def _moments(progress: Progress) -> list[datetime]:
    """When something became of a dispatch, as far as it is kept."""
    dispatch = progress.dispatch
    return [moment for moment in (dispatch.created_at, dispatch.last_at, dispatch.moved_at) if moment is not None]


def _should_move(progress: Progress, facts: Facts, within: timedelta) -> bool:
    """Whether it has had something to send for as long as the alarm waits."""
    ready = facts.ready.get(progress.dispatch.id)
    if ready is None or (ready.since is not None and facts.at - ready.since <= within):
        return False
    if progress.dispatch.channel in _OFTEN_AWAY:
        return facts.at - ready.due > within
    return True


def _processes(facts: Facts, within: timedelta) -> Iterable[Finding]:
    if not facts.processes:
        return  # nothing was ever started here, or all of it was stopped in an orderly way
    here = [p for p in facts.processes if is_near(p.seen_at, facts.at, within)]
    if not any(p.kind in SENDERS for p in here):
        yield Finding(WORKERS, since=_last(p for p in facts.processes if p.kind in SENDERS))
    if not any(p.kind in KEEPERS and p.leading for p in here):
        yield Finding(SCHEDULERS, since=_last(p for p in facts.processes if p.kind in KEEPERS and p.leading))
    asked = [p for p in here if p.broker != NONE]
    if asked and all(p.broker == DOWN and p.broker_for > within.total_seconds() for p in asked):
        yield Finding(BROKER)  # one that does not reach it alone is itself cut off


def _last(processes: Iterable[Process]) -> datetime | None:
    return max((p.seen_at for p in processes), default=None)
