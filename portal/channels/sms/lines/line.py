"""What bulk sending asks of a line: one carrier, account or sender, over which many hand-overs are in flight at once.

A line lives in the thread of one event loop and is only called there. It knows numbers, words and an end, and nothing of
warnings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

#: Of a hand-over, beside the words of `provider`: it was certainly not taken, and may go to another line at once.
NOT_TAKEN = "not_taken"

#: States of a line's circuit: it takes messages; it takes none for a while; it takes few, to see whether it is well again.
CLOSED, OPEN, TRYING = "closed", "open", "trying"

#: Hears of each hand-over, once, in the loop's thread and never from within `hand_over`:
#: (token, line, status, code, carrier_id, unsure). `status` is one of provider.ACCEPTED, FAILED, OPTED_OUT, INVALID, RETRY, or
#: NOT_TAKEN; `code` as in `provider.Result`; `unsure`, with RETRY: the carrier may have taken it, its answer was lost.
OnAnswer = Callable[[Any, "Line", str, str, str, bool], None]


@dataclass(slots=True)
class Letter:
    """What many messages share. `callback`: the address to which the carrier reports, without the message's ref; empty where it
    cannot reach us. `kept`: each line's own encoded form of it, by the line's name."""

    body: str
    expires_at: datetime
    segments: int = 1
    callback: str = ""
    kept: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineState:
    """How a line is at this moment, for people and for metrics. `rate`: acceptances a second, over the last seconds; `window`:
    most hand-overs in flight at present; `latency`: seconds until an answer, smoothed; `troubles`: share of passing errors among
    the last answers; `weight`: its share of the split as it is now; `pause`: seconds until it may begin again; `last_error`: a
    code."""

    name: str
    kind: str
    circuit: str
    in_flight: int
    window: int
    rate: float
    latency: float
    troubles: float
    weight: float
    pause: float
    last_error: str = ""


class Line(Protocol):
    """One way out. Its `name` (at most 20 of a-z, 0-9 and -) stands in outcomes and in the carrier's callbacks."""

    name: str
    kind: str
    weight: float  # its share of the split as the settings want it
    by_number: bool  # whether receipts name messages by the carrier's number alone, so that it must be kept

    def open(self, loop: asyncio.AbstractEventLoop, on_answer: OnAnswer, on_room: Callable[[], None]) -> None:
        """Begin to work in this loop. `on_room` is called when hand-overs may begin again without an answer having come: a pause
        is over, a connection stands, the pace allows the next."""

    def room(self) -> int:
        """How many hand-overs may begin at this moment: the least of window, pace and what the circuit lets through."""

    def hand_over(self, letter: Letter, to: str, ref: str, token: Any) -> None:
        """Begin one hand-over; only where `room()` is above 0. `to`: E.164. `ref`: `<batch>/<recipient>`. Never raises for what
        the carrier or the network does: that is an answer."""

    def state(self) -> LineState: ...

    async def close(self, seconds: float) -> None:
        """Begin nothing more, wait so long for answers, then let go of connections; what is still in flight is answered RETRY,
        unsure."""
