"""Tables of practical training: sessions that a trainer holds, who booked them, and what assessors saw."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime, uuid7

#: How a session stands.
PLANNED, CANCELLED = "planned", "cancelled"
#: How a booking stands. `LEFT`: the learner gave the seat back; `ATTENDED`, `ABSENT`: known on the day.
BOOKED, WAITING, LEFT, ATTENDED, ABSENT = "booked", "waiting", "left", "attended", "absent"
_DISPUTED = text("disputed_at IS NOT NULL")


class PracticalSession(Base):
    """An afternoon at which skills of a course are practised and assessed. `skills`: ids of the course's checklists; `place`
    in words; `secret_sealed`: what the rotating code of attendance is made from, sealed for the place
    ``practical_session.<id>``; `version` counts changes, so that two trainers do not overwrite each other."""

    __tablename__ = "practical_session"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    slug: Mapped[str] = mapped_column(String(64))
    skills: Mapped[list[str]] = mapped_column(Json)
    place: Mapped[str] = mapped_column(String(200))
    region_code: Mapped[str] = mapped_column(String(12))
    lon: Mapped[float | None] = mapped_column(Float)
    lat: Mapped[float | None] = mapped_column(Float)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seats: Mapped[int] = mapped_column(Integer)
    trainer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id"))
    note: Mapped[str] = mapped_column(String(1000), default="")
    state: Mapped[str] = mapped_column(String(10), default=PLANNED)
    cancelled_because: Mapped[str] = mapped_column(String(300), default="")
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary(80))
    version: Mapped[int] = mapped_column(Integer, default=1)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_practical_session_slug", "slug", "starts_at"),
                      Index("ix_practical_session_region", "region_code", "starts_at"),
                      Index("ix_practical_session_starts", "starts_at"))


class Booking(Base):
    """A learner's seat at a session, or place in its queue: whoever waits longest (`asked_at`, then `id`) gets the next free
    seat. `reminded_at`: the reminder was queued."""

    __tablename__ = "practical_booking"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("practical_session.id", ondelete="CASCADE"))
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(10))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attended_by: Mapped[str] = mapped_column(String(12), default="")  # code, hand

    __table_args__ = (UniqueConstraint("session_id", "learner_id"), Index("ix_practical_booking_learner", "learner_id", "id"))


class Assessment(Base):
    """What one assessor saw of one skill of one learner. `ref` is made on the assessor's phone: sent twice, it counts once;
    of several by the same assessor at the same session the one seen last counts. `steps`: step id → true, false, or null
    (not seen). `passed` by the checklist's rule; `settles`: it was made to end a disagreement. `disputed_at`: since when
    it is part of a disagreement that is open; NULL for all others."""

    __tablename__ = "practical_assessment"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("practical_session.id", ondelete="CASCADE"))
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(64))
    skill: Mapped[str] = mapped_column(String(64))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("course_version.id"))
    assessor_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id"))
    steps: Mapped[dict[str, Any]] = mapped_column(Json)
    passed: Mapped[bool] = mapped_column(Boolean)
    settles: Mapped[bool] = mapped_column(Boolean, default=False)
    note: Mapped[str] = mapped_column(String(500), default="")
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disputed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_practical_assessment_disputed", "session_id", sqlite_where=_DISPUTED, postgresql_where=_DISPUTED),
                      Index("ix_practical_assessment_learner", "learner_id", "slug", "skill", "id"),
                      Index("ix_practical_assessment_session", "session_id", "learner_id"))
