"""On PostgreSQL: leasing what is due by one statement, where nobody has had any of it before; and looking which leases go on.

Otherwise it takes a session, a look whether the connection lives, a beginning, a reading, a writing and an end: for every
thousand messages as much work as opening their numbers. Rows are locked as in :mod:`portal.dispatch.lease`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from portal.core.db import Standing
from portal.dispatch.due import LONGEST_WAIT
from portal.dispatch.models import PLANNING, READY, RUNNING

# Which batches are due is said by `due.may_go`, and here once more.
_STATEMENT = f"""
WITH due AS (
  SELECT b.id, b.fence, d.bulletin_id, d.expires_at
  FROM batch b JOIN dispatch d ON d.id = b.dispatch_id
  WHERE b.channel = %(channel)s AND b.state = '{READY}' AND b.lane < %(above)s AND b.id <> ALL (%(but)s::bigint[])
    AND (b.due_at <= %(now)s OR ((b.quiet_until IS NULL OR b.quiet_until <= %(now)s) AND b.lease_owner IS NULL
      AND (b.fence = 0 OR b.due_at > %(beyond)s)))
    AND d.state IN ('{PLANNING}', '{RUNNING}') AND d.expires_at > %(now)s
  ORDER BY b.lane, b.id LIMIT %(most)s FOR UPDATE OF b SKIP LOCKED
), fresh AS (
  SELECT NOT EXISTS (SELECT 1 FROM due WHERE fence > 0) AS all_of_them
), leased AS (
  UPDATE batch SET fence = fence + 1, lease_owner = %(owner)s, due_at = %(until)s
  WHERE id = ANY (ARRAY(SELECT due.id FROM due, fresh WHERE all_of_them))
  RETURNING id, fence, dispatch_id, lane, region_code, language, attempts, carrier, recipients
)
SELECT fresh.all_of_them, b.id, b.fence, b.dispatch_id, due.bulletin_id, b.lane, b.region_code, b.language, b.attempts, b.carrier,
  due.expires_at, b.recipients
FROM fresh LEFT JOIN leased b ON true LEFT JOIN due ON due.id = b.id ORDER BY b.lane, b.id
"""  # noqa: S608  (nothing of it is anybody's words)
_ANY_LANE = 1 << 15
_GOING_ON = f"""
SELECT b.id FROM unnest(%(ids)s::bigint[], %(fences)s::integer[]) AS w(id, fence)
JOIN batch b ON b.id = w.id AND b.fence = w.fence AND b.state = '{READY}'
JOIN dispatch d ON d.id = b.dispatch_id AND d.state IN ('{PLANNING}', '{RUNNING}')
"""  # noqa: S608


class Leased(NamedTuple):
    """A batch that is leased now; `recipients`: all of it."""

    id: int
    fence: int
    dispatch_id: uuid.UUID
    bulletin_id: uuid.UUID
    lane: int
    region_code: str
    language: str
    attempts: int
    carrier: str
    expires_at: datetime
    recipients: bytes


def lease(standing: Standing, channel: str, owner: str, most: int, *, now: datetime, until: datetime,
          above_lane: int | None, but: Collection[int]) -> list[Leased] | None:
    """Lease the most urgent due batches, as :func:`portal.dispatch.lease.claim_some`. None, and nothing is leased, where one of
    them was leased before, of which somebody may have an outcome."""
    values = {
        "channel": channel, "above": _ANY_LANE if above_lane is None else above_lane, "but": list(but), "now": now,
        "beyond": now + timedelta(seconds=LONGEST_WAIT), "most": most, "owner": owner, "until": until,
    }
    with standing.cursor(binary=True) as cursor:
        rows = cursor.execute(_STATEMENT, values).fetchall()
    if not rows[0][0]:
        return None
    return [Leased(*row[1:]) for row in rows if row[1] is not None]


def going_on(standing: Standing, fences: Mapping[int, int]) -> set[int]:
    """Of these batches, with the fence of each, those that still have it and whose dispatch has not ended."""
    with standing.cursor() as cursor:
        return {row[0] for row in cursor.execute(_GOING_ON, {"ids": list(fences), "fences": list(fences.values())})}
