"""Receipts: appended as they come, durable before the carrier is answered, folded into deliveries and counts in bulk.

Folding is idempotent and does not mind the order: of several receipts for one message the furthest stage counts.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.dispatch import tallies
from portal.dispatch.models import Batch, Delivery, Receipt

log = logging.getLogger(__name__)

#: How far a stage is: a later receipt counts only when it goes further. A horn that began to play, or was pre-empted, may
#: still fail; a message that a carrier took for failed may still arrive.
RANK = {
    "sent": 1,
    "heard": 1,
    "playing": 2,
    "preempted": 3,
    "undelivered": 4,
    "failed": 4,
    "delivered": 5,
    "stopped": 5,
    "expired": 5,
    "refused": 5,
    "finished": 6,
}
FOLD_LIMIT = 2000
#: SQLite takes some thousand bound values in a statement; keys are looked up in pieces of this size.
KEYS_AT_ONCE = 400

#: Any number, the same for every process: PostgreSQL's name for "somebody is folding".
FOLD_LOCK = 0x666F6C64

Key = tuple[int, int]
#: Batch id, recipient id, status, code.
Row = tuple[int, int, str, str]


def record_many(rows: Sequence[Row]) -> None:
    """Append receipts (batch id, recipient id, status, code); durable when this returns. One of unknown status is left
    out: what one device says must not keep the others' words from being written."""
    known = [row for row in rows if row[2] in RANK]
    if len(known) < len(rows):
        log.warning("left out %d receipts of unknown status", len(rows) - len(known))
    if not known:
        return
    now = utcnow()
    with transaction() as session:
        session.execute(
            insert(Receipt),
            [
                {"batch_id": batch, "recipient_id": recipient, "status": status, "code": _plain(code), "at": now}
                for batch, recipient, status, code in known
            ],
        )


class Together:
    """Writes the receipts of many requests in one transaction: a commit to disk costs the same for one as for thirty.

    Whoever gets the pen writes for all who came while the last commit was under way; nobody returns before its own rows
    are durable, or the error that kept them from being so.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._pen = threading.Lock()
        self._waiting: list[_Entry] = []

    def record(self, rows: Sequence[Row]) -> None:
        """As :func:`record_many`. Needs an application context."""
        entry = _Entry(rows)
        with self._guard:
            self._waiting.append(entry)
        with self._pen:
            if not entry.written:
                self._write()
        if entry.error is not None:
            raise entry.error

    def _write(self) -> None:
        with self._guard:
            entries, self._waiting = self._waiting, []
        error: Exception | None = None
        try:
            record_many([row for entry in entries for row in entry.rows])
        except Exception as failed:
            error = failed
        for entry in entries:
            entry.written, entry.error = True, error


@dataclass
class _Entry:
    rows: Sequence[Row]
    written: bool = False
    error: Exception | None = None


def _plain(code: str) -> str:
    return "".join(c for c in code if c.isprintable())[:40]


def fold() -> int:
    """Fold the oldest receipts into deliveries and counts; how many were folded. One process folds at a time: two would
    each count a message whose receipts they share."""
    if db.session.execute(select(Receipt.id).limit(1)).first() is None:
        db.session.rollback()
        return 0
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql" and not session.scalar(
            select(func.pg_try_advisory_xact_lock(FOLD_LOCK))
        ):
            return 0
        receipts = session.execute(select(Receipt).order_by(Receipt.id).limit(FOLD_LIMIT)).scalars().all()
        if not receipts:
            return 0
        batches = {
            b.id: b
            for b in session.execute(
                select(Batch.id, Batch.dispatch_id, Batch.region_code, Batch.language).where(
                    Batch.id.in_({r.batch_id for r in receipts})
                )
            )
        }
        known = _known(session, sorted({(r.batch_id, r.recipient_id) for r in receipts}))
        furthest: dict[Key, Receipt] = {}
        for receipt in receipts:
            key = (receipt.batch_id, receipt.recipient_id)
            if receipt.batch_id not in batches:
                log.warning("receipt for an unknown batch %d", receipt.batch_id)
                continue
            best = furthest.get(key) or known.get(key)
            if best is None or RANK[receipt.status] > RANK[best.status]:
                furthest[key] = receipt
        _write(session, batches, known, furthest)
        session.execute(
            delete(Receipt).where(Receipt.id.in_([r.id for r in receipts])).execution_options(synchronize_session=False)
        )
        return len(receipts)


def _known(session, keys: list[Key]) -> dict[Key, Delivery]:
    """Batch by batch: SQLite reads the whole table to find pairs of values."""
    found = {}
    for batch_id, group in groupby(keys, key=lambda key: key[0]):
        ids = [recipient for _batch, recipient in group]
        for start in range(0, len(ids), KEYS_AT_ONCE):
            some = Delivery.recipient_id.in_(ids[start : start + KEYS_AT_ONCE])
            for row in session.execute(select(Delivery).where(Delivery.batch_id == batch_id, some)).scalars():
                found[row.batch_id, row.recipient_id] = row
    return found


def _write(session, batches: dict, known: dict[Key, Delivery], furthest: dict[Key, Receipt]) -> None:
    if not furthest:
        return
    counts: dict = {}
    for key, receipt in furthest.items():
        batch = batches[receipt.batch_id]
        counter = counts.setdefault(batch.dispatch_id, Counter())
        for row, step in ((known.get(key), -1), (receipt, 1)):
            if row is not None:
                counter[batch.region_code, batch.language, tallies.STAGE + row.status, 0] += step
                if row.code:
                    counter[batch.region_code, batch.language, f"{tallies.REASON}{row.status}:{row.code}", 0] += step
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    upsert = dialect.insert(Delivery)
    session.execute(
        upsert.on_conflict_do_update(
            index_elements=["batch_id", "recipient_id"],
            set_={"status": upsert.excluded.status, "code": upsert.excluded.code, "at": upsert.excluded.at},
        ),
        [
            {"batch_id": b, "recipient_id": r, "status": x.status, "code": x.code, "at": x.at}
            for (b, r), x in sorted(furthest.items())
        ],
    )
    for dispatch_id in sorted(counts):
        tallies.add(session, dispatch_id, counts[dispatch_id])
