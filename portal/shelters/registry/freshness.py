"""How far what is said of a shelter's state can still be believed."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.shelters import models
from portal.shelters.models import Shelter

#: A state of activity that nobody confirmed for so long is stale, where its source named no end.
DEFAULT_AGE = timedelta(hours=12)
#: States in which things change by the hour; standby, closed and unsafe hold until somebody says otherwise.
ACTIVE = (models.OPENING, models.OPEN, models.NEARLY_FULL, models.FULL, models.CLOSING)
_NOBODY_YET = (models.STANDBY, models.OPENING)
_NO_PLACES = (models.FULL, models.CLOSING, models.CLOSED, models.UNSAFE)


def is_stale(shelter: Shelter, now: datetime) -> bool:
    """Whether the status is to be greyed and dated: its validity passed, or it is active and old or undated."""
    if shelter.status is None:
        return False
    if shelter.status_until is not None:
        return now > shelter.status_until
    if shelter.status not in ACTIVE:
        return False
    return shelter.status_at is None or now - shelter.status_at > DEFAULT_AGE


def goes_stale_at(shelter: Shelter) -> datetime | None:
    """When the present status becomes stale by itself; None: it does not, or already has no date."""
    if shelter.status is None or shelter.status_until is not None:
        return shelter.status_until
    return shelter.status_at + DEFAULT_AGE if shelter.status in ACTIVE and shelter.status_at else None


def capacity(shelter: Shelter, *, night: bool = False) -> int | None:
    """Places by day or by night; None: unknown. Where nobody may stay over night, the night has none."""
    if not night:
        return shelter.capacity_day
    return 0 if shelter.night is False else shelter.capacity_night


def free_places(shelter: Shelter, now: datetime, *, night: bool = False) -> int | None:
    """How many more people find a place; None: unknown.

    No head count is unknown, not zero people, unless the shelter takes people only from now on; a stale state tells
    nothing either, except that a shelter that was full or unsafe is not taken for free.
    """
    if shelter.retired_at is not None or shelter.status in _NO_PLACES:
        return 0
    places = capacity(shelter, night=night)
    if places is None or shelter.status is None or is_stale(shelter, now):
        return None
    if shelter.occupancy is None:
        return places if shelter.status in _NOBODY_YET else None
    return max(0, places - shelter.occupancy)
