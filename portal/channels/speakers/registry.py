"""Questions to the registry of loudspeakers, and what devices say of themselves written into it in bulk.

An area is a GeoJSON Polygon or {"type": "Circle", "center": [lon, lat], "radius": metres} in WGS 84; a horn is in it
when its own point is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import shapely
from shapely.geometry import shape as shape_of
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from portal.channels.speakers.bridge import State
from portal.channels.speakers.models import Speaker
from portal.core.db import db, transaction
from portal.regions.codes import code_range
from portal.regions.geodesy import to_polygon

#: Without a sign of life for this long a horn that was online is shown as silent: three lost heartbeats.
SILENT_AFTER = timedelta(seconds=180)
_CHUNK, _SMALLEST_CHUNK = 1000, 100


@dataclass(frozen=True, slots=True)
class Health:
    """How many horns are in which state."""

    total: int
    by_state: dict[str, int]


def _within(codes: Iterable[str]) -> ColumnElement[bool]:
    ranges = [Speaker.region_code.between(*code_range(code)) for code in codes]
    return or_(*ranges) if ranges else Speaker.id.is_(None)


def _near(area: dict[str, Any]) -> tuple[ColumnElement[bool], BaseGeometry]:
    """The box of an area as a condition, and its exact shape, prepared."""
    shape = shape_of(to_polygon(area))
    shapely.prepare(shape)
    west, south, east, north = shape.bounds
    return and_(Speaker.longitude.between(west, east), Speaker.latitude.between(south, north)), shape


def _scan(session: Session, condition: ColumnElement[bool], area: dict[str, Any] | None, after: int = 0,
          chunk: int = _CHUNK) -> Iterator[tuple[int, str]]:
    """(id, region) of enabled horns in the order of their ids, a chunk at a time, inside `area` if there is one."""
    near, shape = _near(area) if area else (None, None)
    query = select(Speaker.id, Speaker.region_code, Speaker.longitude, Speaker.latitude).where(Speaker.enabled, condition)
    if near is not None:
        query = query.where(near)
    while True:
        rows = session.execute(query.where(Speaker.id > after).order_by(Speaker.id).limit(chunk)).all()
        if not rows:
            return
        inside = ([True] * len(rows) if shape is None
                  else shapely.intersects_xy(shape, [r[2] for r in rows], [r[3] for r in rows]))
        yield from ((row[0], row[1]) for row, is_in in zip(rows, inside, strict=True) if is_in)
        if len(rows) < chunk:
            return
        after = rows[-1][0]


def page(region_code: str, after_id: int, limit: int, area: dict[str, Any] | None = None) -> list[int]:
    """At most `limit` ids of enabled horns in the region, above `after_id` and ascending; inside `area` if given.
    Fewer than `limit` means that there are no more."""
    found = _scan(db.session, _within([region_code]), area, after_id, max(limit, _SMALLEST_CHUNK))
    return [speaker_id for speaker_id, _ in islice(found, limit)]


def devices_in(region_codes: Sequence[str], area: dict[str, Any] | None = None) -> Iterator[int]:
    """Ids of enabled horns in the regions, ascending, streamed; inside `area` if given."""
    for speaker_id, _ in _scan(db.session, _within(region_codes), area):
        yield speaker_id


def count_in(region_codes: Sequence[str], area: dict[str, Any] | None = None) -> int:
    """How many enabled horns are in the regions; inside `area` if given."""
    if area:
        return sum(1 for _ in devices_in(region_codes, area))
    return db.session.execute(select(func.count()).select_from(Speaker)
                              .where(Speaker.enabled, _within(region_codes))).scalar_one()


def in_area(area: dict[str, Any]) -> dict[str, int]:
    """How many enabled horns stand inside the area, by community."""
    counts: dict[str, int] = {}
    for _, code in _scan(db.session, Speaker.id.is_not(None), area):
        counts[code] = counts.get(code, 0) + 1
    return dict(sorted(counts.items()))


def load(ids: Sequence[int]) -> list[Speaker]:
    """The horns with these ids, in ascending order; those that are gone are left out."""
    found: list[Speaker] = []
    for at in range(0, len(ids), _CHUNK):
        found += db.session.execute(select(Speaker).where(Speaker.id.in_(ids[at:at + _CHUNK]))).scalars()
    return sorted(found, key=lambda speaker: speaker.id)


def by_address(address: str) -> Speaker | None:
    return db.session.execute(select(Speaker).where(Speaker.address == address)).scalar_one_or_none()


def id_of(addresses: Sequence[str]) -> dict[str, int]:
    """Ids by address; unknown addresses are left out."""
    found: dict[str, int] = {}
    for at in range(0, len(addresses), _CHUNK):
        found |= dict(db.session.execute(
            select(Speaker.address, Speaker.id).where(Speaker.address.in_(addresses[at:at + _CHUNK]))).all())
    return found


def list_speakers(region_codes: Sequence[str] | None = None, *, state: str | None = None, text: str = "",
                  after_id: int = 0, limit: int = 100) -> list[Speaker]:
    """Horns for a list, by id, at most `limit`; narrowed to regions, to a state, to a piece of a name or address."""
    query = select(Speaker).where(Speaker.id > after_id).order_by(Speaker.id).limit(limit)
    if region_codes is not None:
        query = query.where(_within(region_codes))
    if state:
        query = query.where(Speaker.state == state)
    if text:
        query = query.where(or_(*(column.icontains(text, autoescape=True)
                                  for column in (Speaker.name_zh, Speaker.name_en, Speaker.address))))
    return list(db.session.execute(query).scalars())


def all_addresses(bridge: str, *, demonstration: bool | None = None) -> Iterator[str]:
    """Addresses of the enabled horns of one bridge, in the order of their ids."""
    query = select(Speaker.address).where(Speaker.enabled, Speaker.bridge == bridge).order_by(Speaker.id)
    if demonstration is not None:
        query = query.where(Speaker.demonstration == demonstration)
    yield from db.session.execute(query.execution_options(yield_per=_CHUNK)).scalars()


def state_shown(speaker: Speaker, now: datetime) -> str:
    """The state as people should read it: what the device last said, or `silent` when that is too long ago."""
    alive = speaker.state in ("online", "playing", "fault")
    return "silent" if alive and (speaker.state_at is None or now - speaker.state_at > SILENT_AFTER) else speaker.state


def health(region_codes: Sequence[str], now: datetime) -> Health:
    """How many enabled horns in the regions are in which state, silent ones told apart."""
    stale = and_(Speaker.state.in_(("online", "playing", "fault")),
                 or_(Speaker.state_at.is_(None), Speaker.state_at < now - SILENT_AFTER))
    counts: dict[str, int] = {}
    for state, is_stale, n in db.session.execute(
            select(Speaker.state, stale.label("stale"), func.count()).where(Speaker.enabled, _within(region_codes))
            .group_by(Speaker.state, "stale")):
        name = "silent" if is_stale else state
        counts[name] = counts.get(name, 0) + n
    return Health(sum(counts.values()), dict(sorted(counts.items())))


def set_states(states: Sequence[tuple[State, datetime]]) -> None:
    """Write what devices said of themselves, each with the moment at which we heard it, in one transaction.

    A last will says only that the device is gone, so it leaves firmware, volume and battery as they were. Addresses
    that are not in the registry are ignored.
    """
    if not states:
        return
    full = [{"a": s.address, "state": s.state, "state_at": at, "firmware": s.firmware, "volume": s.volume,
             "battery": s.battery} for s, at in states if s.state != "offline"]
    gone = [{"a": s.address, "state": s.state, "state_at": at} for s, at in states if s.state == "offline"]
    table: Any = Speaker.__table__
    with transaction() as session:
        for rows in (full, gone):
            if rows:
                columns: dict[Any, Any] = {name: bindparam(f"b_{name}") for name in rows[0] if name != "a"}
                session.connection().execute(
                    update(table).where(table.c.address == bindparam("b_a")).values(columns),
                    [{f"b_{name}": value for name, value in row.items()} for row in rows])
