"""Reports for the desk's lists: found by state, kind, place and number; those near one another; how many wait."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select

from portal.core.db import db
from portal.identity.models import Account
from portal.identity.rights import DRAFTER, regions_for
from portal.regions import codes, lookup
from portal.reports import seals, states
from portal.reports.models import NEW, SPAM, DangerReport, ReportEvent, ReportPhoto

#: Views of the list: what waits, what looks as if a machine had sent it, and so on.
VIEWS = ("open", "new", "acting", "doubtful", "closed", "all")
#: Metres and days within which two reports of one kind may be of the same danger; how many are offered.
NEAR_METRES, NEAR_TIME, NEAR_MOST = 300.0, timedelta(days=3), 8
_METRES_PER_DEGREE = 111_320.0
_EXCERPT = 60


@dataclass(frozen=True)
class Row:
    """A report as lists show it. `excerpt`: the beginning of its words."""

    report: DangerReport
    excerpt: str
    place: str


@dataclass(frozen=True)
class Found:
    """`rows` of one page, `total` of all that match."""

    rows: list[Row]
    total: int


def in_regions(regions: Sequence[str]) -> ColumnElement[bool]:
    """The reports in these regions with all that lies below; each region is one range of the index."""
    ranges = [codes.code_range(code) for code in regions]
    return or_(false(), *(DangerReport.region_code.between(low, high) for low, high in ranges))


def own_regions(account: Account, *roles: str) -> list[str]:
    """Where the account triages; with `roles`, where it holds one of them."""
    return lookup.topmost(code for role in roles or (DRAFTER,) for code in regions_for(account, role))


def _of_view(view: str) -> ColumnElement[bool] | None:
    waits = DangerReport.state.in_(states.OPEN)
    sure = or_(DangerReport.doubtful.is_(False), DangerReport.state != NEW)
    where: dict[str, Any] = {
        "open": and_(waits, sure), "new": and_(DangerReport.state == NEW, sure),
        "acting": DangerReport.state.in_(("accepted", "acting")),
        "doubtful": or_(and_(DangerReport.state == NEW, DangerReport.doubtful.is_(True)), DangerReport.state == SPAM),
        "closed": and_(DangerReport.state.not_in(states.OPEN), DangerReport.state != SPAM)}
    return where.get(view)


def find(regions: Sequence[str], *, view: str = "open", kind: str = "", number: int | None = None, offset: int = 0,
         limit: int = 50) -> Found:
    """Reports in the regions, the newest first."""
    query = select(DangerReport).where(in_regions(regions))
    if number is not None:
        query = query.where(DangerReport.number == number)
    elif (wanted := _of_view(view)) is not None:
        query = query.where(wanted)
    if kind:
        query = query.where(DangerReport.kind == kind)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = db.session.scalars(query.order_by(DangerReport.received_at.desc(), DangerReport.id.desc()).offset(offset).limit(limit))
    return Found([row(report) for report in rows], total)


def row(report: DangerReport) -> Row:
    words = " ".join(seals.words_of(report).split())
    return Row(report, words[:_EXCERPT] + ("…" if len(words) > _EXCERPT else ""), seals.place_of(report))


def counts(regions: Sequence[str]) -> dict[str, int]:
    """How many there are in each view."""
    return {view: _count(regions, _of_view(view)) for view in VIEWS}


def _count(regions: Sequence[str], wanted: ColumnElement[bool] | None) -> int:
    query = select(func.count()).select_from(DangerReport).where(in_regions(regions))
    return db.session.scalar(query if wanted is None else query.where(wanted)) or 0


def waiting(account: Account) -> int:
    """New reports that wait for this account."""
    regions = own_regions(account)
    return _count(regions, _of_view("new")) if regions else 0


def get(number: int) -> DangerReport | None:
    return db.session.scalar(select(DangerReport).where(DangerReport.number == number))


def by_id(report_id: uuid.UUID) -> DangerReport | None:
    return db.session.get(DangerReport, report_id)


def merged_into(report: DangerReport) -> list[DangerReport]:
    """Those that tell of the same and were merged into this one."""
    return list(db.session.scalars(select(DangerReport).where(DangerReport.duplicate_of == report.id)
                                   .order_by(DangerReport.number).limit(100)))


def near(report: DangerReport, regions: Sequence[str]) -> list[tuple[Row, float | None]]:
    """Others that may be of the same danger, with the metres between (None where one has no point), the nearest first: of the
    same kind, within :data:`NEAR_METRES`, or in the same community where there is no point; received within :data:`NEAR_TIME`."""
    query = select(DangerReport).where(
        in_regions(regions), DangerReport.id != report.id, DangerReport.kind == report.kind,
        DangerReport.state.in_(states.OPEN), DangerReport.received_at.between(report.received_at - NEAR_TIME,
                                                                            report.received_at + NEAR_TIME))
    if report.longitude is not None and report.latitude is not None:
        high = NEAR_METRES / _METRES_PER_DEGREE
        wide = high / max(0.05, math.cos(math.radians(report.latitude)))
        query = query.where(or_(
            and_(DangerReport.latitude.between(report.latitude - high, report.latitude + high),
                 DangerReport.longitude.between(report.longitude - wide, report.longitude + wide)),
            and_(DangerReport.longitude.is_(None), DangerReport.region_code == report.region_code)))
    else:
        query = query.where(DangerReport.region_code == report.region_code)
    found = [(row(other), _metres(report, other)) for other in db.session.scalars(query.order_by(DangerReport.number).limit(200))]
    close = [pair for pair in found if pair[1] is None or pair[1] <= NEAR_METRES]
    return sorted(close, key=lambda pair: (pair[1] is None, pair[1] or 0.0))[:NEAR_MOST]


def _metres(one: DangerReport, other: DangerReport) -> float | None:
    if one.longitude is None or one.latitude is None or other.longitude is None or other.latitude is None:
        return None
    east = (one.longitude - other.longitude) * math.cos(math.radians(one.latitude))
    return math.hypot(east, one.latitude - other.latitude) * _METRES_PER_DEGREE


def story(report: DangerReport) -> list[tuple[ReportEvent, str]]:
    """All steps with their words, the oldest first."""
    steps = select(ReportEvent).where(ReportEvent.report_id == report.id).order_by(ReportEvent.at, ReportEvent.id).limit(500)
    return [(event, seals.event_of(event)) for event in db.session.scalars(steps)]


def photos(report: DangerReport) -> list[ReportPhoto]:
    """Without their bytes, which are loaded when one is shown."""
    return list(db.session.scalars(select(ReportPhoto).where(ReportPhoto.report_id == report.id).order_by(ReportPhoto.position)))


def of_obstruction(obstruction_id: uuid.UUID) -> list[DangerReport]:
    """The reports of which this obstruction was made."""
    return list(db.session.scalars(select(DangerReport).where(DangerReport.obstruction_id == obstruction_id).limit(20)))


def of_draft(draft_id: uuid.UUID) -> list[DangerReport]:
    """The reports of which this draft was made."""
    return list(db.session.scalars(select(DangerReport).where(DangerReport.draft_id == draft_id).limit(20)))
