"""Horns' answers become receipts. They come one by one from the network and are written in bulk."""

from __future__ import annotations

import logging
import queue
import uuid

from sqlalchemy import select

from portal.channels.speakers import registry
from portal.channels.speakers.bridge import Answer
from portal.core.db import db
from portal.dispatch import receipts
from portal.dispatch.models import SPEAKERS, Batch, Dispatch
from portal.dispatch.recipients import unpack

log = logging.getLogger(__name__)

#: More answers than this wait for the database only when it is down; a horn repeats what matters with its state.
LONGEST_QUEUE = 50_000
BULLETINS_KEPT = 50


class AnswerBox:
    """Takes answers from the bridge's thread without ever making it wait."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Answer] = queue.Queue(LONGEST_QUEUE)
        self._batches: dict[str, dict[int, int]] = {}  # bulletin → horn → batch

    def put(self, answer: Answer) -> None:
        try:
            self._queue.put_nowait(answer)
        except queue.Full:
            log.error("dropping a horn's answer: %d are waiting for the database", LONGEST_QUEUE)

    def write(self, limit: int = 2000) -> int:
        """Write waiting answers as receipts; how many. Needs an application context. Answers survive a failing database."""
        answers: list[Answer] = []
        while len(answers) < limit and not self._queue.empty():
            answers.append(self._queue.get_nowait())
        if not answers:
            return 0
        try:
            ids = registry.id_of(sorted({a.address for a in answers}))
            rows = []
            for answer in answers:
                speaker = ids.get(answer.address)
                batch = self._batch_of(answer.command_id, speaker) if speaker else None
                if speaker and batch:
                    rows.append((batch, speaker, answer.status, answer.code))
            receipts.record_many(rows)
        except Exception:
            for answer in answers:
                self.put(answer)
            raise
        return len(answers)

    def _batch_of(self, command_id: str, speaker_id: int) -> int | None:
        """The batch through which a bulletin went to a horn; None for a command that is none of dispatch's, as a test."""
        if speaker_id not in self._batches.get(command_id, {}):
            try:
                bulletin_id = uuid.UUID(command_id)
            except ValueError:
                return None
            rows = db.session.execute(
                select(Batch.id, Batch.recipients)
                .join(Dispatch, Dispatch.id == Batch.dispatch_id)
                .where(Dispatch.bulletin_id == bulletin_id, Dispatch.channel == SPEAKERS)
            ).all()
            db.session.rollback()
            if len(self._batches) >= BULLETINS_KEPT:
                self._batches.clear()
            self._batches[command_id] = {int(i): row.id for row in rows for i in unpack(row.recipients)}
        return self._batches[command_id].get(speaker_id)
