"""Kept counts: added to in the transaction that writes what they count, never recounted."""

from __future__ import annotations

import os
import uuid
from collections import Counter

from sqlalchemy.orm import Session

from portal.core.db import driver_cursor

PLANNED, ACCEPTED, FAILED, OPTED_OUT, INVALID = "planned", "accepted", "failed", "opted_out", "invalid"
EXPIRED, STOPPED, UNCERTAIN = "expired", "stopped", "uncertain"
#: Ends of a recipient; with what is pending they add up to `planned`.
ENDS = (ACCEPTED, FAILED, OPTED_OUT, INVALID, EXPIRED, STOPPED, UNCERTAIN)
#: Prefix of the furthest stage that receipts told, and of the reasons of failures.
STAGE, REASON = "stage/", "reason/"
#: Accepted, and nothing final was heard in time: by the furthest stage that was told, if any. See :mod:`overdue`.
SILENT: dict[str | None, str] = {None: "silent", "sent": "silent/sent"}


#: Region code, language, key, audiences of those counted.
Key = tuple[str, str, str, int]
#: Rows that one count is spread over, so that processes which write at once do not wait for each other.
SLOTS = 4
LONGEST_KEY = 52  # as the column takes it


_ADD = "INSERT INTO tally (dispatch_id, region_code, language, key, audiences, slot, n)"
_MORE = " ON CONFLICT (dispatch_id, region_code, language, key, audiences, slot) DO UPDATE SET n = tally.n + excluded.n"
_POSTGRESQL = f"""{_ADD} SELECT %s, v.region_code, v.language, v.key, v.audiences, %s, v.n
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::integer[]) WITH ORDINALITY
  AS v(region_code, language, key, audiences, n, at) ORDER BY v.at{_MORE}"""  # noqa: S608  (nothing of it is anybody's words)
_SQLITE = f"{_ADD} VALUES (?, ?, ?, ?, ?, ?, ?){_MORE}"


def add(session: Session, dispatch_id: uuid.UUID, counts: Counter[Key]) -> None:
    """Add `counts` inside the caller's transaction; negative numbers subtract. Asks the driver itself, since this is done with
    every few hundred outcomes."""
    slot = os.getpid() % SLOTS
    short = Counter[Key]()  # reasons may be alike as far as the column goes, and no row can be added to twice by one statement
    for (region, language, key, audiences), n in counts.items():
        short[region, language, key[:LONGEST_KEY].replace("\0", ""), audiences] += n
    rows = [(*key, n) for key, n in sorted(short.items()) if n]  # two writers lock in the same order
    if not rows:
        return
    with driver_cursor(session) as cursor:
        if session.get_bind().dialect.name == "postgresql":
            cursor.execute(_POSTGRESQL, (dispatch_id, slot, *(list(column) for column in zip(*rows, strict=True))))
        else:
            cursor.executemany(_SQLITE, [(dispatch_id.hex, *row[:4], slot, row[4]) for row in rows])
