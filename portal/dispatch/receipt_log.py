"""How receipts come to lie on the disk: appended by the driver itself, many callers' rows in one commit.

A commit costs the same for one row as for thirty. Whoever comes while another is writing waits for the next commit, and that
one is for all who came meanwhile; nobody returns before its own rows are durable.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Engine

from portal.core.clock import utcnow
from portal.core.db import turn_to_write

#: Batch id, recipient id, status, code, carrier, the carrier's number of the message.
Row = tuple[int, int, str, str, str, str]

#: Above so many rows PostgreSQL's COPY is quicker than arrays in one statement.
_FEW = 64
#: Rows of one commit, so that nobody's answer waits for ever more of them.
_MOST = 5000
#: Seconds that a caller waits: longer than a statement may take, and then it is told that its rows are not durable.
_PATIENCE = 70.0

_ARRAYS = (
    "INSERT INTO receipt (at, batch_id, recipient_id, status, code, carrier, carrier_id) SELECT %s::timestamptz, * FROM"
    " unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[])"
)
_COPY = "COPY receipt (batch_id, recipient_id, status, code, carrier, carrier_id, at) FROM STDIN"
_LITE = "INSERT INTO receipt (batch_id, recipient_id, status, code, carrier, carrier_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)"


def append(driver: Any, rows: Sequence[Row], at: datetime) -> None:
    """Append rows through the driver's connection (psycopg or sqlite3), within whatever transaction it is in."""
    if not hasattr(driver, "pgconn"):
        moment = at.replace(tzinfo=None).isoformat(" ", "microseconds")
        driver.executemany(_LITE, [(*row, moment) for row in rows])
    elif len(rows) <= _FEW:
        driver.execute(_ARRAYS, (at, *map(list, zip(*rows, strict=True))), prepare=True)
    else:
        moment = at.isoformat()
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write("".join(f"{b}\t{r}\t{s}\t{_copied(c)}\t{k}\t{_copied(n)}\t{moment}\n" for b, r, s, c, k, n in rows))


def _copied(value: str) -> str:
    return value.replace("\\", "\\\\")  # of what COPY reads otherwise only this is printable


class Together:
    """Writes the receipts of many requests in one commit. Safe to call from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._pen = _Pen(engine)
        self._guard = threading.Lock()
        self._waiting: list[_Entry] = []
        self._writing = False

    def record(self, rows: Sequence[Row]) -> None:
        """Durable when this returns. Raises what kept the rows from being so."""
        entry = _Entry(rows)
        with self._guard:
            self._waiting.append(entry)
            leads, self._writing = not self._writing, True
        if not leads:
            self._wait(entry)
        if not entry.written:
            self._write()
        if entry.error is not None:
            raise entry.error

    def close(self) -> None:
        """Let go of the connection."""
        self._pen.drop()

    def _wait(self, entry: _Entry) -> None:
        """Until the rows are written, or it is this caller's turn to write."""
        if entry.turn.acquire(timeout=_PATIENCE):
            return
        with self._guard:
            if entry in self._waiting and not entry.leads:
                self._waiting.remove(entry)
                raise TimeoutError("receipts could not be written in time")
        if not entry.turn.acquire(timeout=_PATIENCE):
            raise TimeoutError("receipts could not be written in time")

    def _write(self) -> None:
        """Write for all who wait, the caller among them, and hand the pen on."""
        with self._guard:
            entries = self._take()
        error: BaseException | None = None
        try:
            self._pen.write([row for entry in entries for row in entry.rows])
        except BaseException as failed:
            error = failed
        finally:
            for entry in entries:
                entry.written, entry.error = True, error
            with self._guard:
                following = self._waiting[0] if self._waiting else None
                self._writing = following is not None
                if following is not None:
                    following.leads = True
            for entry in entries if following is None else (*entries, following):
                entry.turn.release()

    def _take(self) -> list[_Entry]:
        taken, size = 0, 0
        while taken < len(self._waiting) and (not taken or size + len(self._waiting[taken].rows) <= _MOST):
            size += len(self._waiting[taken].rows)
            taken += 1
        entries, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return entries


def _shut() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class _Entry:
    rows: Sequence[Row]
    turn: threading.Lock = field(default_factory=_shut)
    leads: bool = False
    written: bool = False
    error: BaseException | None = None


class _Pen:
    """The connection of who writes; used by one thread at a time. On PostgreSQL it is kept, and each write is one statement and
    one journey there and back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Any = None

    def write(self, rows: Sequence[Row]) -> None:
        at = utcnow()
        if self._engine.dialect.name == "sqlite":
            self._write_lite(rows, at)
            return
        fresh = self._kept is None
        try:
            append(self._connection(), rows, at)
        except Exception as error:
            self.drop()
            if fresh or not isinstance(error, self._engine.dialect.loaded_dbapi.OperationalError):
                raise
            # The server was started anew, or closed what lay idle. A receipt that is written twice says nothing new.
            append(self._connection(), rows, at)

    def _write_lite(self, rows: Sequence[Row], at: datetime) -> None:
        writing = self._engine.execution_options(writes=True)
        with turn_to_write(self._engine), writing.begin() as connection:
            append(connection.connection.driver_connection, rows, at)

    def _connection(self) -> Any:
        if self._kept is None:
            lent = self._engine.raw_connection()
            self._kept = lent.driver_connection
            lent.detach()  # it is not the pool's any more, which would lend it out as it is now
            self._kept.autocommit = True
        return self._kept

    def drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            with contextlib.suppress(Exception):  # it is broken already
                kept.close()
