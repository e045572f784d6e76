"""Signals inside one process. They only save waiting: whatever they announce is found in the database as well."""

from __future__ import annotations

from typing import NamedTuple

from blinker import Signal


class Work(NamedTuple):
    """What there is to do, as the sender of `work`. `lane`: how urgent, as in `Dispatch.lane`; `batches`: about how many.

    "issue": a dispatch is to be planned. "planned": batches can be leased. "stop": a dispatch was stopped. "ring": one of
    these, in another process.
    """

    what: str
    lane: int = 0
    batches: int = 1


#: There is something to plan, send, settle or fold.
work = Signal()
