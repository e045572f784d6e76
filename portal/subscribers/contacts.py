"""Numbers for bulk sending: of those alone who want to be told at this moment, opened as many at a time as a batch has."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app

from portal.core.db import db, driver_cursor
from portal.core.phones import PhoneBook
from portal.subscribers.models import ACTIVE

log = logging.getLogger(__name__)

_SELECT = "SELECT id, phone_sealed, audiences, status FROM subscriber WHERE id"
_POSTGRESQL = f"{_SELECT} = ANY(%s)"
_SQLITE = f"{_SELECT} IN (SELECT value FROM json_each(?))"  # noqa: S608  (nothing of it is anybody's words)
#: What a number that is not what was sealed here raises.
UNREADABLE = (InvalidTag, ValueError)


#: Number and audiences.
Contact = tuple[str | None, int]


def contacts(ids: list[int]) -> dict[int, Contact]:
    """Number (E.164) and audiences; the number is empty for who does not want to be told at this moment, None where it cannot be
    read, and who was erased is left out. Asks the driver itself: what lies between costs more than the answer. Raises
    RuntimeError when the key is wrong."""
    book: PhoneBook = current_app.extensions["phones"]
    opened = book.open
    rows = _rows(ids)
    try:
        return {subscriber_id: (opened(bytes(sealed)) if status == ACTIVE else "", audiences)
                for subscriber_id, sealed, audiences, status in rows}
    except UNREADABLE:
        return _one_by_one(rows, opened)


def _one_by_one(rows: Sequence[Any], opened: Callable[[bytes], str]) -> dict[int, Contact]:
    """One number that was damaged must not keep the warning from all others of its batch."""
    found: dict[int, Contact] = {}
    damaged, readable = 0, False
    for subscriber_id, sealed, audiences, status in rows:
        number: str | None = ""
        if status == ACTIVE:
            try:
                number, readable = opened(bytes(sealed)), True
            except UNREADABLE:
                number, damaged = None, damaged + 1
        found[subscriber_id] = number, audiences
    if not readable:
        raise RuntimeError("stored phone numbers cannot be opened: ANLAN_PHONE_KEY is not the key that sealed them")
    log.error("%d stored phone numbers of %d are damaged", damaged, len(rows))
    return found


def active(ids: list[int]) -> set[int]:
    """Those of `ids` that want to be told at this moment."""
    return {row[0] for row in _rows(ids) if row[3] == ACTIVE}


def audiences_of(ids: list[int]) -> dict[int, int]:
    """The audiences of those of `ids` that are known."""
    return {row[0]: row[2] for row in _rows(ids)}


def _rows(ids: list[int]) -> Sequence[Any]:
    if db.engine.dialect.name == "postgresql":
        with driver_cursor(db.session, binary=True) as cursor:
            return cursor.execute(_POSTGRESQL, (ids,)).fetchall()
    with driver_cursor(db.session) as cursor:
        return cursor.execute(_SQLITE, (json.dumps(ids),)).fetchall()
