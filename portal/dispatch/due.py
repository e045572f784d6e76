"""When a batch may be leased, whatever was done to the clock.

`Batch.due_at` is a time of day. Where the clock was set back, it lies further ahead than any pause or lease lasts, and nobody
must wait for that. Quiet hours are by the clock on the wall, and so is the end of a warning.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch.models import CHANNELS, READY, Batch

#: Longest pause between two tries of a batch in seconds, of which so much is left to chance; and what none exceeds with that.
LONGEST_PAUSE, CHANCE = 60.0, 0.25
LONGEST_WAIT = LONGEST_PAUSE * (1 + CHANCE)
#: Longest time in seconds between two looks for leases that last too long.
LOOK_SECONDS = 5.0


def may_go(now: datetime) -> ColumnElement[bool]:
    """Whether a batch that is not done may be leased: its pause, its quiet hours, or the lease that it had, is over."""
    awake = or_(Batch.quiet_until.is_(None), Batch.quiet_until <= now)
    never_waits = or_(Batch.fence == 0, Batch.due_at > now + timedelta(seconds=LONGEST_WAIT))
    return or_(Batch.due_at <= now, awake & Batch.lease_owner.is_(None) & never_waits)


class Lapses:
    """Ends leases that last longer than any does and that nobody renews: the clock was set back, and who held them is dead.

    How long nobody renewed one is told by this process's own clock that only goes forward. Who is alive renews, and what has not
    been renewed for as long as a lease lasts is not begun any more (see `SURE` of the feeder), as where the clock goes right.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[int, datetime, float]] = {}  # fence, end and when they were first seen, by batch
        self._look_at = clock()

    def look(self) -> int:
        """Look, if it is time to; how many leases were ended. Needs an application context."""
        seconds = current_settings().lease_seconds
        if self._clock() < self._look_at:
            return 0
        leases = db.session.execute(
            select(Batch.id, Batch.fence, Batch.due_at)
            .where(Batch.channel.in_(CHANNELS), Batch.state == READY, Batch.lease_owner.is_not(None),
                   Batch.due_at > utcnow() + timedelta(seconds=seconds))
            .order_by(Batch.id)).all()
        db.session.rollback()
        now = self._clock()  # after the reading: whoever renewed before it began to hand over before this
        before, self._seen = self._seen, {}
        for batch_id, fence, end in leases:
            known = before.get(batch_id)
            self._seen[batch_id] = known if known and known[:2] == (fence, end) else (fence, end, now)
        over = {i: (fence, end) for i, (fence, end, since) in self._seen.items() if now - since >= seconds}
        self._look_at = now + min(LOOK_SECONDS, seconds / 4)
        return _end(over) if over else 0


def _end(leases: dict[int, tuple[int, datetime]]) -> int:
    """End these leases, by batch, unless they were renewed meanwhile; how many."""
    ended = 0
    with transaction() as session:
        for batch_id in sorted(leases):  # as all who lock several
            fence, end = leases[batch_id]
            ended += session.execute(  # type: ignore[attr-defined]
                update(Batch)
                .where(Batch.id == batch_id, Batch.fence == fence, Batch.due_at == end, Batch.state == READY)
                .values(due_at=utcnow())
                .execution_options(synchronize_session=False)).rowcount
    return ended
