"""Those to whom an earlier bulletin of the warning went out, each once, in the language and by the carrier that told them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import Row, Select, select

from portal import current_settings
from portal.core.arrays import ById
from portal.core.db import db
from portal.dispatch import outcomes
from portal.dispatch.models import READY, SMS, Batch, Dispatch, OutcomePage
from portal.dispatch.planning.pieces import REACHED, Job, Part, Piece, Waiting, counted, fresh
from portal.subscribers import quiet
from portal.subscribers.matter import end_of_quiet

NAME = "earlier"
#: Batches of what is replaced that one piece looks through.
BATCHES = 20


class Told:
    """The batches of the earlier bulletins in turn, as soon as nothing more becomes of them."""

    name = NAME

    def __init__(self, job: Job, taken: ById) -> None:
        self._job, self._taken = job, taken

    def read(self, after: tuple[Any, ...], limit: int) -> Piece:
        (last,) = after or (0,)
        batches = self._ended(last, min(BATCHES, max(1, limit // current_settings().batch_size)))
        if not batches:
            if self._unsettled():
                raise Waiting
            return Piece([], None)
        return Piece(self._parts(batches), (batches[-1].id,))

    def _ended(self, last: int, most: int) -> list[Row[Any]]:
        """The next batches, up to one that is not yet ended. Raises Waiting where that is the first."""
        rows = db.session.execute(
            self._of_earlier(select(Batch.id, Batch.state, Batch.region_code, Batch.language).select_from(Batch).join(
                Dispatch, Dispatch.id == Batch.dispatch_id))
            .where(Batch.id > last).order_by(Batch.id).limit(most)
        ).all()
        ended = []
        for row in rows:
            if row.state == READY:
                break
            ended.append(row)
        if rows and not ended:
            raise Waiting
        return ended

    def _unsettled(self) -> bool:
        """Whether an earlier dispatch of the chain is not yet at rest, so that its batches may still grow or change."""
        open_one = self._of_earlier(select(Dispatch.id)).where(Dispatch.ended_at.is_(None)).limit(1)
        return db.session.execute(open_one).first() is not None

    def _of_earlier(self, query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
        job = self._job
        return query.where(Dispatch.warning_id == job.warning_id, Dispatch.channel == job.channel,
                           Dispatch.bulletin_id.in_(job.earlier))

    def _parts(self, batches: list[Row[Any]]) -> list[Part]:
        found: dict[tuple[str, str, str, int], list[np.ndarray]] = {}
        pages = list(outcomes.pages(db.session, [batch.id for batch in batches], OutcomePage.status.in_(REACHED)))
        told: dict[tuple[int, str], list[np.ndarray]] = {}
        for page, hours in zip(pages, self._asleep(pages), strict=True):
            told.setdefault((page.batch_id, page.carrier), []).append(np.stack([page.recipients, page.audiences, hours], axis=1))
        for batch in batches:
            for carrier in sorted(carrier for batch_id, carrier in told if batch_id == batch.id):
                people = np.concatenate(told[batch.id, carrier])
                people = people[np.argsort(people[:, 0])]
                people = people[fresh(people[:, 0], self._taken)]
                for hour in np.unique(people[:, 2]).tolist():
                    key = (batch.region_code, batch.language, carrier, hour)
                    found.setdefault(key, []).append(people[people[:, 2] == hour])
        return [self._part(*key, np.concatenate(people)) for key, people in found.items()]

    def _asleep(self, pages: list[outcomes.Page]) -> list[np.ndarray]:
        """For each page, the hour at which each person's quiet hours end."""
        if self._job.channel != SMS or not pages:
            return [np.full(len(page.recipients), quiet.AWAKE) for page in pages]
        ids = np.concatenate([page.recipients for page in pages])
        return np.split(quiet.hours(ids, self._job.matter), np.cumsum([len(page.recipients) for page in pages])[:-1])

    def _part(self, region: str, language: str, carrier: str, hour: int, people: np.ndarray) -> Part:
        until = end_of_quiet(hour, self._job.at, self._job.zone) if hour != quiet.AWAKE else None
        return Part(region, language, people[:, 0], counted(people[:, 1]), until, carrier)
