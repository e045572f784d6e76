"""Database: the declarative base, the column types that both databases share, and write transactions.

SQLite runs in WAL mode with ``synchronous=FULL`` (a commit survives a power cut) and takes its write lock at
the beginning of a write transaction, so that two writers queue instead of failing half-way.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator
from uuid_utils.compat import uuid7 as _uuid7

# Bounds how long a writer waits for the other writers of SQLite before it gives up with an error.
SQLITE_BUSY_SECONDS = 30

#: Seconds of silence, then questions that nobody answers: who is cut off knows it after a quarter of a minute, and so does the
#: server, which would otherwise keep the locks of a machine that is gone for two hours.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 6, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 15_000}
_SESSION = ("-c statement_timeout=60000 -c idle_in_transaction_session_timeout=120000 -c tcp_keepalives_idle=6"
            " -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3 -c tcp_user_timeout=15000")

#: The daemon, where it is at a table, goes away after one; who vacuums by hand does not.
TABLE_SECONDS = 5.0
#: Longest stand-still of a sending process inside a transaction.
HURRY_SECONDS = 15

log = logging.getLogger(__name__)
db = SQLAlchemy(require_default_engine=False, session_options={"expire_on_commit": False})


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment. Naive values are refused; what comes back is aware and in UTC on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime: say which zone is meant")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: JSON on SQLite, JSONB on PostgreSQL.
Json = JSON().with_variant(JSONB(), "postgresql")
#: 64-bit key; SQLite numbers rows by itself only in a column called INTEGER.
BigId = BigInteger().with_variant(Integer(), "sqlite")


def uuid7() -> uuid.UUID:
    """A new identifier that sorts by the time it was made (RFC 9562, version 7)."""
    return _uuid7()


def insert_into(session: Session, table: Any) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT: both databases have it, SQLAlchemy once for each."""
    postgres = session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if postgres else sqlite.insert(table)


@contextmanager
def driver_cursor(session: Session, **options: Any) -> Iterator[Any]:
    """The driver's own cursor in the session's transaction, where what lies between costs more than the statement. Its errors are
    raised as SQLAlchemy's, as everywhere else: IntegrityError, DataError for what PostgreSQL would refuse again and again, and
    OperationalError for all others."""
    with _cursor_of(session.connection(), **options) as cursor:
        yield cursor


@contextmanager
def _cursor_of(connection: Connection, **options: Any) -> Iterator[Any]:
    cursor: Any = connection.connection.cursor(**options)
    try:
        yield cursor
    except (psycopg.IntegrityError, sqlite3.IntegrityError) as error:
        raise IntegrityError("", None, error) from error
    except (psycopg.DataError, psycopg.ProgrammingError) as error:
        raise DataError("", None, error) from error
    except (psycopg.Error, sqlite3.Error) as error:
        raise OperationalError("", None, error) from error
    finally:
        cursor.close()


class Standing:
    """A connection to PostgreSQL that is kept from one statement to the next, each of which is a transaction by itself; for one
    thread, which has very many. Otherwise a statement costs four questions: whether the connection lives, the beginning, the
    statement, the end."""

    KEPT_SECONDS = 5.0  # without work; then it is asked for anew, since nobody has looked whether it lives

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._used = 0.0

    @contextmanager
    def cursor(self, **options: Any) -> Iterator[Any]:
        """The driver's cursor for one statement. Errors as of :func:`driver_cursor`; where the connection is lost, the statement
        may have been done, and the next one has a new connection."""
        if self._connection is not None and time.monotonic() - self._used > self.KEPT_SECONDS:
            self.close()
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with _cursor_of(self._connection, **options) as cursor:
                yield cursor
            self._used = time.monotonic()
        except IntegrityError:
            raise
        except BaseException:
            self._connection.invalidate()
            self.close()
            raise

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def engine_options(url: str) -> dict[str, Any]:
    """Pool and driver options for `url`."""
    if url.startswith("sqlite"):
        return {
            "url": url,
            "hide_parameters": True,  # an error's text goes to the log; what it was about does not
            "connect_args": {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
        }
    return {
        "url": url,
        "hide_parameters": True,
        "pool_size": 10,
        "max_overflow": 20,
        "pool_pre_ping": True,
        "pool_timeout": 30,
        "connect_args": {"connect_timeout": 10, "options": _SESSION} | _KEEPALIVES,
    }


def tune(engine: Engine) -> None:
    """Set up `engine` for concurrent use. Only SQLite needs it."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the begin event below speaks instead of the driver
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
            f"busy_timeout={SQLITE_BUSY_SECONDS * 1000}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def hurry(engine: Engine) -> None:
    """For a process that only sends: where it stands still in the middle of a transaction, others do not wait for what it holds.
    PostgreSQL ends the session then, and what it would have written is written again."""
    if engine.dialect.name != "postgresql":
        return

    @event.listens_for(engine, "connect")
    def _soon(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{HURRY_SECONDS}s'")
        connection.commit()


@contextmanager
def impatient(seconds: float) -> Iterator[None]:
    """Within it no query waits longer than this for what others have locked: PostgreSQL raises OperationalError then, after
    which the session must be rolled back. SQLite's readers wait for nobody."""
    if db.engine.dialect.name == "sqlite":
        yield
        return
    db.session.execute(text(f"SET LOCAL lock_timeout = {int(seconds * 1000)}"))
    yield
    db.session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def many_came(*tables: Any) -> None:
    """Tell PostgreSQL's planner, in a transaction of its own, how these tables look now. Its daemon looks once a minute, and
    until then a table that was just filled is planned for as if it were empty."""
    if db.engine.dialect.name == "sqlite":
        return
    try:
        with transaction() as session, impatient(TABLE_SECONDS):
            for table in tables:
                session.execute(text(f"ANALYZE {table.__tablename__}"))
    except OperationalError:
        log.warning("PostgreSQL could not be told what was filled just now; it looks by itself later", exc_info=True)


class FairLock:
    """A lock whose waiters get it in the order in which they came.

    SQLite lets waiting writers try again after naps of up to a tenth of a second, so that a busy thread takes the write
    lock again and again before an unlucky one wakes: a warning's first message once waited for 18 seconds. Threads of
    one process therefore queue here; only other processes meet SQLite's own waiting.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    def acquire(self, seconds: float) -> bool:
        with self._guard:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            if turn.wait(seconds):
                return True
        except BaseException:  # Ctrl-C while waiting: who has left the queue must not be given the lock
            with self._guard:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                else:
                    self._pass_on()
            raise
        with self._guard:
            if turn not in self._waiting:
                return True
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        with self._guard:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._taken = False


_fair_locks: dict[str, FairLock] = {}
_fair_locks_guard = threading.Lock()


def _fair_lock(url: str) -> FairLock:
    with _fair_locks_guard:
        return _fair_locks.setdefault(url, FairLock())


@contextmanager
def turn_to_write(engine: Engine) -> Iterator[None]:
    """Wait for the turn to write, on SQLite; for who writes past the session. Raises TimeoutError."""
    if engine.dialect.name != "sqlite":
        yield
        return
    lock = _fair_lock(str(engine.url))
    if not lock.acquire(SQLITE_BUSY_SECONDS):
        raise TimeoutError(f"the database was busy for {SQLITE_BUSY_SECONDS} s")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def transaction() -> Iterator[Session]:
    """One write transaction on the context's session: all of the block, or nothing of it.

    Ends the reading that went before first: what was read earlier may be old, so read again inside what the
    decision depends on. Blocks do not nest.
    """
    session = db.session
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("objects were changed before the transaction began")
    if session.info.get("writing"):
        raise RuntimeError("a write transaction is already open")
    if session.in_transaction():
        session.commit()
    with turn_to_write(session.get_bind().engine):
        try:
            session.connection(execution_options={"writes": True})
            session.expire_all()
            session.info["writing"] = True
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info.pop("writing", None)
