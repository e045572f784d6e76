"""Outcomes, appended by the fastest way that each database has. Nothing here reads or changes a row that is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from operator import itemgetter

from sqlalchemy.orm import Session

from portal.core.db import driver_cursor, insert_into
from portal.dispatch.models import Carried

LONGEST_CODE, LONGEST_CARRIER_ID = 40, 64
_COLUMNS = "batch_id, at, recipient_id, status, code, carrier_id, carrier, audiences"
_COPY = f"COPY outcome ({_COLUMNS}) FROM STDIN"
_INSERT = f"INSERT INTO outcome ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  (nothing of it is anybody's words)
#: What ends a column or a row of COPY's text form, or begins one of its escapes.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


_CODE, _NUMBER = itemgetter(2), itemgetter(3)
#: The end of one hand-over: recipient, status, code, carrier's number, carrier, the recipient's audiences.
Row = tuple[int, str, str, str, str, int]


def append(session: Session, rows: Iterable[tuple[int, Sequence[Row]]], at: datetime) -> None:
    """Append the ends of batches in the caller's transaction. Raises IntegrityError where a recipient has one already."""
    full = [(batch_id, ends) for batch_id, ends in rows if ends]
    if not full:
        return
    if session.get_bind().dialect.name != "postgresql":
        moment = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with driver_cursor(session) as cursor:
            for batch_id, ends in full:
                begin = batch_id, moment
                cursor.executemany(_INSERT, [begin + end for end in _short(ends)])
        return
    text = "".join([_lines(f"{batch_id}\t{at.isoformat()}", ends) for batch_id, ends in full])
    with driver_cursor(session) as cursor, cursor.copy(_COPY) as copy:
        copy.write(text)


def _short(ends: Sequence[Row]) -> Sequence[Row]:
    """No code and no number longer than PostgreSQL takes it."""
    if max(map(len, map(_CODE, ends))) <= LONGEST_CODE and max(map(len, map(_NUMBER, ends))) <= LONGEST_CARRIER_ID:
        return ends
    return [(end[0], end[1], end[2][:LONGEST_CODE], end[3][:LONGEST_CARRIER_ID], *end[4:]) for end in ends]


def _lines(begin: str, ends: Sequence[Row]) -> str:
    """Rows in COPY's text form, each with this beginning."""
    return "".join([
        f"{begin}\t{recipient}\t{status}\t{_plain(code, LONGEST_CODE) if code else ''}\t"
        f"{carrier_id if carrier_id.isalnum() and len(carrier_id) <= 64 else _plain(carrier_id, LONGEST_CARRIER_ID)}"
        f"\t{carrier}\t{audiences}\n"
        for recipient, status, code, carrier_id, carrier, audiences in ends
    ])


def remember_numbers(session: Session, rows: Iterable[tuple[str, str, int, int]], at: datetime) -> None:
    """Which message each carrier's number stands for: (carrier, carrier's number, batch, recipient). One that comes twice is the
    carrier's mistake; the first one counts."""
    values = [{"carrier": carrier, "carrier_id": number[:LONGEST_CARRIER_ID], "batch_id": batch, "recipient_id": recipient,
               "at": at} for carrier, number, batch, recipient in rows if number]
    if values:
        session.execute(insert_into(session, Carried).on_conflict_do_nothing(), values)


def _plain(text: str, longest: int) -> str:
    return text[:longest].translate(_ESCAPED)
