"""The keeper: a process beside a worker that asks the database for it.

The interpreter lets one thread work at a time. Where numbers are opened and outcomes written in threads beside the loop that
hands over, it stands still meanwhile, and each message costs several turns of the lock. Here that is done in another process, by
the same functions (`books`). It holds nothing: when it ends, whatever was asked is asked again of the next one, as when the
database is away. It ends by itself when the worker does.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import marshal
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from multiprocessing.connection import Connection
from typing import Any

from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from portal import create_app
from portal.config import ROOT, Settings
from portal.core import logs
from portal.core.db import db, hurry
from portal.dispatch.bulk.books import Books, Opened, light
from portal.dispatch.bulk.exchange import Exchange
from portal.dispatch.lease import Lease, Parting, Results

#: What says that the database, or who asks it, is away for now.
AWAY = (OperationalError, InterfaceError, PoolTimeout, TimeoutError)
ANSWER_SECONDS = 60.0  # for one answer; PostgreSQL gives a statement as long
END_SECONDS = 5.0  # in which a keeper that is not wanted any more ends
READ, WRITE = 0, 1  # what is read and what is written do not wait for each other
_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # to the whole group: the worker's to hear, which still has to write

log = logging.getLogger(__name__)


class Away(TimeoutError):
    """The keeper, or the database behind it, gives no answer. What was asked may have been done."""


class Fault(RuntimeError):
    """The keeper met a fault of ours, and has told it in the log."""


# -- beside the worker ---------------------------------------------------------------------------------------
class Keeper:
    """As :class:`portal.dispatch.bulk.books.Books`, in a process of its own. `claim` and `record` may be called from one thread
    each. They raise Away, whereupon the next call begins a new process."""

    def __init__(self, settings: Settings, owner: str, numbered: Collection[str]) -> None:
        self._settings, self._numbered = settings, sorted(numbered)
        self._owner = owner
        self._unheard = False  # whether batches may have been leased of which nobody here knows
        self._guard = threading.Lock()
        self._child: _Child | None = None
        self._closed = False
        self.begun = 0  # processes, since the start: more than one means that some ended

    def start(self) -> None:
        """Begin the process; the first answer waits until it is ready."""
        self._living()

    def close(self) -> None:
        with self._guard:
            child, self._child, self._closed = self._child, None, True
        if child:
            child.end(END_SECONDS)

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.process.pid if child else None

    def claim(self, most: int, above_lane: int | None, but: Collection[int]) -> tuple[list[Opened], str]:
        again, self._unheard = self._unheard, True
        found, fault = self._ask(READ, _pickled("claim", most, above_lane, list(but), again))
        self._unheard = False
        return [Opened(lease, *marshal.loads(columns)) for lease, columns in found], fault  # noqa: S302  our own process's

    def record(self, results: Collection[Results], again: bool = False) -> set[int]:
        return self._ask(WRITE, _to_record(results, again))

    def record_soon(self, loop: asyncio.AbstractEventLoop, results: Collection[Results],
                    heard: Callable[[set[int] | None], None]) -> bool:
        """As `record`, but in the loop's thread, which does not wait; not while `record` is called. Whether it could be asked:
        `heard` is called later, with what `record` would return, or with None where it would raise."""
        child = self._child
        if child is None or child.silent:
            return False

        def told(answer: bytes | None) -> None:
            good, value, child.silent = False, None, answer is None
            try:
                if answer is not None:
                    good, value = pickle.loads(answer)  # noqa: S301  our own process's
            except Exception:
                log.exception("what the keeper answered cannot be read")
                child.silent = True
            heard(value if good else None)

        return child.ask_soon(loop, WRITE, _to_record(results, again=False), told)

    def give_up(self, after: float = 0.0) -> None:
        """In the loop's thread: wait no longer for what was asked so many seconds ago, or before."""
        if child := self._child:
            child.give_up(after)

    def _ask(self, way: int, question: bytes) -> Any:
        child = self._living()
        if child.silent:
            self._let_go(child)
            child = self._living()
        try:
            good, answer = child.ask(way, question)
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self._let_go(child)
            raise Away("the keeper gives no answer") from error
        if good:
            return answer
        raise (Away if answer[0] else Fault)(answer[1])

    def _living(self) -> _Child:
        with self._guard:
            if self._closed:
                raise Away("the keeper has been sent home")
            if self._child is None:
                try:
                    self._child = _Child(self._settings, self._owner, self._numbered)
                except OSError as error:  # no memory, or too many processes
                    raise Away("no keeper can be begun") from error
                self.begun += 1
            return self._child

    def _let_go(self, child: _Child) -> None:
        with self._guard:
            if self._child is child:
                self._child = None
        log.error("the process that asks the database has ended; another begins")
        child.end(0.0)


def _pickled(what: str, *values: Any) -> bytes:
    return pickle.dumps((what, values), pickle.HIGHEST_PROTOCOL)


def _to_record(results: Collection[Results], again: bool) -> bytes:
    return _pickled("record", [(light(one.lease), marshal.dumps(one.rows), one.parting) for one in results], again)


class _Child:
    """One process and the two ways to it. `silent`: it owes an answer, and is to be sent away."""

    def __init__(self, settings: Settings, owner: str, numbered: list[str]) -> None:
        pairs = [socket.socketpair() for _ in (READ, WRITE)]
        theirs = [there.fileno() for _here, there in pairs]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        try:
            with _deaf():
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "portal.dispatch.bulk.keeper", *map(str, theirs)], stdin=subprocess.DEVNULL,
                    pass_fds=theirs, env=os.environ | {"PYTHONPATH": path})
        finally:
            for _here, there in pairs:
                there.close()
        self._sockets = [here for here, _there in pairs]
        self._ways = [Connection(os.dup(here.fileno())) for here in self._sockets]
        self._turns = [threading.Lock() for _ in self._ways]
        self._exchange: Exchange | None = None
        self.silent = False
        detailed = logging.getLogger("portal").isEnabledFor(logging.INFO)
        with contextlib.suppress(OSError):  # it has ended already: the first question says so
            self._ways[READ].send_bytes(pickle.dumps((settings, owner, numbered, detailed)))

    def ask(self, way: int, request: bytes) -> tuple[bool, Any]:
        """Raises EOFError when it has ended, OSError when it stands still, also with a question or an answer half on its way."""
        connection = self._ways[way]
        with self._turns[way]:
            patience = struct.pack("ll", int(ANSWER_SECONDS), int(ANSWER_SECONDS % 1 * 1_000_000))
            for what in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                self._sockets[way].setsockopt(socket.SOL_SOCKET, what, patience)
            connection.send_bytes(request)
            answer = connection.recv_bytes()
        return pickle.loads(answer)  # noqa: S301  our own process's

    def ask_soon(self, loop: asyncio.AbstractEventLoop, way: int, request: bytes, told: Callable[[bytes | None], None]) -> bool:
        """In the loop's thread; whether nobody else is asking."""
        turn = self._turns[way]
        if not turn.acquire(blocking=False):
            return False

        def over(answer: bytes | None) -> None:
            self._exchange = None
            turn.release()
            told(answer)

        try:
            self._exchange = Exchange(loop, self._sockets[way], request, ANSWER_SECONDS, over)
        except BaseException:
            turn.release()
            raise
        return True

    def give_up(self, after: float) -> None:
        if self._exchange and self._exchange.lasts() >= after:
            self._exchange.end()

    def end(self, seconds: float) -> None:
        """Let it finish what it is at for so long."""
        for here in self._sockets:
            with contextlib.suppress(OSError):
                here.shutdown(socket.SHUT_RDWR)  # who waits for its answer in another thread wakes, too
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for turn, here, way in zip(self._turns, self._sockets, self._ways, strict=True):
            # Not while another thread still reads: the number may be another file's at once.
            if turn.acquire(timeout=END_SECONDS):
                here.close()
                way.close()
                turn.release()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A process that is begun within hears no signal before it says so."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- in the process ------------------------------------------------------------------------------------------
def main() -> None:
    """Answer until the worker is gone."""
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    ways = [Connection(int(number)) for number in sys.argv[1:3]]
    try:
        settings, owner, numbered, detailed = pickle.loads(ways[READ].recv_bytes())  # noqa: S301  the worker's
    except (EOFError, OSError):
        return
    logs.set_up(settings.log_format, detailed=detailed)
    app = create_app(settings.model_copy(update={"surfaces": [], "broker_url": ""}))  # it shows and rings nothing
    with app.app_context():
        hurry(db.engine)
        books = Books(db.engine, owner, numbered)
    rarely_collected()
    _wait_for_turns()
    threads = [threading.Thread(target=_serve, args=(app, books, way), name=name, daemon=True)
               for way, name in zip(ways, ("read", "write"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rarely_collected() -> None:
    """For a process through which many small things pass, none of them in a circle: the collector would look at all of them again
    and again, and at everything that the libraries have made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _wait_for_turns() -> None:
    """Have the processor when it is this process's turn, but put nobody aside at each answer of the database: the worker's loop
    writes on what it has, and lost its core every few messages."""
    if hasattr(os, "SCHED_BATCH"):  # Linux
        with contextlib.suppress(OSError):  # forbidden: it works as well, only not as fast
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _serve(app: Flask, books: Books, way: Connection) -> None:
    answers: dict[str, Callable[..., Any]] = {"claim": _claim, "record": _record}
    with way, contextlib.suppress(EOFError, OSError), app.app_context():  # whatever ends this thread, the worker hears it at once
        while True:
            what, values = pickle.loads(way.recv_bytes())  # noqa: S301  the worker's
            try:
                answer = True, answers[what](books, *values)
            except AWAY as error:
                log.warning("the database is away: %s", error)
                _let_go_of_it()
                answer = False, (True, str(error))
            except Exception as error:
                log.exception("what the worker asked could not be done")
                _let_go_of_it()
                answer = False, (False, f"{type(error).__name__}: {error}")
            way.send_bytes(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


def _let_go_of_it() -> None:
    with contextlib.suppress(SQLAlchemyError):  # a connection that is lost says so once more
        db.session.rollback()


def _claim(books: Books, most: int, above_lane: int | None, but: list[int],
           again: bool) -> tuple[list[tuple[Lease, bytes]], str]:
    found, fault = books.claim(most, above_lane, but, again)
    columns = [marshal.dumps((one.recipients, one.audiences, one.numbers, one.refs, one.others)) for one in found]
    return [(one.lease, packed) for one, packed in zip(found, columns, strict=True)], fault


def _record(books: Books, sent: list[tuple[Lease, bytes, Parting | None]], again: bool) -> set[int]:
    return books.record([Results(lease, marshal.loads(rows), parting) for lease, rows, parting in sent], again)  # noqa: S302


if __name__ == "__main__":
    main()
