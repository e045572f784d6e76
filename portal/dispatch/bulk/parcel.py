"""A batch on its way: what of it waits, what is in the air, what came of it."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from operator import itemgetter

from portal.channels.sms.lines.line import Letter
from portal.dispatch.lease import Lease, Parting
from portal.dispatch.outcomes import Row

_RECIPIENT = itemgetter(0)

log = logging.getLogger(__name__)

#: One message: its parcel, recipient, audiences, number (E.164), and the reference under which the carrier reports.
Token = tuple["Parcel", int, int, str, str]


@dataclass(slots=True, eq=False)
class Parcel:
    """Changed in the loop's thread, `ends` and `listed` in the writer's, too: the ends that are not yet on their way to the
    database, and whether the writer has been told of them. `left`: recipients without an end; `held_until`: on the monotonic
    clock, until when the lease certainly holds, 0 when nothing more of it is begun; `awaited`: how many answers were awaited at
    the last look at which nothing waited any more, and `heard_at` since when; `parting`: set when nothing is in the air
    either; `told`: recipients whose ends are on their way to the database; `parted`: the writer has it."""

    lease: Lease
    letter: Letter
    queue: deque[Token]
    left: int
    held_until: float
    in_flight: int = 0
    awaited: int = 0
    heard_at: float = 0.0
    unsure: set[int] = field(default_factory=set)
    error: str = ""
    back: bool = False
    parting: Parting | None = None
    ends: list[Row] = field(default_factory=list)
    told: set[int] = field(default_factory=set)
    listed: bool = False
    parted: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """The more urgent comes first."""
        return self.lease.lane, self.lease.batch_id

    def take(self, most: int) -> tuple[list[Row], Parting | None]:
        """The writer's: the oldest ends, so many at most, and with the last of all, once, how the batch is let go of. No other
        thread can come between the parts of a step."""
        self.listed = False  # first: what comes from now on is told anew
        parting = self.parting  # nothing follows it
        rows = self.ends[:most]
        del self.ends[: len(rows)]
        rows = self._first_ends(rows)
        if self.ends or self.parted or parting is None:
            return rows, None
        self.parted = True
        return rows, parting

    def _first_ends(self, rows: list[Row]) -> list[Row]:
        """As a line that answers twice about somebody has told the first one; nothing in the database would know."""
        ids = set(map(_RECIPIENT, rows))
        if len(ids) < len(rows) or not self.told.isdisjoint(ids):
            log.error("a carrier's line answers twice about people of batch %d", self.lease.batch_id)
            first: dict[int, Row] = {}
            for row in rows:
                if row[0] not in self.told:
                    first.setdefault(row[0], row)
            rows = list(first.values())
        self.told |= ids
        return rows

    def part(self) -> Parting:
        return Parting(self.left, frozenset(self.unsure), None, self.error, self.back)
