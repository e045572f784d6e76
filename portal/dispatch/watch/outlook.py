"""How fast the open dispatches go, and when they will be through: the figures behind the sentences of the status page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.channels.sms.lines.line import CLOSED
from portal.dispatch.models import PLANNING, SMS
from portal.dispatch.progress import Progress
from portal.dispatch.watch import said
from portal.dispatch.watch.facts import Facts
from portal.dispatch.watch.presence import GONE, is_near
from portal.dispatch.watch.said import Process

#: Without an acceptance for so long, what was measured over the whole dispatch says nothing of now.
HALTED = timedelta(seconds=15)
#: Share of passing errors above which they are worth telling.
NOTABLE = 0.05


@dataclass(frozen=True)
class Outlook:
    """`moving`: recipients still to be sent to, without those who have quiet hours. `rate`: what the channel takes a second at
    present, for all its dispatches together; None while nothing can be said. `seconds`: until all of them have been handed over;
    what goes before them is counted in. None where nothing moves, or nothing can be said. `why`: a code of what
    keeps it from going as it should, where that is known."""

    progress: Progress
    moving: int
    rate: float | None
    seconds: float | None
    why: str = ""


def here(processes: Iterable[Process], now: datetime) -> list[Process]:
    """Those that are there at this moment."""
    return [p for p in processes if is_near(p.seen_at, now, GONE)]


def outlooks(facts: Facts) -> list[Outlook]:
    """One for each open dispatch, in the order in which they are sent."""
    lines = said.lines(here(facts.processes, facts.at))
    ahead: Counter[str] = Counter()
    found = []
    for progress in facts.open:
        channel = progress.dispatch.channel
        moving = max(0, progress.pending - progress.quiet)
        rate = sum(line.rate for line in lines) if channel == SMS and lines else _measured(progress, facts.at)
        ahead[channel] += moving
        knows = rate and moving and progress.dispatch.state != PLANNING
        why = progress.dispatch.last_error or (_trouble(lines) if channel == SMS else "")
        found.append(Outlook(progress, moving, rate, ahead[channel] / rate if knows and rate else None, why))
    return found


def _trouble(lines: Iterable[said.Line]) -> str:
    """What the worst of the lines that are in trouble last heard."""
    troubled = [line for line in lines if line.last_error and (line.circuit != CLOSED or line.troubles > NOTABLE)]
    return max(troubled, key=lambda line: line.troubles).last_error if troubled else ""


def _measured(progress: Progress, now: datetime) -> float | None:
    """Acceptances a second from the first to the last, where the last was just now."""
    first, last = progress.dispatch.first_at, progress.dispatch.last_at
    if first is None or last is None or last <= first or not is_near(last, now, HALTED):
        return None
    return progress.accepted / (last - first).total_seconds()
