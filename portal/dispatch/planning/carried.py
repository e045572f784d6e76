"""Who carried to people what an update replaces, so that the same one is asked first for the update."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from sqlalchemy import select

from portal.core.arrays import ById, read
from portal.core.db import db
from portal.dispatch.models import Batch, Dispatch, Outcome
from portal.dispatch.planning.pieces import REACHED, Job

#: The carrier of those to whom nothing went out.
ANY = ""


class Carriers:
    """As far as it is known when it is asked: hand-overs that are still in the air have any carrier."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._batches: dict[str, list[int]] | None = None
        self._of_place = lru_cache(maxsize=2)(self._read)  # a community is often asked about in several pieces

    def split(self, place: str, ids: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """Carrier, and which of `ids` of a community were told by it."""
        names, told = self._of_place(place)
        numbers = told.get(ids)
        return [(names[number], numbers == number) for number in np.unique(numbers).tolist()]

    def _read(self, place: str) -> tuple[list[str], ById]:
        names, told = [ANY], ById("u1")
        if batches := self._of_earlier().get(place):
            here = (Outcome.batch_id.in_(batches), Outcome.status.in_(REACHED))
            carriers = select(Outcome.carrier).where(*here, Outcome.carrier != ANY).distinct()
            for carrier in sorted(db.session.scalars(carriers))[:255]:
                people = read(db.session, select(Outcome.recipient_id).where(*here, Outcome.carrier == carrier))
                told.set(people[:, 0], len(names))
                names.append(carrier)
        return names, told

    def _of_earlier(self) -> dict[str, list[int]]:
        """The batches of what is replaced, by community."""
        if self._batches is None:
            self._batches = {}
            job = self._job
            rows = select(Batch.region_code, Batch.id).join(Dispatch, Dispatch.id == Batch.dispatch_id).where(
                Dispatch.warning_id == job.warning_id, Dispatch.channel == job.channel, Dispatch.bulletin_id.in_(job.earlier))
            for place, batch_id in db.session.execute(rows.order_by(Batch.id)):
                self._batches.setdefault(place, []).append(batch_id)
        return self._batches
