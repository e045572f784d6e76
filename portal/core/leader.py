"""One leader among processes of one database: whoever holds a lock of PostgreSQL that belongs to one connection.

The connection is the leader's own and does nothing else. When its process dies, the lock falls at once; when its machine is cut
off, the server misses it after `MISSED_SECONDS`. The leader asks each second whether it still holds the lock and waits for the
answer no longer than `ANSWER_SECONDS`: it knows that it has lost it before another one can have it.
"""

from __future__ import annotations

import contextlib
import logging
import random
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

import psycopg
from psycopg import pq
from sqlalchemy import make_url

log = logging.getLogger(__name__)

CONNECT_SECONDS = 3
ANSWER_SECONDS = 2.0
LOOK_SECONDS = 1.0
#: After so much silence the server gives a connection up: two seconds, then three questions that nobody answers.
MISSED_SECONDS = 5
_SERVER = ("-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=5000"
           " -c statement_timeout=2000")


class Lost(Exception):
    """The connection, and with it the lock, is gone or did not answer in time."""


class Lock:
    """A lock of the whole database by number, held by one connection. Used by one thread."""

    def __init__(self, url: str, number: int) -> None:
        """`url`: SQLAlchemy's, of PostgreSQL; not by way of a pool that gives connections out by transaction."""
        self._url, self._number = make_url(url), number
        self._connection: psycopg.Connection | None = None

    def take(self) -> bool:
        """Whether it is ours now; False while another holds it. Raises Lost."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            if self._ask(f"SELECT pg_try_advisory_lock({self._number})") != b"t":
                return False
            if self._has():
                return True
            log.error("the database gives a lock and does not hold it for this connection: is there a pool between, that gives"
                      " connections out by transaction?")
            self.drop()
            return False
        except (psycopg.Error, OSError) as error:
            self.drop()
            raise Lost from error

    def held(self) -> bool:
        """Whether it is still ours. Answers within `ANSWER_SECONDS`; what cannot be told is no."""
        if self._connection is None:
            return False
        try:
            if self._has():
                return True
        except (psycopg.Error, OSError):
            log.debug("no answer about the lock", exc_info=True)
        self.drop()
        return False

    def drop(self) -> None:
        """Let go, at once and in any state."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> psycopg.Connection:
        arguments = dict(self._url.get_dialect()().create_connect_args(self._url)[1])
        return psycopg.connect(
            **arguments | {"connect_timeout": CONNECT_SECONDS, "options": _SERVER, "application_name": "anlan-leader"},
            autocommit=True, keepalives=1, keepalives_idle=2, keepalives_interval=1, keepalives_count=3, tcp_user_timeout=3000)

    def _has(self) -> bool:
        # The number stands there in two halves. Behind a pool that changes connections this is false, and nobody leads.
        return self._ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted"  # noqa: S608
            f" AND classid = {self._number >> 32} AND objid = {self._number & 0xFFFFFFFF}") not in (b"0", None)

    def _ask(self, question: str) -> bytes | None:
        """The one value of the answer. Unlike the driver's own ways it ends in time also when the server says nothing at all."""
        if self._connection is None:
            raise OSError("no connection")
        line, deadline = self._connection.pgconn, time.monotonic() + ANSWER_SECONDS
        line.send_query(question.encode())
        while line.flush():
            self._wait(deadline, writing=True)
        while line.is_busy():
            self._wait(deadline)
            line.consume_input()
        answer = line.get_result()
        while line.get_result() is not None:
            pass
        if answer is None or answer.status != pq.ExecStatus.TUPLES_OK:
            raise OSError("the server refused")
        return answer.get_value(0, 0)

    def _wait(self, deadline: float, *, writing: bool = False) -> None:
        assert self._connection is not None  # noqa: S101  (for the type checker)
        poll, left = select.poll(), deadline - time.monotonic()  # select() knows no more than 1024 files
        poll.register(self._connection.pgconn.socket, select.POLLOUT if writing else select.POLLIN)
        if left <= 0 or not poll.poll(left * 1000):
            raise OSError("no answer in time")


class Part(Protocol):
    """What only the leader runs."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def abandon(self) -> None: ...  # at once: begin nothing more, wait for nothing


class Stand:
    """A process that leads or stands by. `make`: the part, made anew each time that this process begins to lead."""

    def __init__(self, lock: Lock, make: Callable[[], Part], *, say: Callable[[bool], object] = lambda leads: None) -> None:
        self._lock, self._make, self._say = lock, make, say
        self._part: Part | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)

    @property
    def leads(self) -> bool:
        return self._part is not None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End in an orderly way: what the part has begun is finished, then another may lead."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        said: bool | None = None
        while not self._stopping.is_set():
            try:
                self._look()
            except Exception:  # as a part that cannot be made: another process may be able to
                log.exception("cannot lead")
                self._abandon()
            if said is not self.leads:
                said = self.leads
                self._say(said)
            self._stopping.wait(LOOK_SECONDS if self.leads else LOOK_SECONDS * random.uniform(0.5, 1))  # noqa: S311
        if self._part is not None:
            self._part.stop()
        self._lock.drop()

    def _look(self) -> None:
        if self._part is not None:
            if not self._lock.held():
                log.warning("another process may lead now: this one stands by")
                self._abandon()
            return
        with contextlib.suppress(Lost):  # the database is away; nobody leads
            if self._lock.take():
                self._part = self._make()
                self._part.start()

    def _abandon(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            part.abandon()
        self._lock.drop()
