"""Many whole numbers: read from the database without making an object of each, and kept by a key of the database."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import ARRAY, BigInteger, ColumnElement, LargeBinary, Select, Text, any_, cast, func, literal, select
from sqlalchemy.orm import Session


def read(session: Session, query: Select[*tuple[Any, ...]]) -> np.ndarray:
    """The rows of a query whose columns are whole numbers and never NULL: an int64 array of shape (rows, columns). In which
    order is not promised.

    PostgreSQL packs the rows into one value, SQLite's are taken from its cursor.
    """
    width = len(query.selected_columns)
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        first, *others = [func.int8send(cast(column, BigInteger)) for column in query.subquery().c]
        row: ColumnElement[Any] = first
        for column in others:
            row = row.op("||")(column)
        packed = connection.execute(select(func.string_agg(row, literal(b"", LargeBinary), type_=LargeBinary))).scalar_one()
        return np.frombuffer(packed or b"", dtype=">i8").astype("<i8").reshape(-1, width)
    with connection.execute(query) as result:
        return np.fromiter(chain.from_iterable(result.cursor), dtype="<i8").reshape(-1, width)  # type: ignore[arg-type]


def among(session: Session, column: Any, ids: np.ndarray) -> ColumnElement[bool]:
    """Whether the column is one of very many ids, which go to the database as one value."""
    if session.get_bind().dialect.name == "postgresql":
        text = "{" + ",".join(map(str, ids.tolist())) + "}"
        return column == any_(cast(literal(text, Text), ARRAY(BigInteger)))
    value = func.json_each(json.dumps(ids.tolist())).table_valued("value")
    return column.in_(select(value.c.value))


#: Ids that lie together in one piece of memory.
_BITS = 20


class ById:
    """A number for each id, 0 where none was set. Takes memory only near ids that have one, so that it matters little how ids
    are spread."""

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._pages: dict[int, np.ndarray] = {}

    def get(self, ids: np.ndarray) -> np.ndarray:
        found = np.zeros(len(ids), dtype=self._dtype)
        for number, here in _by_page(ids):
            if (page := self._pages.get(number)) is not None:
                found[here] = page[ids[here] & (1 << _BITS) - 1]
        return found

    def set(self, ids: np.ndarray, values: Any) -> None:
        """`values`: one for all, or one for each."""
        for number, here in _by_page(ids):
            page = self._pages.get(number)
            if page is None:
                page = self._pages[number] = np.zeros(1 << _BITS, dtype=self._dtype)
            page[ids[here] & (1 << _BITS) - 1] = values[here] if isinstance(values, np.ndarray) else values


def _by_page(ids: np.ndarray) -> list[tuple[int, Any]]:
    """Numbers of pages, and which of `ids` lie there."""
    if not len(ids):
        return []
    pages = ids >> _BITS
    first, last = int(pages.min()), int(pages.max())
    if first == last:
        return [(first, slice(None))]
    return [(int(number), pages == number) for number in np.unique(pages)]
