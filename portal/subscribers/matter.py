"""What a message is about, as far as subscribers choose by it: the kind of danger, the tier, the hour of the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, false, or_

from portal.config import TIERS
from portal.core.clock import local
from portal.subscribers import kinds
from portal.subscribers.models import Subscriber

#: These are sent at once, whoever sleeps.
LOUD = ("orange", "red")


@dataclass(frozen=True)
class Matter:
    """`kind`: the bit of subscribers.kinds, 0 for what nobody can leave out; `tier`: its place in config.TIERS; `hour`: of the
    district's day, None where nobody's quiet hours count."""

    kind: int
    tier: int
    hour: int | None

    def wanted(self) -> ColumnElement[bool]:
        """Who has not left this out."""
        high_enough = Subscriber.lowest_tier <= self.tier
        return and_(high_enough, Subscriber.muted_kinds.bitwise_and(self.kind) == 0) if self.kind else high_enough

    def quiet(self) -> ColumnElement[bool]:
        """Who wants it only when their quiet hours are over. They may go over midnight; from an hour to the same is none."""
        if self.hour is None:
            return false()
        begins, ends = Subscriber.quiet_from, Subscriber.quiet_to
        within_day = and_(begins < ends, begins <= self.hour, ends > self.hour)
        over_midnight = and_(begins > ends, or_(begins <= self.hour, ends > self.hour))
        return and_(begins.is_not(None), ends.is_not(None), or_(within_day, over_midnight))


def matter_of(hazard: str, tier: str, *, exercise: bool, at: datetime, zone: str) -> Matter:
    """The matter of a bulletin that goes out `at` this moment. A drill wakes nobody, whatever its tier."""
    loud = tier in LOUD and not exercise
    return Matter(kinds.bit_of(hazard), TIERS.index(tier), None if loud else local(at, zone).hour)


def end_of_quiet(hour: int, at: datetime, zone: str) -> datetime:
    """When quiet hours that hold `at` this moment and last until the full `hour` are over."""
    begun = local(at, zone)
    end = begun.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if end <= begun:
        day = begun.date() + timedelta(days=1)
        end = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
    return end.astimezone(at.tzinfo)
