"""Who carried to people what an update replaces, so that the same one is asked first for the update."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from sqlalchemy import select

from portal.core.arrays import ById
from portal.core.db import db
from portal.dispatch import outcomes
from portal.dispatch.models import Batch, Dispatch, OutcomePage
from portal.dispatch.planning.pieces import REACHED, Job

#: The carrier of those to whom nothing went out.
ANY = ""
#: Carriers that are told apart in one community.
MOST = 255


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
            reached = (OutcomePage.status.in_(REACHED), OutcomePage.carrier != ANY)
            for page in outcomes.pages(db.session, batches, *reached):
                if page.carrier not in names:
                    if len(names) > MOST:
                        continue
                    names.append(page.carrier)
                told.set(page.recipients, names.index(page.carrier))
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
