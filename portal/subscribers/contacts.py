"""Numbers for bulk sending: of those alone who want to be told at this moment, opened as many at a time as a batch has."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app

from portal.core.db import db, driver_cursor
from portal.core.phones import PhoneBook
from portal.subscribers.models import ACTIVE

_SELECT = "SELECT id, phone_sealed, audiences, status FROM subscriber WHERE id"
_POSTGRESQL = f"{_SELECT} = ANY(%s)"
_SQLITE = f"{_SELECT} IN (SELECT value FROM json_each(?))"  # noqa: S608  (nothing of it is anybody's words)


def contacts(ids: list[int]) -> dict[int, tuple[str, int]]:
    """Number (E.164) and audiences; the number is empty for who does not want to be told at this moment, and who was erased is
    left out. Asks the driver itself: what lies between costs more than the answer. Raises RuntimeError when the key is wrong."""
    book: PhoneBook = current_app.extensions["phones"]
    opened = book.open
    try:
        return {subscriber_id: (opened(bytes(sealed)) if status == ACTIVE else "", audiences)
                for subscriber_id, sealed, audiences, status in _rows(ids)}
    except InvalidTag as error:
        raise RuntimeError("stored phone numbers cannot be opened: ANLAN_PHONE_KEY is not the key that sealed them") from error


def active(ids: list[int]) -> set[int]:
    """Those of `ids` that want to be told at this moment."""
    return {row[0] for row in _rows(ids) if row[3] == ACTIVE}


def audiences_of(ids: list[int]) -> dict[int, int]:
    """The audiences of those of `ids` that are known."""
    return {row[0]: row[2] for row in _rows(ids)}


def _rows(ids: list[int]) -> Iterable[Any]:
    if db.engine.dialect.name == "postgresql":
        with driver_cursor(db.session, binary=True) as cursor:
            return cursor.execute(_POSTGRESQL, (ids,)).fetchall()
    with driver_cursor(db.session) as cursor:
        return cursor.execute(_SQLITE, (json.dumps(ids),)).fetchall()
