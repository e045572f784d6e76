"""On PostgreSQL: holding leases, appending outcomes and adding to the counts by one statement.

Each question to the database costs a turn of both processes, whatever it asks; with a few hundred outcomes in a transaction, that
is most of what they cost. Rows are locked in the order of :mod:`lease`: the counts are sorted before the first is written, for
which all batches must have been held.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from portal.dispatch import tallies
from portal.dispatch.holding import HOLD
from portal.dispatch.models import READY
from portal.dispatch.outcomes import LONGEST_CARRIER_ID, LONGEST_CODE, Row

# The ends of a batch with the same status, code and carrier share a lot, which rows name by its place: most have all in common.
_STATEMENT = f"""
WITH {HOLD}, written AS (
  INSERT INTO outcome (batch_id, at, recipient_id, status, code, carrier_id, carrier, audiences)
  SELECT (%(lot_ids)s::bigint[])[r.lot], %(now)s, r.recipient, (%(statuses)s::text[])[r.lot], (%(codes)s::text[])[r.lot],
    r.number, (%(carriers)s::text[])[r.lot], r.audiences
  FROM unnest(%(lots)s::integer[], %(recipients)s::bigint[], %(numbers)s::text[], %(audiences)s::bigint[])
    AS r(lot, recipient, number, audiences)
  WHERE (%(lot_ids)s::bigint[])[r.lot] IN (SELECT id FROM mine)
), counted AS (
  INSERT INTO tally (dispatch_id, region_code, language, key, audiences, slot, n)
  SELECT w.dispatch_id, w.region_code, w.language, w.key, w.audiences, %(slot)s, sum(w.n)
  FROM unnest(%(count_ids)s::bigint[], %(dispatches)s::uuid[], %(regions)s::text[], %(languages)s::text[], %(keys)s::text[],
    %(count_audiences)s::bigint[], %(counts)s::integer[]) AS w(batch_id, dispatch_id, region_code, language, key, audiences, n)
  WHERE w.batch_id IN (SELECT id FROM mine)
  GROUP BY w.dispatch_id, w.region_code, w.language, w.key, w.audiences
  ORDER BY w.dispatch_id, w.region_code COLLATE "C", w.language COLLATE "C", w.key COLLATE "C", w.audiences
  ON CONFLICT (dispatch_id, region_code, language, key, audiences, slot) DO UPDATE SET n = tally.n + excluded.n
)
SELECT ARRAY(SELECT id FROM mine), ARRAY(
  SELECT d FROM unnest(%(ending)s::uuid[]) AS d WHERE NOT EXISTS (
    SELECT 1 FROM batch b WHERE b.dispatch_id = d AND b.state = '{READY}' AND b.id <> ALL (%(over_ids)s::bigint[])))
"""  # noqa: S608  (nothing of it is anybody's words)


_LOT = itemgetter(1, 2, 4)


class Ends(NamedTuple):
    """What became of one batch. `over`: nobody of it is left."""

    batch_id: int
    fence: int
    dispatch_id: uuid.UUID
    rows: Sequence[Row]
    over: bool
    counts: Counter[tallies.Key]


def write(cursor: Any, ends: Sequence[Ends], now: datetime, until: datetime) -> tuple[set[int], set[uuid.UUID]]:
    """Write all of `ends`, whose leases are held until then, and close what is over. The batches whose lease is held, as nothing
    is written of others; and the dispatches of which the last batch seems to have ended. `cursor`: the driver's. Raises
    IntegrityError where a recipient has an end already."""
    ends = sorted(ends, key=lambda one: one.batch_id)
    lots = dict[tuple[int, str, str, str], int]()
    places, rows = list[int](), list[Row]()
    for one in ends:
        theirs = list(map(_LOT, one.rows))
        here = {lot: len(lots) + n for n, lot in enumerate(dict.fromkeys(theirs), 1)}
        lots.update(((one.batch_id, *lot), place) for lot, place in here.items())
        places += map(here.__getitem__, theirs)
        rows += one.rows
    counts = [(one.batch_id, one.dispatch_id, *key, n) for one in ends for key, n in one.counts.items() if n]
    over = [one for one in ends if one.over]
    lot_ids, statuses, codes, carriers = zip(*lots, strict=True) if lots else ((), (), (), ())
    recipients, _, _, numbers, _, audiences = zip(*rows, strict=True) if rows else ((), (), (), (), (), ())
    count_ids, dispatches, regions, languages, keys, count_audiences, ns = (
        zip(*counts, strict=True) if counts else ((), (), (), (), (), (), ()))
    values: dict[str, Any] = {
        "now": now, "until": until, "slot": os.getpid() % tallies.SLOTS,
        "ids": _plain(one.batch_id for one in ends), "fences": _plain(one.fence for one in ends),
        "accepted": _plain(any(row[1] == tallies.ACCEPTED for row in one.rows) for one in ends),
        "over": _plain(one.over for one in ends), "over_ids": _plain(one.batch_id for one in over),
        "ending": _plain({one.dispatch_id for one in over}),
        "lot_ids": _plain(lot_ids), "statuses": _plain(statuses), "codes": _texts([code[:LONGEST_CODE] for code in codes]),
        "carriers": _texts(carriers),
        "lots": _plain(places), "recipients": _plain(recipients), "numbers": _texts(numbers, LONGEST_CARRIER_ID),
        "audiences": _plain(audiences),
        "count_ids": _plain(count_ids), "dispatches": _plain(dispatches), "regions": _plain(regions),
        "languages": _plain(languages), "keys": _texts([key[: tallies.LONGEST_KEY] for key in keys]),
        "count_audiences": _plain(count_audiences), "counts": _plain(ns),
    }
    mine, ended = cursor.execute(_STATEMENT, values).fetchone()
    return set(mine), set(ended)


def _plain(values: Iterable[object]) -> str:
    """An array of numbers, truths or words of ours, in the database's form."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Sequence[str], longest: int = 0) -> str:
    """An array of words that may be anybody's."""
    joined = "".join(values)
    simple = joined.isalnum() and all(values) and "null" not in joined.lower()  # that word would be none
    if simple and not (longest and max(map(len, values)) > longest):
        return "{" + ",".join(values) + "}"
    return "{" + ",".join([_quoted(value[: longest or None]) for value in values]) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\0", "").replace("\\", "\\\\").replace('"', '\\"') + '"'
