"""Signals inside one process. They only save waiting: whatever they announce is found in the database as well."""

from __future__ import annotations

from typing import NamedTuple

from blinker import Signal


class Work(NamedTuple):
    """What there is to do, as the sender of `work`. `lane`: how urgent, as in `Dispatch.lane`; `batches`: about how many, of
    `channel`, or of any where it is empty; `rung`: it happened in another process, and was heard of.

    "issue": a dispatch is to be planned. "planned": batches can be leased. "stop": a dispatch was stopped. "any": one of these.
    """

    what: str
    lane: int = 0
    batches: int = 1
    channel: str = ""
    rung: bool = False


#: There is something to plan, send, settle or fold.
work = Signal()
