"""Outcomes, in pages: the ends of one batch that are written together and are alike lie in one row.

A row for each recipient would cost an entry of the table, one of its index and one of the log each, a million times for one
warning; most people of a batch end alike, and are asked about together. Nothing here changes a row that is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, LargeBinary, func, insert, literal, select
from sqlalchemy.orm import Session

from portal.core.arrays import among
from portal.core.db import insert_into
from portal.dispatch.models import Carried, OutcomePage

LONGEST_CODE, LONGEST_CARRIER_ID = 40, 64
#: Batches that are asked about in one statement.
CHUNK = 1000
_WIDTHS = ("<i1", "<i2", "<i4")
_KIND = itemgetter(1, 2, 4)

#: The end of one hand-over: recipient, status, code, carrier's number, carrier, the recipient's audiences.
Row = tuple[int, str, str, str, str, int]


# -- writing -----------------------------------------------------------------------------------------------
class Written(NamedTuple):
    """A row of :class:`OutcomePage` but for its time."""

    batch_id: int
    first: int
    status: str
    code: str
    carrier: str
    size: int
    recipients: bytes
    audiences: bytes
    carrier_ids: str


class Alike(NamedTuple):
    """Ends that are alike; of each its recipient, the carrier's number and the audiences, in columns of one length."""

    status: str
    code: str
    carrier: str
    recipients: Sequence[int]
    numbers: Sequence[str]
    audiences: Sequence[int]


def alike(rows: Sequence[Row]) -> list[Alike]:
    """The ends, those together that are alike."""
    if not rows:
        return []
    recipients, statuses, codes, numbers, carriers, audiences = zip(*rows, strict=True)
    if len(set(statuses)) == len(set(codes)) == len(set(carriers)) == 1:  # as nearly always
        return [Alike(statuses[0], codes[0], carriers[0], recipients, numbers, audiences)]
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault(_KIND(row), []).append(row)
    return [one for theirs in found.values() for one in alike(theirs)]


def paged(batch_id: int, ends: Iterable[Alike]) -> Iterator[Written]:
    """The pages of these ends of a batch. The same ends make the same pages, which their key refuses; that a recipient has one
    end is seen to by whoever writes: it holds the lease of the batch and looks, at a second try, for what is there."""
    for status, code, carrier, recipients, numbers, audiences in ends:
        yield Written(batch_id, recipients[0], status, _plain(code, LONGEST_CODE), carrier, len(recipients), packed(recipients),
                      packed(audiences), _lines(numbers))


def append(session: Session, ends: Iterable[tuple[int, Iterable[Alike]]], at: datetime) -> None:
    """Append the ends of batches in the caller's transaction. Raises IntegrityError where the same ends are there already."""
    values = [page._asdict() | {"at": at} for batch_id, theirs in ends for page in paged(batch_id, theirs)]
    if values:
        session.execute(insert(OutcomePage), values)


def remember_numbers(session: Session, rows: Iterable[tuple[str, str, int, int]], at: datetime) -> None:
    """Which message each carrier's number stands for: (carrier, carrier's number, batch, recipient). One that comes twice is the
    carrier's mistake; the first one counts."""
    values = [{"carrier": carrier, "carrier_id": number[:LONGEST_CARRIER_ID], "batch_id": batch, "recipient_id": recipient,
               "at": at} for carrier, number, batch, recipient in rows if number]
    if values:
        session.execute(insert_into(session, Carried).on_conflict_do_nothing(), values)


def packed(values: Collection[int]) -> bytes:
    """Whole numbers, little-endian, each as wide as the widest of them needs it."""
    wide = np.fromiter(values, dtype="<i8", count=len(values))
    low, high = (int(wide.min()), int(wide.max())) if len(wide) else (0, 0)
    for width in _WIDTHS:
        if np.iinfo(width).min <= low and high <= np.iinfo(width).max:
            return wide.astype(width).tobytes()
    return wide.tobytes()


def _lines(numbers: Sequence[str]) -> str:
    text = "\n".join(numbers)
    if text.isascii() and "\0" not in text and text.count("\n") < len(numbers) and max(map(len, numbers)) <= LONGEST_CARRIER_ID:
        return text if text.strip("\n") else ""
    return "\n".join([_plain(number, LONGEST_CARRIER_ID) for number in numbers])


def _plain(word: str, longest: int) -> str:
    """What others wrote, as both databases take it, on one line."""
    if word.isalnum() and word.isascii():
        return word[:longest]
    return word.encode("utf-8", "replace").decode().replace("\0", "").replace("\n", " ")[:longest]


# -- reading -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Page:
    """Ends that are alike; `recipients` and `audiences` are int64 arrays of one length."""

    batch_id: int
    at: datetime
    status: str
    code: str
    carrier: str
    recipients: np.ndarray
    audiences: np.ndarray


class End(NamedTuple):
    """What is known of one recipient of a batch."""

    status: str
    audiences: int


def unpacked(long: bytes, size: int) -> np.ndarray:
    """So many numbers as `packed` left them."""
    return np.frombuffer(long, dtype=f"<i{len(long) // size}").astype("<i8")


def pages(session: Session, batch_ids: Iterable[int], *conditions: ColumnElement[bool]) -> Iterator[Page]:
    """The pages of these batches for which the conditions are true, a thousand batches in memory at a time."""
    of = (OutcomePage.batch_id, OutcomePage.at, OutcomePage.status, OutcomePage.code, OutcomePage.carrier, OutcomePage.size,
          OutcomePage.recipients, OutcomePage.audiences)
    for some in _chunks(sorted(set(batch_ids))):
        here = among(session, OutcomePage.batch_id, np.array(some))
        rows = session.execute(select(*of).where(here, *conditions)
                               .order_by(OutcomePage.batch_id, OutcomePage.at, OutcomePage.first)).all()
        for batch_id, at, status, code, carrier, size, recipients, audiences in rows:
            yield Page(batch_id, at, status, code, carrier, unpacked(recipients, size), unpacked(audiences, size))


def may_name(session: Session, recipient: int) -> ColumnElement[bool]:
    """For `pages`: whether the recipient may be in it, which the database sees by itself. One that says so may not have them: the
    bytes of two others may look like theirs."""
    theirs = literal(packed([recipient]), LargeBinary)  # so begins also what is packed wider
    if session.get_bind().dialect.name == "postgresql":
        return func.position(theirs.op("IN")(OutcomePage.recipients)) > 0
    return func.instr(OutcomePage.recipients, theirs) > 0


def recorded(session: Session, batch_id: int) -> np.ndarray:
    """The recipients of a batch that have an end."""
    rows = session.execute(select(OutcomePage.recipients, OutcomePage.size).where(OutcomePage.batch_id == batch_id))
    return np.concatenate([np.array([], dtype="<i8"), *(unpacked(recipients, size) for recipients, size in rows)])


def ends_of(session: Session, wanted: Mapping[int, Collection[int]]) -> dict[tuple[int, int], End]:
    """What became of these recipients of batches, by batch and recipient; of those who have an end."""
    found: dict[tuple[int, int], End] = {}
    for page in pages(session, wanted):
        for place in _places(page.recipients, wanted[page.batch_id]):
            found[page.batch_id, int(page.recipients[place])] = End(page.status, int(page.audiences[place]))
    return found


def _places(ids: np.ndarray, wanted: Collection[int]) -> list[int]:
    if len(wanted) <= 4:  # quicker than sorting them
        return [place for one in wanted for place in np.flatnonzero(ids == one).tolist()]
    return np.flatnonzero(np.isin(ids, np.fromiter(wanted, dtype="<i8", count=len(wanted)))).tolist()


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))
