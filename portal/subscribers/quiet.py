"""Who has quiet hours at this moment: they are told later, when it is nothing loud."""

from __future__ import annotations

import numpy as np
from sqlalchemy import select

from portal.core.arrays import ById, read
from portal.core.db import db
from portal.subscribers.matter import Matter
from portal.subscribers.models import Subscriber
from portal.subscribers.store import batched_ids


def hours(ids: np.ndarray, matter: Matter) -> np.ndarray:
    """For each of `ids` the hour at which their quiet hours end, -1 for who has none at this moment."""
    found = ById("i1")
    if matter.hour is not None:
        for chunk in batched_ids(ids.tolist()):
            asleep = select(Subscriber.id, Subscriber.quiet_to).where(Subscriber.id.in_(chunk), matter.quiet())
            rows = read(db.session, asleep)
            found.set(rows[:, 0], rows[:, 1] + 1)
    return found.get(ids).astype("<i8") - 1
