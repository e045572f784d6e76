"""Writing the shelters out, a few hundred at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from portal.core.db import db
from portal.shelters.models import Shelter
from portal.shelters.registry import store
from portal.shelters.registry.exchange import features, japan, table

MEDIA_TYPES = {"csv": ("text/csv; charset=utf-8", "csv"), "geojson": ("application/geo+json", "geojson"),
               "jp": ("text/csv; charset=utf-8", "csv")}
_CHUNK = 500
Pair = tuple[dict[str, Any], dict[str, Any]]


def export(format: str, region_codes: Sequence[str] | None = None, *, retired: bool = False) -> Iterator[bytes]:
    """The bytes of a file of the shelters in these regions (None: all), by id. CSV begins with a byte order mark, so that
    spreadsheets read it as UTF-8. Raises ValueError for an unknown format."""
    if format not in MEDIA_TYPES:
        raise ValueError(f"no such format: {format}")
    found = _shelters(region_codes, retired)
    if format == "geojson":
        return _geojson(found)
    if format == "jp":
        return _csv(japan.COLUMNS, japan.write_row, found)
    return _csv((*table.COLUMNS, *table.LIVE), table.write_row, found)


def _shelters(region_codes: Sequence[str] | None, retired: bool) -> Iterator[Pair]:
    query = select(Shelter).order_by(Shelter.id).limit(_CHUNK)
    if region_codes is not None:
        query = query.where(store.within(region_codes))
    if not retired:
        query = query.where(Shelter.retired_at.is_(None))
    after = 0
    while True:
        rows = list(db.session.execute(query.where(Shelter.id > after)).scalars())
        for shelter in rows:
            yield store.values_of(shelter), {name: getattr(shelter, name) for name in table.LIVE}
        if len(rows) < _CHUNK:
            return
        after = rows[-1].id


def _csv(columns: Sequence[str], write: Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]],
         found: Iterator[Pair]) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write("\ufeff")
    writer.writerow(columns)
    for n, (values, live) in enumerate(found, 1):
        writer.writerow(write(values, live))
        if n % 100 == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _geojson(found: Iterator[Pair]) -> Iterator[bytes]:
    buffer = io.StringIO()
    buffer.write('{"type":"FeatureCollection","features":[')
    for n, (values, live) in enumerate(found):
        buffer.write(",\n" if n else "\n")
        json.dump(features.write_feature(values, live), buffer, ensure_ascii=False, separators=(",", ":"))
        if n % 100 == 99:
            yield _taken(buffer)
    buffer.write("\n]}\n")
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()
