"""Recording outcomes, beside bare appending: on PostgreSQL by COPY, on SQLite by executemany, a thousand rows in a transaction.

What is recorded is what a worker's writer writes, by the same function: rows of two leases at a time, with fences, counts and
batches that are let go of.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from portal.core.db import db
from portal.dispatch import lease as leases
from portal.dispatch.bulk.books import Books
from portal.dispatch.lease import Parting, Results
from portal.dispatch.models import SMS
from tools.bench.population import AUDIENCES
from tools.bench.rig import Rig
from tools.bench.rows import AT_LEAST, Row, compared, middle, notes, spread

CHUNK = 1000
MOST = 10_000  # batches
_COLUMNS = ("batch_id bigint, recipient_id bigint, status varchar(12), code varchar(40), carrier_id varchar(64),"
            " at timestamp with time zone, carrier varchar(20), audiences bigint")

Outcome = tuple[int, str, str, str, str, int]


def measure(rig: Rig, lite: Rig, *, runs: int = 3) -> list[Row]:
    """`rig` on PostgreSQL, a tenth of its people; `lite` on SQLite, all of its fewer: a second's work is hardly any."""
    return [
        _compare("PostgreSQL", "bare COPY", rig, lambda rows, key: bare_copy(rig.raw_url, rows, key), 10, runs),
        _compare("SQLite", "bare executemany", lite, lambda rows, key: bare_executemany(lite.folder, rows, key), 100, runs),
    ]


def _compare(kind: str, reference: str, rig: Rig, bare: Callable[[list[tuple], bool], float], share: int, runs: int) -> Row:
    ours, theirs, keyed = list[float](), list[float](), list[float]()
    for _ in range(runs):
        seconds, rows = record(rig, share)
        ours.append(len(rows) / seconds)
        theirs.append(len(rows) / bare(rows, False))
        keyed.append(len(rows) / bare(rows, True))
    note = notes(f"{CHUNK:,} in a transaction", f"bare with the table's key {middle(keyed):,.0f}/s", spread(ours))
    return compared(f"outcomes recorded, {kind}", middle(ours), "/s", reference, middle(theirs), AT_LEAST, 0.6, note)


def record(rig: Rig, share: int) -> tuple[float, list[tuple]]:
    """Seconds to record the outcomes of a whole dispatch, and the rows."""
    dispatch = rig.issue(share, drill=True)
    rig.plan(dispatch)
    with rig.app.app_context(), contextlib.closing(Books(db.engine, "bench", ())) as books:
        claimed = list[leases.Lease]()
        while some := leases.claim_some(SMS, "bench", 100):
            claimed += some
        work = _chunks(claimed)
        begun = time.perf_counter()
        for results in work:
            if books.record(results):
                raise RuntimeError("a lease was lost")
        seconds = time.perf_counter() - begun
        db.session.rollback()
    return seconds, [(one.lease.batch_id, *row) for results in work for one in results for row in one.rows]


def _chunks(claimed: list[leases.Lease]) -> list[list[Results]]:
    """The outcomes of all leases, a thousand in a transaction: mostly the end of one lease and the beginning of another."""
    pieces = list[Results]()
    for lease in claimed:
        ids = lease.pending.tolist()
        half = len(ids) // 2
        pieces.append(Results(lease, [_outcome(i) for i in ids[:half]]))
        pieces.append(Results(lease, [_outcome(i) for i in ids[half:]], Parting()))
    chunks, held = [pieces[:1]], len(pieces[0].rows)
    for piece in pieces[1:]:
        if held + len(piece.rows) > CHUNK or any(one.lease is piece.lease for one in chunks[-1]):
            chunks.append([])
            held = 0
        chunks[-1].append(piece)
        held += len(piece.rows)
    return chunks


def _outcome(recipient: int) -> Outcome:
    return recipient, "accepted", "", f"SM{recipient:032x}", "twilio", AUDIENCES[recipient % 10]


# -- the references ----------------------------------------------------------------------------------------
def bare_copy(url: str, rows: list[tuple], key: bool) -> float:
    """Seconds to append the rows by COPY, a thousand in a transaction. `key`: into a table with the outcomes' key."""
    with psycopg.connect(url) as server:
        server.execute("DROP TABLE IF EXISTS bare_outcome")
        server.execute(f"CREATE TABLE bare_outcome ({_COLUMNS}{', PRIMARY KEY (batch_id, recipient_id)' if key else ''})")
        server.commit()
        begun = time.perf_counter()
        for at in range(0, len(rows), CHUNK):
            now = datetime.now(UTC).isoformat()
            lines = [f"{b}\t{r}\t{status}\t{code}\t{sid}\t{now}\t{carrier}\t{mask}\n"
                     for b, r, status, code, sid, carrier, mask in rows[at : at + CHUNK]]
            with server.cursor() as cursor, cursor.copy("COPY bare_outcome FROM STDIN") as copy:
                copy.write("".join(lines))
            server.commit()
        return time.perf_counter() - begun


def bare_executemany(folder: Path, rows: list[tuple], key: bool) -> float:
    path = folder / "bare.db"
    path.unlink(missing_ok=True)
    base = sqlite3.connect(path, isolation_level=None)
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=FULL")
        base.execute(f"CREATE TABLE bare_outcome ({_COLUMNS}{', PRIMARY KEY (batch_id, recipient_id)' if key else ''})")
        begun = time.perf_counter()
        for at in range(0, len(rows), CHUNK):
            now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            base.execute("BEGIN IMMEDIATE")
            base.executemany("INSERT INTO bare_outcome VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                             [(b, r, status, code, sid, now, carrier, mask)
                              for b, r, status, code, sid, carrier, mask in rows[at : at + CHUNK]])
            base.execute("COMMIT")
        return time.perf_counter() - begun
    finally:
        base.close()
