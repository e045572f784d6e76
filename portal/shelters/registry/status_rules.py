"""Which states let people in."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.shelters import models
from portal.shelters.models import Shelter
from portal.shelters.registry import freshness

#: States in which people are taken in.
TAKES_PEOPLE = (models.OPEN, models.NEARLY_FULL)
#: A stale `open` is still used, with its date; after so long nobody knows any more whether the doors are open.
FORGOTTEN_AFTER = timedelta(days=7)


def usable(shelter: Shelter, now: datetime) -> bool:
    """Whether people can be sent there now: it takes people by its newest report, fresh or dated, and is not retired.

    A report that is stale for more than a week counts as none. Whether it suits the hazard is asked of `suitability`.
    """
    if shelter.retired_at is not None or shelter.status not in TAKES_PEOPLE:
        return False
    stale_at = freshness.goes_stale_at(shelter)
    return stale_at is not None and now <= stale_at + FORGOTTEN_AFTER
