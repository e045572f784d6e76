"""Outcomes, appended by the fastest way that each database has. Nothing here reads or changes a row that is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from portal.core.db import driver_cursor, insert_into
from portal.dispatch.models import Carried

LONGEST_CODE, LONGEST_CARRIER_ID = 40, 64
_COLUMNS = "batch_id, recipient_id, status, code, carrier_id, at, carrier, audiences"
_COPY = f"COPY outcome ({_COLUMNS}) FROM STDIN"
_INSERT = f"INSERT INTO outcome ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  (nothing of it is anybody's words)
#: What ends a column or a row of COPY's text form, or begins one of its escapes.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


class Row(NamedTuple):
    """One outcome, as :class:`portal.dispatch.models.Outcome`."""

    batch_id: int
    recipient_id: int
    status: str
    code: str
    carrier_id: str
    carrier: str
    audiences: int


def append(session: Session, rows: Sequence[tuple[int, int, str, str, str, str, int]], at: datetime) -> None:
    """Append rows (see :class:`Row`) in the caller's transaction. Raises IntegrityError where a recipient has one already."""
    if not rows:
        return
    if session.get_bind().dialect.name != "postgresql":
        moment = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with driver_cursor(session) as cursor:
            cursor.executemany(
                _INSERT,
                [(batch, recipient, status, code[:LONGEST_CODE], carrier_id[:LONGEST_CARRIER_ID], moment, carrier, audiences)
                 for batch, recipient, status, code, carrier_id, carrier, audiences in rows])
        return
    moment = at.isoformat()
    lines = [
        f"{batch}\t{recipient}\t{status}\t{_plain(code, LONGEST_CODE) if code else ''}\t"
        f"{carrier_id if carrier_id.isalnum() and len(carrier_id) <= 64 else _plain(carrier_id, LONGEST_CARRIER_ID)}"
        f"\t{moment}\t{carrier}\t{audiences}\n"
        for batch, recipient, status, code, carrier_id, carrier, audiences in rows
    ]
    with driver_cursor(session) as cursor, cursor.copy(_COPY) as copy:
        copy.write("".join(lines))


def remember_numbers(session: Session, rows: Iterable[tuple[str, str, int, int]], at: datetime) -> None:
    """Which message each carrier's number stands for: (carrier, carrier's number, batch, recipient). One that comes twice is the
    carrier's mistake; the first one counts."""
    values = [{"carrier": carrier, "carrier_id": number[:LONGEST_CARRIER_ID], "batch_id": batch, "recipient_id": recipient,
               "at": at} for carrier, number, batch, recipient in rows if number]
    if values:
        session.execute(insert_into(session, Carried).on_conflict_do_nothing(), values)


def _plain(text: str, longest: int) -> str:
    return text[:longest].translate(_ESCAPED)
