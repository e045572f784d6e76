"""Kept counts: added to in the transaction that writes what they count, never recounted."""

from __future__ import annotations

import uuid
from collections import Counter

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.dispatch.models import Tally

PLANNED, ACCEPTED, FAILED, OPTED_OUT, INVALID = "planned", "accepted", "failed", "opted_out", "invalid"
EXPIRED, STOPPED, UNCERTAIN = "expired", "stopped", "uncertain"
#: Ends of a recipient; with what is pending they add up to `planned`.
ENDS = (ACCEPTED, FAILED, OPTED_OUT, INVALID, EXPIRED, STOPPED, UNCERTAIN)
#: Prefix of the furthest stage that receipts told, and of the reasons of failures.
STAGE, REASON = "stage/", "reason/"


def add(session: Session, dispatch_id: uuid.UUID, counts: Counter[tuple[str, str, str]]) -> None:
    """Add `counts` of (region code, language, key) inside the caller's transaction; negative numbers subtract."""
    rows = [
        {"dispatch_id": dispatch_id, "region_code": region, "language": language, "key": key[:52], "n": n}
        for (region, language, key), n in sorted(counts.items())
        if n
    ]  # sorted: two writers lock in the same order
    if not rows:
        return
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(Tally)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["dispatch_id", "region_code", "language", "key"], set_={"n": Tally.n + insert.excluded.n}
        ),
        rows,
    )
