"""Who has quiet hours at this moment: they are told later, when it is nothing loud."""

from __future__ import annotations

import numpy as np
from sqlalchemy import select

from portal.core.arrays import among, read
from portal.core.db import db
from portal.subscribers.matter import Matter
from portal.subscribers.models import Subscriber

#: The hour for those who have none.
AWAKE = -1


def hours(ids: np.ndarray, matter: Matter) -> np.ndarray:
    """For each of `ids` the hour at which the quiet hours of that person end, or AWAKE."""
    found = np.full(len(ids), AWAKE)
    if matter.hour is None or not len(ids):
        return found
    asleep = read(db.session, select(Subscriber.id, Subscriber.quiet_to).where(
        among(db.session, Subscriber.id, ids), matter.quiet()))
    asleep = asleep[np.argsort(asleep[:, 0])]
    places = np.searchsorted(asleep[:, 0], ids)
    known = places < len(asleep)
    known[known] = asleep[places[known], 0] == ids[known]
    found[known] = asleep[places[known], 1]
    return found
