"""Receipts: appended as they come, durable before the carrier is answered, folded into deliveries and counts in bulk.

Folding is idempotent and does not mind the order: of several receipts for one message the furthest stage counts. One that is
quicker than the record of its own hand-over waits for that, and holds up nobody behind it. One that names no message of ours is
kept apart and shown.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import and_, bindparam, case, delete, func, insert, select, text, tuple_
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.dispatch import late, outcomes, receipt_log, tallies
from portal.dispatch.models import OVERDUE, READY, SMS, Batch, Carried, Delivery, Receipt, StrayReceipt
from portal.dispatch.outcomes import End
from portal.dispatch.receipt_log import Row, Together
from portal.dispatch.recipients import unpack

__all__ = ["FAILED_LATER", "FOLD_LIMIT", "RANK", "Together", "fold", "record_many", "record_numbered", "row", "strays", "waiting"]

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
#: In the reasons of a text message: it failed after the carrier had taken it, and was not refused by it.
FAILED_LATER = "failed_later"

#: After so many the caller is to call again at once.
FOLD_LIMIT = 4000
#: Receipts of one transaction: SQLite's other writers wait so long.
_PAGE = 2000
#: Seconds between two looks at those that wait, when they are more than a page.
_RECHECK = 5.0
#: So long a carrier's number may be unknown to us: the receipt may be quicker than the record of the hand-over.
_UNKNOWN_FOR = timedelta(minutes=3)
#: Receipts of no message of ours that are kept: the newest, and for how long. Then: how long a carrier's number is.
STRAYS_KEPT = 10_000
STRAYS_DAYS, _CARRIED_DAYS = 14, 8
_SWEPT_AT_ONCE = 5000
_MOST_COUNTED = 100_000

#: Any number, the same for every process: PostgreSQL's name for "somebody is folding".
FOLD_LOCK = 0x666F6C64

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
Key = tuple[int, int]


# -- keeping -----------------------------------------------------------------------------------------------
def row(batch_id: int, recipient_id: int, status: str, code: str = "", carrier: str = "", carrier_id: str = "") -> Row:
    """One receipt as it is appended; what others wrote is cut to what the table takes."""
    return batch_id, recipient_id, status, _plain(code, 40), carrier[:20], _plain(carrier_id, 64)


def record_many(rows: Iterable[Sequence[Any]]) -> None:
    """Append receipts (batch id, recipient id, status, code, and where they are known carrier and the carrier's number); durable
    when this returns. One of unknown status is left out: what one device says must not keep the others' words from being
    written."""
    given = list(rows)
    known = [row(*one) for one in given if one[2] in RANK]
    if len(known) < len(given):
        log.warning("left out %d receipts of unknown status", len(given) - len(known))
    if not known:
        return
    now = utcnow()
    with transaction() as session:
        connection = session.connection()
        try:
            receipt_log.append(connection.connection.driver_connection, known, now)
        except connection.dialect.loaded_dbapi.Error as error:  # type: ignore[attr-defined]
            raise OperationalError("receipts", None, error) from error


def record_numbered(rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Append receipts that name a message by the carrier's own number alone: (carrier, number, status, code)."""
    record_many((0, 0, status, code, carrier, number) for carrier, number, status, code in rows)


def _plain(code: str, longest: int) -> str:
    if _UNPRINTABLE.search(code):
        code = "".join(c for c in code if c.isprintable())
    return code[:longest]


# -- folding -----------------------------------------------------------------------------------------------
@dataclass
class _Round:
    """How far this process has looked, and how many it left waiting on the way."""

    after: int = 0
    left: int = 0
    again_at: float = 0.0


def fold() -> int:
    """Fold receipts into deliveries and counts, from the oldest on; how many are done with: call again at once when they are
    FOLD_LIMIT or more. One process folds at a time: two would each count a message whose receipts they share."""
    place: _Round = current_app.extensions.setdefault("receipts_round", _Round())
    if place.left <= _PAGE or time.monotonic() >= place.again_at:
        place.after, place.left, place.again_at = 0, 0, time.monotonic() + _RECHECK
    done = 0
    while done < FOLD_LIMIT:
        if (page := _fold_page(place.after)) is None:
            break
        done += page.done
        place.left += page.seen - page.done
        place.after = page.last
        if page.seen < _PAGE:
            break
    return done


@dataclass
class _Page:
    """What became of one page: `last` is its last id."""

    seen: int
    done: int
    last: int


@dataclass
class _Sorted:
    """A page taken apart. `furthest`: per message the receipt that goes furthest beyond what was known; `folded`: ids of all that
    are done with; `strays`: those of no message; `ends`: what became of handing the messages over, as far as it is known."""

    ends: dict[Key, End]
    furthest: dict[Key, Any] = field(default_factory=dict)
    folded: list[int] = field(default_factory=list)
    strays: list[Any] = field(default_factory=list)


def by_key() -> list[Any]:
    """For PostgreSQL: until the end of the transaction rows are looked up by their keys. For some thousand receipts the planner
    would rather read tables that have a row for every message ever sent."""
    ways = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_material")
    return [func.set_config(way, "off", True) for way in ways]


def _query() -> Any:
    """One page with what decides about it, but for outcomes: the message, its batch, what was folded before."""
    page = select(Receipt).where(Receipt.id > bindparam("after")).order_by(Receipt.id).limit(bindparam("size")).subquery()
    numbered = page.c.batch_id == 0
    batch_id = case((numbered, Carried.batch_id), else_=page.c.batch_id)
    recipient_id = case((numbered, Carried.recipient_id), else_=page.c.recipient_id)
    return (
        select(
            page.c.id, page.c.status, page.c.code, page.c.at, page.c.carrier, page.c.carrier_id,
            page.c.batch_id.label("told_batch"), page.c.recipient_id.label("told_recipient"),
            batch_id.label("batch_id"), recipient_id.label("recipient_id"),
            Batch.dispatch_id, Batch.region_code, Batch.language, Batch.channel, Batch.state,
            Delivery.status.label("was"), Delivery.code.label("was_code"),
        )
        .select_from(page)
        .outerjoin(Carried, and_(numbered, Carried.carrier == page.c.carrier, Carried.carrier_id == page.c.carrier_id))
        .outerjoin(Batch, Batch.id == batch_id)
        .outerjoin(Delivery, and_(Delivery.batch_id == batch_id, Delivery.recipient_id == recipient_id))
        .order_by(page.c.id)
    )


_QUERY = _query()
#: Whether nobody else folds.
_ALONE = select(func.pg_try_advisory_xact_lock(FOLD_LOCK), *by_key())


def _fold_page(after: int) -> _Page | None:
    """Fold the next receipts behind that id; None when there are none, or somebody else is folding."""
    if db.session.in_transaction():
        db.session.rollback()  # what was read before may be old
    there = db.session.execute(select(Receipt.id).where(Receipt.id > after).limit(1)).first()
    db.session.rollback()
    if there is None:  # a plain read: who finds nothing must not take the write lock
        return None
    with transaction() as session:
        if session.get_bind().dialect.name == "postgresql" and not session.scalar(_ALONE):
            return None
        rows = session.execute(_QUERY, {"after": after, "size": _PAGE}).all()
        if not rows:
            return None
        found = _sort(session, rows, utcnow())
        _write(session, found)
        _put_aside(session, found.strays)
        _delete(session, found.folded)
        return _Page(len(rows), len(found.folded), rows[-1].id)


def _sort(session: Session, rows: Sequence[Any], now: datetime) -> _Sorted:
    found, members = _Sorted(_ends(session, rows)), _Members(session)
    for r in rows:
        unknown = r.channel == SMS and (r.batch_id, r.recipient_id) not in found.ends
        if r.dispatch_id is None:
            if not r.told_batch and now - r.at < _UNKNOWN_FOR:
                continue
            found.strays.append(r)
        elif unknown and r.state == READY:
            continue  # its outcome is under way, and says whom it counts for
        elif unknown and r.recipient_id not in members.of(r.batch_id):
            found.strays.append(r)
        else:
            best = found.furthest.get((r.batch_id, r.recipient_id))
            known = best.status if best is not None else r.was
            if known is None or RANK[r.status] > RANK[known]:
                found.furthest[r.batch_id, r.recipient_id] = r
        found.folded.append(r.id)
    return found


def _ends(session: Session, rows: Sequence[Any]) -> dict[Key, End]:
    wanted: dict[int, set[int]] = {}
    for r in rows:
        if r.dispatch_id is not None:
            wanted.setdefault(r.batch_id, set()).add(r.recipient_id)
    return outcomes.ends_of(session, wanted)


class _Members:
    """Whom a batch was for; read where an outcome is missing in a batch that has ended."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[int, frozenset[int]] = {}

    def of(self, batch_id: int) -> frozenset[int]:
        if batch_id not in self._known:
            packed = self._session.execute(select(Batch.recipients).where(Batch.id == batch_id)).scalar_one()
            self._known[batch_id] = frozenset(unpack(packed).tolist())
        return self._known[batch_id]


def _write(session: Session, found: _Sorted) -> None:
    furthest, ends = found.furthest, found.ends
    if not furthest:
        return
    counts: dict[Any, Counter[tallies.Key]] = {}
    unrecorded = late.went_out(session, (r for key, r in furthest.items()
                                         if key not in ends and r.was is None and r.channel == SMS))
    for key, r in furthest.items():
        counter = counts.setdefault(r.dispatch_id, Counter())
        ended = ends.get(key) or End("", unrecorded.get(key, 0))
        place, mask = (r.region_code, r.language), ended.audiences
        if r.state == OVERDUE and ended.status == tallies.ACCEPTED and r.was in tallies.SILENT:
            counter[*place, tallies.SILENT[r.was], mask] -= 1
            if r.status in tallies.SILENT:
                counter[*place, tallies.SILENT[r.status], mask] += 1
        for status, code, step in ((r.was, r.was_code, -1), (r.status, r.code, 1)):
            if status is None:
                continue
            counter[*place, tallies.STAGE + status, mask] += step
            if code:
                counter[*place, f"{tallies.REASON}{_kind(r.channel, status)}:{code}", mask] += step
    _put(session, [(*key, r.status, r.code, r.at) for key, r in sorted(furthest.items())])
    for dispatch_id in sorted(counts):
        tallies.add(session, dispatch_id, counts[dispatch_id])


def _kind(channel: str, status: str) -> str:
    return FAILED_LATER if channel == SMS and status == "failed" else status


_PUT_ARRAYS = text(
    "INSERT INTO delivery (batch_id, recipient_id, status, code, at)"
    " SELECT * FROM unnest(CAST(:b AS bigint[]), CAST(:r AS bigint[]), CAST(:s AS text[]), CAST(:c AS text[]),"
    " CAST(:t AS timestamptz[]))"
    " ON CONFLICT (batch_id, recipient_id) DO UPDATE SET status = excluded.status, code = excluded.code, at = excluded.at"
)


def _put(session: Session, rows: list[tuple[int, int, str, str, datetime]]) -> None:
    columns = ("batch_id", "recipient_id", "status", "code", "at")
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_PUT_ARRAYS, dict(zip("brsct", map(list, zip(*rows, strict=True)), strict=True)))
        return
    upsert = insert_into(session, Delivery)
    session.execute(
        upsert.on_conflict_do_update(index_elements=columns[:2], set_={c: upsert.excluded[c] for c in columns[2:]}),
        [dict(zip(columns, one, strict=True)) for one in rows],
    )


def _put_aside(session: Session, strays: list[Any]) -> None:
    """Keep the newest of those that name no message of ours."""
    if not strays:
        return
    log.warning("%d receipts name no message of ours", len(strays))
    session.execute(
        insert(StrayReceipt),
        [
            {"carrier": r.carrier, "carrier_id": r.carrier_id, "batch_id": r.told_batch, "recipient_id": r.told_recipient,
             "status": r.status, "code": r.code, "at": r.at}
            for r in strays[-STRAYS_KEPT:]
        ],
    )
    newest = session.scalar(select(func.max(StrayReceipt.id))) or 0
    old = delete(StrayReceipt).where(StrayReceipt.id <= newest - STRAYS_KEPT)
    session.execute(old.execution_options(synchronize_session=False))


_DELETE = {
    "postgresql": text("DELETE FROM receipt WHERE id = ANY(CAST(:ids AS bigint[]))"),
    "sqlite": text("DELETE FROM receipt WHERE id IN (SELECT value FROM json_each(:ids))"),
}


def _delete(session: Session, ids: list[int]) -> None:
    if not ids:
        return
    name = session.get_bind().dialect.name
    session.execute(_DELETE[name], {"ids": ids if name == "postgresql" else str(ids)})


# -- looking after -----------------------------------------------------------------------------------------
def strays() -> int:
    """How many receipts of no message of ours are kept."""
    return db.session.scalar(select(func.count()).select_from(StrayReceipt)) or 0


def newest_strays(limit: int, before: int | None = None) -> list[StrayReceipt]:
    """Those that were kept last, or last before the one of that id."""
    query = select(StrayReceipt).order_by(StrayReceipt.id.desc()).limit(limit)
    if before is not None:
        query = query.where(StrayReceipt.id < before)
    return list(db.session.execute(query).scalars())


def waiting() -> tuple[int, float]:
    """How many receipts are not folded yet (counted to a hundred thousand), and how long the oldest of them has waited, in
    seconds."""
    some = select(Receipt.id).limit(_MOST_COUNTED).subquery()
    number = db.session.scalar(select(func.count()).select_from(some)) or 0
    oldest = db.session.execute(select(Receipt.at).order_by(Receipt.id).limit(1)).scalar()
    return number, max(0.0, (utcnow() - oldest).total_seconds()) if oldest else 0.0


def sweep(app: Any) -> None:
    """Forget carriers' numbers that no receipt will name any more, and old receipts of no message."""
    with app.app_context():
        _sweep(Carried, (Carried.carrier, Carried.carrier_id), utcnow() - timedelta(days=_CARRIED_DAYS))
        _sweep(StrayReceipt, (StrayReceipt.id,), utcnow() - timedelta(days=STRAYS_DAYS))


def _sweep(table: Any, key: tuple[Any, ...], before: datetime) -> None:
    """A piece at a time, so that nobody waits long for the lock."""
    old = select(*key).where(table.at < before).limit(_SWEPT_AT_ONCE)
    which = tuple_(*key).in_(old) if len(key) > 1 else key[0].in_(old)
    for _ in range(10_000):
        with transaction() as session:
            gone = session.execute(delete(table).where(which).execution_options(synchronize_session=False))
        if gone.rowcount < _SWEPT_AT_ONCE:  # type: ignore[attr-defined]
            return
