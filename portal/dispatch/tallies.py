"""Kept counts: added to in the transaction that writes what they count, never recounted."""

from __future__ import annotations

import os
import uuid
from collections import Counter

from sqlalchemy.orm import Session

from portal.core.db import insert_into
from portal.dispatch.models import Tally

PLANNED, ACCEPTED, FAILED, OPTED_OUT, INVALID = "planned", "accepted", "failed", "opted_out", "invalid"
EXPIRED, STOPPED, UNCERTAIN = "expired", "stopped", "uncertain"
#: Ends of a recipient; with what is pending they add up to `planned`.
ENDS = (ACCEPTED, FAILED, OPTED_OUT, INVALID, EXPIRED, STOPPED, UNCERTAIN)
#: Prefix of the furthest stage that receipts told, and of the reasons of failures.
STAGE, REASON = "stage/", "reason/"


#: Region code, language, key, audiences of those counted.
Key = tuple[str, str, str, int]
#: Rows that one count is spread over, so that processes which write at once do not wait for each other.
SLOTS = 4


def add(session: Session, dispatch_id: uuid.UUID, counts: Counter[Key]) -> None:
    """Add `counts` inside the caller's transaction; negative numbers subtract."""
    slot = os.getpid() % SLOTS
    rows = [
        {"dispatch_id": dispatch_id, "region_code": region, "language": language, "key": key[:52], "audiences": audiences,
         "slot": slot, "n": n}
        for (region, language, key, audiences), n in sorted(counts.items())
        if n
    ]  # sorted: two writers lock in the same order
    if not rows:
        return
    insert = insert_into(session, Tally)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["dispatch_id", "region_code", "language", "key", "audiences", "slot"],
            set_={"n": Tally.n + insert.excluded.n},
        ),
        rows,
    )
