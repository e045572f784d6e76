"""Reading a list into the place where it waits: good rows sealed, bad ones named, a few thousand in each short transaction.

Nothing of it is a subscriber yet. On PostgreSQL rows come in by COPY.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from flask import current_app
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, many_came, transaction
from portal.core.phones import PhoneBook
from portal.regions import lookup
from portal.subscribers.models import RosterFault, RosterImport, RosterRow
from portal.subscribers.roster import batches, table
from portal.subscribers.roster.rows import Bad, Reader, Row, Said
from portal.subscribers.roster.survey import survey
from portal.subscribers.roster.table import Unreadable

log = logging.getLogger(__name__)
Heard = Callable[[int, int, int], None]
CHUNK = 5_000
#: Rows of one list. SQLite lets nobody else write while a list becomes subscribers, and others wait for half a minute at most.
MOST_ROWS = {"postgresql": 2_000_000, "sqlite": 200_000}
_ROWS: Any = RosterRow.__table__
_FAULTS: Any = RosterFault.__table__
_COLUMNS = ("import_id", "line", "phone_index", "phone_sealed", "language", "audiences", "region_code")


class Dropped(Exception):
    """Somebody threw the list away while it was read."""


def stage(batch_id: str, file: BinaryIO, said: Said, heard: Heard | None = None) -> RosterImport:
    """Read the whole list, telling `heard` on the way the rows, the bad ones, and the share of the file, in per cent. The batch
    is `ready` afterwards, with what taking it in would do; or `refused`, with why."""
    try:
        _stage(batch_id, file, said, heard)
    except Dropped:
        clear(batch_id)
    except Unreadable as error:
        _refuse(batch_id, error.reason)
    except Exception:
        log.exception("a list could not be read")
        db.session.rollback()
        _refuse(batch_id, {"key": "broken"})
    found = batches.get(batch_id)
    if found is None:
        raise LookupError(batch_id)
    return found


def _stage(batch_id: str, file: BinaryIO, said: Said, heard: Heard | None) -> None:
    looked = table.look(file)
    batches.note(batch_id, size=looked.size, sha256=looked.sha256)
    read = table.read(file, looked.encoding, place_said=said.region_code is not None,
                      most=MOST_ROWS[db.engine.dialect.name])
    batch = batches.get(batch_id)
    allowed = batch.region_codes if batch is not None else []
    with lookup.held():  # one tree for all rows
        reader = Reader(read, said, allowed)
        rows = bad = 0
        for good, wrong in _chunks(read.rows, reader):
            rows, bad = rows + len(good) + len(wrong), bad + len(wrong)
            done = min(file.tell(), looked.size)
            _write(batch_id, good, wrong, rows=rows, bad=bad, done=done)
            if heard is not None:
                heard(rows, bad, 100 * done // looked.size)
    if not rows:
        raise Unreadable("no_rows")
    many_came(RosterRow)
    counts = survey(batch_id)
    with transaction() as session:
        held = _still_reading(session, batch_id)
        for name, value in counts.items():
            setattr(held, name, value)
        held.state, held.done, held.beat_at = batches.READY, held.size, utcnow()


def _chunks(rows: Iterator[tuple[int, list[str]]], reader: Reader) -> Iterator[tuple[list[Row], list[tuple[int, Bad]]]]:
    good, wrong = list[Row](), list[tuple[int, Bad]]()
    for line, cells in rows:
        try:
            good.append(reader.row(line, cells))
        except Bad as bad:
            wrong.append((line, bad))
        if len(good) + len(wrong) >= CHUNK:
            yield good, wrong
            good, wrong = [], []
    if good or wrong:
        yield good, wrong


def _write(batch_id: str, good: list[Row], wrong: list[tuple[int, Bad]], **counts: int) -> None:
    book: PhoneBook = current_app.extensions["phones"]
    sealed = []
    for row in good:
        index, seal = book.index(row.number), book.seal(row.number)
        sealed += [(batch_id, row.line, index, seal, row.language, row.audiences, code) for code in row.region_codes]
    with transaction() as session:
        held = _still_reading(session, batch_id)
        held.beat_at = utcnow()
        for name, value in counts.items():
            setattr(held, name, value)
        if sealed:
            _pour(session, sealed)
        if wrong:
            session.execute(insert(_FAULTS), [
                {"import_id": batch_id, "line": line, "reason": bad.reason, "about": bad.about[:60]} for line, bad in wrong])


def _still_reading(session: Session, batch_id: str) -> RosterImport:
    held = batches.lock(session, batch_id)
    if held is None or held.state != batches.READING:
        raise Dropped
    return held


def _pour(session: Session, rows: list[tuple[Any, ...]]) -> None:
    """Rows into the table by the driver's own fast way."""
    connection = session.connection()
    names = ", ".join(_COLUMNS)
    if connection.dialect.name == "postgresql":
        cursor = connection.connection.cursor()
        with cursor.copy(f"COPY roster_row ({names}) FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in rows:
                copy.write_row(row)
        cursor.close()
    else:
        connection.exec_driver_sql(f"INSERT INTO roster_row ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)  # noqa: S608


def _refuse(batch_id: str, reason: dict[str, Any]) -> None:
    with transaction() as session:
        held = batches.lock(session, batch_id)
        if held is not None and held.state == batches.READING:
            held.state, held.reason, held.ended_at = batches.REFUSED, reason, utcnow()
    clear(batch_id)


def clear(batch_id: str) -> None:
    """Delete what waits of a list, a few thousand at a time."""
    some = select(RosterRow.line).where(RosterRow.import_id == batch_id).order_by(RosterRow.line).limit(CHUNK)
    while lines := db.session.execute(some).scalars().all():
        with transaction() as session:
            session.execute(delete(RosterRow).where(RosterRow.import_id == batch_id, RosterRow.line <= lines[-1])
                            .execution_options(synchronize_session=False))
    db.session.rollback()
