"""Tables of exams: attempts, and the answer to each question of an attempt."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime, uuid7

#: How an attempt ended: handed in, or its time was over; or it ended either way, and its marking failed.
HANDED_IN, TIME, UNMARKED = "handed_in", "time", "unmarked"
_OPEN = text("ended_at IS NULL")
#: What :data:`UNMARKED` means to the databases, which use an index of a part only where the part is named, and no parameter.
IS_UNMARKED = text(f"ended_by = '{UNMARKED}'")
_UNCOUNTED = text("NOT counted AND ended_at IS NOT NULL")


class Attempt(Base):
    """One sitting of an exam. `version_id`, `seed` and `drawn` (``exams.draw.Drawn`` as stored) fix what is asked, whatever
    happens to the files; so do `deadline_at` and `closes_at` (deadline and grace) with the time, and `pass_mark` with the mark.
    `live_hash`: of the secret of the one device that may answer; `generation` counts the devices. After the end: `points` of
    `out_of`, `percent` rounded down, and `modules`: id → [points, questions]; `counted` once its answers are in the figures of
    their questions. One that is UNMARKED has none of these and counts in no figure until ``exams.unmarked`` has marked it.
    `forgiven`: it does not count among the attempts that the course allows, since a trainer gave another in its place."""

    __tablename__ = "exam_attempt"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(60))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("course_version.id"))
    number: Mapped[int] = mapped_column(Integer)
    seed: Mapped[str] = mapped_column(String(64))
    drawn: Mapped[list[Any]] = mapped_column(Json)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pass_mark: Mapped[int] = mapped_column(Integer)
    live_hash: Mapped[str] = mapped_column(String(64))
    generation: Mapped[int] = mapped_column(Integer, default=1)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str] = mapped_column(String(12), default="")
    points: Mapped[float | None] = mapped_column(Float)
    out_of: Mapped[int] = mapped_column(Integer)
    percent: Mapped[int | None] = mapped_column(Integer)
    passed: Mapped[bool] = mapped_column(Boolean, default=False)
    modules: Mapped[dict[str, list[float]] | None] = mapped_column(Json)
    counted: Mapped[bool] = mapped_column(Boolean, default=False)
    forgiven: Mapped[bool] = mapped_column(Boolean, default=False)

    __table_args__ = (
        Index("uq_exam_attempt_open", "learner_id", "slug", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_exam_attempt_closes", "closes_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_exam_attempt_learner", "slug", "learner_id"),
        Index("ix_exam_attempt_unmarked", "id", sqlite_where=IS_UNMARKED, postgresql_where=IS_UNMARKED),
        Index("ix_exam_attempt_uncounted", "ended_at", sqlite_where=_UNCOUNTED, postgresql_where=_UNCOUNTED),
    )


class AttemptAnswer(Base):
    """What was answered last to the question at place `at` (from 0) of an attempt. `seq` is the client's count: a smaller one
    never overwrites a greater one. `value` names places as they were shown (see ``exams.answers``). After the end every question
    has a row, `points` from 0 to 1; one that was not answered has the value null."""

    __tablename__ = "exam_answer"
    attempt_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("exam_attempt.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[int] = mapped_column(Integer, primary_key=True)
    question_id: Mapped[str] = mapped_column(String(60))
    value: Mapped[Any] = mapped_column(Json)
    seq: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    points: Mapped[float | None] = mapped_column(Float)
