"""A batch on its way: what of it waits, what is in the air, what came of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from portal.channels.sms.lines.line import Letter
from portal.dispatch.lease import Lease, Parting

#: One message: its parcel, recipient, audiences, number (E.164), and the reference under which the carrier reports.
Token = tuple["Parcel", int, int, str, str]
#: One end for the writer: parcel, recipient, status, code, carrier's number, carrier, audiences.
Row = tuple["Parcel", int, str, str, str, str, int]


@dataclass(slots=True, eq=False)
class Parcel:
    """Changed in the loop's thread alone. `left`: recipients without an end; `held_until`: on the monotonic clock, until
    when the lease certainly holds, 0 when nothing more of it is begun; `awaited`: how many answers were awaited at the last look
    at which nothing waited any more, and `heard_at` since when; `parting`: set when nothing is in the air either."""

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

    @property
    def order(self) -> tuple[int, int]:
        """The more urgent comes first."""
        return self.lease.lane, self.lease.batch_id

    def part(self) -> Parting:
        return Parting(self.left, frozenset(self.unsure), None, self.error, self.back)
