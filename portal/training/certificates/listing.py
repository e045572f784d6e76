"""The desk's lists of certificates: by course and region, those that end soon, those that were taken back; a page at a time, each
one statement along an index."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select, tuple_

from portal.core.clock import utcnow
from portal.core.db import db
from portal.regions import codes
from portal.training.certificate_models import Certificate
from portal.training.certificates import store
from portal.training.certificates.store import Shown

PAGE = 50
#: Which of them: all of a region, those that end within :data:`SOON`, those that were taken back.
ALL, ENDING, REVOKED = "all", "ending", "revoked"
SOON = timedelta(days=90)
#: Certificates of nobody's community: of people who gave none, or have left.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Page:
    """`after`: what the next page is asked for by; empty on the last one."""

    rows: list[Shown]
    after: str


def page(slug: str, region_code: str, which: str = ALL, *, after: str = "", limit: int = PAGE) -> Page:
    """The certificates of a course in a region (a code, or UNKNOWN)."""
    rows = list(db.session.execute(statement(slug, region_code, which, after=after, limit=limit + 1)).scalars())
    found = Page(store.shown(rows[:limit]), _mark(rows[limit - 1], which) if len(rows) > limit else "")
    for row in rows:  # as they were read: that a look at them is noted must not have each read again
        db.session.expunge(row)
    return found


def statement(slug: str, region_code: str, which: str, *, after: str = "", limit: int = PAGE) -> Select[Any]:
    """The one statement of a page."""
    mark = _read(after)
    if which in (REVOKED, ENDING):  # few, in indexes of their own; that of regions would lead through all that hold
        query = select(Certificate).where(*_within(region_code, func.coalesce(Certificate.region_code, ""))).limit(limit)
    else:
        query = select(Certificate).where(Certificate.slug == slug, *_within(region_code, Certificate.region_code)).limit(limit)
    if which == REVOKED:
        query = query.where(Certificate.slug == slug, Certificate.revoked_at.is_not(None))
        return (query.where(Certificate.id < mark[1]) if mark is not None else query).order_by(Certificate.id.desc())
    if which == ENDING:
        now = utcnow()
        query = query.where(func.coalesce(Certificate.slug, "") == slug, Certificate.revoked_at.is_(None),
                            Certificate.valid_until.between(now, now + SOON))
        if mark is not None and isinstance(mark[0], datetime):
            query = query.where(tuple_(Certificate.valid_until, Certificate.id) > tuple_(*mark))
        return query.order_by(Certificate.valid_until, Certificate.id)
    if region_code == UNKNOWN or codes.level_of(region_code) == "community":
        query = query.where(Certificate.id > mark[1]) if mark is not None else query
        return query.order_by(Certificate.region_code, Certificate.id)
    if mark is not None and isinstance(mark[0], str):
        query = query.where(tuple_(Certificate.region_code, Certificate.id) > tuple_(*mark))
    return query.order_by(Certificate.region_code, Certificate.id)


def _within(region_code: str, column: Any) -> list[Any]:
    if region_code == UNKNOWN:
        return [column.is_(None) if column is Certificate.region_code else column == ""]
    first, last = codes.code_range(region_code)
    return [column == first] if first == last else [column.between(first, last)]


def _mark(row: Certificate, which: str) -> str:
    place = row.valid_until.isoformat() if which == ENDING and row.valid_until is not None else row.region_code or "-"
    return f"{place}_{row.id}"


def _read(text: str) -> tuple[datetime | str, uuid.UUID] | None:
    """What somebody may have changed in the address counts as nothing."""
    place, _line, name = text.rpartition("_")
    try:
        found = uuid.UUID(name)
        if place == "-" or codes.is_code(place):
            return place, found
        moment = datetime.fromisoformat(place)
        return (moment, found) if moment.tzinfo is not None else None
    except ValueError:
        return None
