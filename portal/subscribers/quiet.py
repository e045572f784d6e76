"""Who has quiet hours at this moment: they are told later, when it is nothing loud."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, literal, select

from portal.subscribers.matter import Matter
from portal.subscribers.models import Subscriber

#: The hour for those who have none.
AWAKE = -1


def hour(subscriber_id: Any, matter: Matter) -> ColumnElement[int]:
    """A column for another capability's query: the hour at which the quiet hours of the person end whose id that column holds, or
    AWAKE. Each is looked up by their key."""
    if matter.hour is None:
        return literal(AWAKE)
    asleep = select(Subscriber.quiet_to).where(Subscriber.id == subscriber_id, matter.quiet())
    return func.coalesce(asleep.scalar_subquery(), AWAKE)
