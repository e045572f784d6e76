"""Numbers for bulk sending: of those alone who want to be told at this moment, opened as many at a time as a batch has."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app

from portal.core.db import Standing, db, driver_cursor
from portal.core.phones import PhoneBook
from portal.subscribers.models import ACTIVE

log = logging.getLogger(__name__)

# As three values, not as a row for each person, of which each would cost as much as opening the number.
_POSTGRESQL = f"""SELECT array_agg(id), array_agg(phone_sealed), array_agg(audiences)
FROM (SELECT id, phone_sealed, audiences FROM subscriber WHERE id = ANY(%s::bigint[]) AND status = '{ACTIVE}' ORDER BY id) AS s"""  # noqa: S608
_SQLITE = f"""SELECT id, phone_sealed, audiences FROM subscriber
WHERE id IN (SELECT value FROM json_each(?)) AND status = '{ACTIVE}' ORDER BY id"""  # noqa: S608
_AUDIENCES = "SELECT id, audiences FROM subscriber WHERE id "
_AUDIENCES_POSTGRESQL = f"{_AUDIENCES} = ANY(%s::bigint[])"
_AUDIENCES_SQLITE = f"{_AUDIENCES} IN (SELECT value FROM json_each(?))"  # noqa: S608
#: What a number that is not what was sealed here raises.
UNREADABLE = (InvalidTag, ValueError)


@dataclass(slots=True)
class Contacts:
    """Of those who want to be told at this moment: id, number (E.164) and audiences, each in a list of its own; `unreadable`:
    those whose number cannot be read."""

    ids: list[int]
    numbers: list[str]
    audiences: list[int]
    unreadable: set[int] = field(default_factory=set)


def contacts(ids: Sequence[int], standing: Standing | None = None) -> Contacts:
    """Those of `ids` who want to be told, in the order of their ids. Asks the driver itself, over `standing` where there is one:
    what lies between costs more than the answer. Raises RuntimeError when the key is wrong."""
    book: PhoneBook = current_app.extensions["phones"]
    found, sealed, audiences = _sealed(ids, standing)
    try:
        return Contacts(found, book.open_all(sealed), audiences)
    except UNREADABLE:
        return _one_by_one(found, sealed, audiences, book.open)


def _one_by_one(ids: list[int], sealed: list[bytes], audiences: list[int], opened: Callable[[bytes], str]) -> Contacts:
    """One number that was damaged must not keep the warning from all others of its batch."""
    found = Contacts([], [], [])
    for subscriber_id, one, mask in zip(ids, sealed, audiences, strict=True):
        try:
            number = opened(one)
        except UNREADABLE:
            found.unreadable.add(subscriber_id)
        else:
            found.ids.append(subscriber_id)
            found.numbers.append(number)
            found.audiences.append(mask)
    if not found.ids:
        raise RuntimeError("stored phone numbers cannot be opened: ANLAN_PHONE_KEY is not the key that sealed them")
    log.error("%d stored phone numbers of %d are damaged", len(found.unreadable), len(ids))
    return found


def active(ids: Sequence[int]) -> set[int]:
    """Those of `ids` that want to be told at this moment."""
    return set(_sealed(ids, None)[0])


def audiences_of(ids: Sequence[int]) -> dict[int, int]:
    """The audiences of those of `ids` that are known."""
    with _cursor(None) as (cursor, postgresql):
        return dict(cursor.execute(_AUDIENCES_POSTGRESQL if postgresql else _AUDIENCES_SQLITE, (_packed(ids, postgresql),)))


def _sealed(ids: Sequence[int], standing: Standing | None) -> tuple[list[int], list[bytes], list[int]]:
    with _cursor(standing) as (cursor, postgresql):
        if postgresql:
            found, sealed, audiences = cursor.execute(_POSTGRESQL, (_packed(ids, True),)).fetchone()
            return found or [], sealed or [], audiences or []
        rows = cursor.execute(_SQLITE, (_packed(ids, False),)).fetchall()
        return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


@contextmanager
def _cursor(standing: Standing | None) -> Iterator[tuple[Any, bool]]:
    """A cursor of the driver, and whether it is PostgreSQL's."""
    if standing is not None:
        with standing.cursor(binary=True) as cursor:
            yield cursor, True
    elif db.engine.dialect.name == "postgresql":
        with driver_cursor(db.session, binary=True) as cursor:
            yield cursor, True
    else:
        with driver_cursor(db.session) as cursor:
            yield cursor, False


def _packed(ids: Iterable[int], postgresql: bool) -> str:
    return "{" + ",".join(map(str, ids)) + "}" if postgresql else json.dumps(list(ids))
