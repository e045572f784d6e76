"""On PostgreSQL: holding leases, appending outcomes, noting that dispatches move and adding to the counts by one statement.

Each question to the database costs a turn of both processes, whatever it asks; with a few hundred outcomes in a transaction, that
is most of what they cost. Rows are locked in the order of :mod:`lease`: the counts are sorted before the first is written, for
which all batches must have been held, and dispatches be noted, which is what the counts ask `moved` for.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from portal.dispatch import outcomes, tallies
from portal.dispatch.holding import HOLD
from portal.dispatch.models import READY
from portal.dispatch.outcomes import Alike

# The long values of all pages come as one, whose pieces lie one behind the other.
_STATEMENT = f"""
WITH {HOLD}, written AS (
  INSERT INTO outcome_page (batch_id, first, at, status, code, carrier, size, recipients, audiences, carrier_ids)
  SELECT p.batch_id, p.first, %(now)s, p.status, p.code, p.carrier, p.size, substring(long.all_of FROM p.ids FOR p.masks - p.ids),
    substring(long.all_of FROM p.masks FOR p.numbers - p.masks),
    convert_from(substring(long.all_of FROM p.numbers FOR p.until - p.numbers), 'UTF8')
  FROM (SELECT %(long)b::bytea AS all_of) AS long, unnest(%(page_ids)s::bigint[], %(firsts)s::bigint[], %(statuses)s::text[],
    %(codes)s::text[], %(carriers)s::text[], %(sizes)s::integer[], %(at_ids)s::integer[], %(at_masks)s::integer[],
    %(at_numbers)s::integer[], %(untils)s::integer[])
    AS p(batch_id, first, status, code, carrier, size, ids, masks, numbers, until)
  WHERE p.batch_id IN (SELECT id FROM mine)
), moving AS (
  SELECT d.id, m.accepted FROM dispatch d JOIN (
    SELECT w.id, bool_or(w.accepted) AS accepted
    FROM unnest(%(moved_by)s::bigint[], %(moved)s::uuid[], %(moved_on)s::boolean[]) AS w(batch_id, id, accepted)
    WHERE w.batch_id IN (SELECT id FROM mine) GROUP BY w.id) AS m ON m.id = d.id
  ORDER BY d.id FOR NO KEY UPDATE OF d
), moved AS (
  UPDATE dispatch SET moved_at = %(now)s,
    first_at = CASE WHEN moving.accepted THEN coalesce(dispatch.first_at, %(now)s) ELSE dispatch.first_at END,
    last_at = CASE WHEN moving.accepted THEN %(now)s ELSE dispatch.last_at END
  FROM moving WHERE dispatch.id = moving.id RETURNING dispatch.id
), counted AS (
  INSERT INTO tally (dispatch_id, region_code, language, key, audiences, slot, n)
  SELECT w.dispatch_id, w.region_code, w.language, w.key, w.audiences, %(slot)s, sum(w.n)
  FROM unnest(%(count_ids)s::bigint[], %(dispatches)s::uuid[], %(regions)s::text[], %(languages)s::text[], %(keys)s::text[],
    %(count_audiences)s::bigint[], %(counts)s::integer[]) AS w(batch_id, dispatch_id, region_code, language, key, audiences, n)
  WHERE w.batch_id IN (SELECT id FROM mine) AND (SELECT count(*) FROM moved) >= 0
  GROUP BY w.dispatch_id, w.region_code, w.language, w.key, w.audiences
  ORDER BY w.dispatch_id, w.region_code COLLATE "C", w.language COLLATE "C", w.key COLLATE "C", w.audiences
  ON CONFLICT (dispatch_id, region_code, language, key, audiences, slot) DO UPDATE SET n = tally.n + excluded.n
)
SELECT ARRAY(SELECT id FROM mine), ARRAY(
  SELECT d FROM unnest(%(ending)s::uuid[]) AS d WHERE NOT EXISTS (
    SELECT 1 FROM batch b WHERE b.dispatch_id = d AND b.state = '{READY}' AND b.id <> ALL (%(over_ids)s::bigint[])))
"""  # noqa: S608  (nothing of it is anybody's words)


class Ends(NamedTuple):
    """What became of one batch. `over`: nobody of it is left; `moves`: its dispatch is to be noted as moving."""

    batch_id: int
    fence: int
    dispatch_id: uuid.UUID
    alike: Sequence[Alike]
    over: bool
    counts: Counter[tallies.Key]
    moves: bool = False

    @property
    def accepted(self) -> bool:
        """Whether somebody was."""
        return any(kind.status == tallies.ACCEPTED for kind in self.alike)


def write(cursor: Any, ends: Sequence[Ends], now: datetime, until: datetime) -> tuple[set[int], set[uuid.UUID]]:
    """Write all of `ends`, whose leases are held until then, and close what is over. The batches whose lease is held, as nothing
    is written of others; and the dispatches of which the last batch seems to have ended. `cursor`: the driver's. Raises
    IntegrityError where the same ends are there already."""
    ends = sorted(ends, key=lambda one: one.batch_id)
    pages, pieces, places, at = list[outcomes.Written](), list[bytes](), list[tuple[int, ...]](), 1
    for page in (page for one in ends for page in outcomes.paged(one.batch_id, one.alike)):
        three = page.recipients, page.audiences, page.carrier_ids.encode()
        pages.append(page)
        pieces += three
        place = tuple(accumulate(map(len, three), initial=at))
        places.append(place)
        at = place[-1]
    counts = [(one.batch_id, one.dispatch_id, *key, n) for one in ends for key, n in one.counts.items() if n]
    over = [one for one in ends if one.over]
    moves = [one for one in ends if one.moves and one.alike]
    at_ids, at_masks, at_numbers, untils = zip(*places, strict=True) if places else ((), (), (), ())
    count_ids, dispatches, regions, languages, keys, count_audiences, ns = (
        zip(*counts, strict=True) if counts else ((), (), (), (), (), (), ()))
    values: dict[str, Any] = {
        "now": now, "until": until, "slot": os.getpid() % tallies.SLOTS,
        "ids": _plain(one.batch_id for one in ends), "fences": _plain(one.fence for one in ends),
        "accepted": _plain(one.accepted for one in ends),
        "moved_by": _plain(one.batch_id for one in moves), "moved": _plain(one.dispatch_id for one in moves),
        "moved_on": _plain(one.accepted for one in moves),
        "over": _plain(one.over for one in ends), "over_ids": _plain(one.batch_id for one in over),
        "ending": _plain({one.dispatch_id for one in over}),
        "long": b"".join(pieces), "page_ids": _plain(page.batch_id for page in pages),
        "firsts": _plain(page.first for page in pages), "sizes": _plain(page.size for page in pages),
        "statuses": _plain(page.status for page in pages), "codes": _texts([page.code for page in pages]),
        "carriers": _texts([page.carrier for page in pages]),
        "at_ids": _plain(at_ids), "at_masks": _plain(at_masks), "at_numbers": _plain(at_numbers), "untils": _plain(untils),
        "count_ids": _plain(count_ids), "dispatches": _plain(dispatches), "regions": _plain(regions),
        "languages": _plain(languages), "keys": _texts([key[: tallies.LONGEST_KEY] for key in keys]),
        "count_audiences": _plain(count_audiences), "counts": _plain(ns),
    }
    mine, ended = cursor.execute(_STATEMENT, values).fetchone()
    return set(mine), set(ended)


def _plain(values: Iterable[object]) -> str:
    """An array of numbers, truths or words of ours, in the database's form."""
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Sequence[str]) -> str:
    """An array of words that may be anybody's."""
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: str) -> str:
    value = value.encode("utf-8", "replace").decode()
    return '"' + value.replace("\0", "").replace("\\", "\\\\").replace('"', '\\"') + '"'
