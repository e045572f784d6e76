"""Holding the leases of many batches by one statement, and closing those that are at their end with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from portal.core.db import driver_cursor
from portal.dispatch.models import BATCH_DONE, READY

#: Two parts of a statement of PostgreSQL: `held` locks batches by their number, as everybody does who locks several; `mine` holds
#: them, and closes what is over.
HOLD = f"""held AS (
  SELECT b.id, w.accepted, w.over
  FROM unnest(%(ids)s::bigint[], %(fences)s::integer[], %(accepted)s::boolean[], %(over)s::boolean[])
    AS w(id, fence, accepted, over)
  JOIN batch b ON b.id = w.id AND b.fence = w.fence AND b.state = '{READY}' AND b.lease_owner IS NOT NULL
  ORDER BY b.id FOR UPDATE OF b
), mine AS (
  UPDATE batch SET due_at = CASE WHEN held.over THEN %(now)s ELSE %(until)s END,
    last_at = CASE WHEN held.accepted THEN %(now)s ELSE batch.last_at END,
    state = CASE WHEN held.over THEN '{BATCH_DONE}' ELSE batch.state END,
    lease_owner = CASE WHEN held.over THEN NULL ELSE batch.lease_owner END
  FROM held WHERE batch.id = held.id RETURNING batch.id
)"""  # noqa: S608  (nothing of it is anybody's words)
_POSTGRESQL = f"WITH {HOLD} SELECT id FROM mine"  # noqa: S608
_SQLITE = f"""
UPDATE batch SET due_at = CASE WHEN :over THEN :now ELSE :until END,
  last_at = CASE WHEN :accepted THEN :now ELSE last_at END,
  state = CASE WHEN :over THEN '{BATCH_DONE}' ELSE state END,
  lease_owner = CASE WHEN :over THEN NULL ELSE lease_owner END
WHERE id = :id AND fence = :fence AND state = '{READY}' AND lease_owner IS NOT NULL"""  # noqa: S608
_OPEN = f"SELECT 1 FROM batch WHERE dispatch_id = {{}} AND state = '{READY}' LIMIT 1"  # noqa: S608


class Hold(NamedTuple):
    """`accepted`: somebody of the batch was; `over`: nobody of it is left, and it is done."""

    batch_id: int
    fence: int
    accepted: bool
    over: bool


def hold(session: Session, holds: Sequence[Hold], now: datetime, until: datetime) -> set[int]:
    """Hold these leases `until` then; the batches that are held, which are those with that fence that have not been let go of. In
    the caller's transaction."""
    if not holds:
        return set()
    with driver_cursor(session) as cursor:
        if session.get_bind().dialect.name == "postgresql":
            ids, fences, accepted, over = (list(column) for column in zip(*holds, strict=True))
            cursor.execute(_POSTGRESQL, {"ids": ids, "fences": fences, "accepted": accepted, "over": over, "now": now,
                                         "until": until})
            return {row[0] for row in cursor.fetchall()}
        held = set()
        for one in holds:
            cursor.execute(_SQLITE, {"id": one.batch_id, "fence": one.fence, "accepted": one.accepted, "over": one.over,
                                     "now": _moment(now), "until": _moment(until)})
            if cursor.rowcount == 1:
                held.add(one.batch_id)
        return held


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def any_open(session: Session, dispatch_id: Any) -> bool:
    """Whether a batch of the dispatch is not yet done."""
    with driver_cursor(session) as cursor:
        if session.get_bind().dialect.name == "postgresql":
            return cursor.execute(_OPEN.format("%s"), (dispatch_id,)).fetchone() is not None
        return cursor.execute(_OPEN.format("?"), (dispatch_id.hex,)).fetchone() is not None
