"""The one place that reads the time. Times are aware and in UTC inside, in the district's zone at the edges."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def utcnow() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def local(moment: datetime, zone: str) -> datetime:
    """`moment` in the named zone, to the second: how people and CAP read it."""
    return moment.astimezone(ZoneInfo(zone)).replace(microsecond=0)


def from_local(naive: datetime, zone: str) -> datetime:
    """A time that a person typed, without a zone, understood in the district's zone."""
    return naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
