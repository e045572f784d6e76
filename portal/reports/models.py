"""Tables of residents' reports of dangers. What a resident wrote, where to reach them and every photo are sealed."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column

from portal.core.db import Base, BigId, UtcDateTime, uuid7

#: From first to last; of the last four each is an end.
NEW, ACCEPTED, ACTING, RESOLVED, DECLINED, DUPLICATE, SPAM = STATES = (
    "new", "accepted", "acting", "resolved", "declined", "duplicate", "spam")
CLOSED = (RESOLVED, DECLINED, DUPLICATE, SPAM)


class DangerReport(Base):
    """What somebody saw. `number` is what staff call it; the reporter has a code instead, of which only `code_hash` is kept.
    `ref_hash`: of what the phone calls it, so that one that is sent twice is one. `region_code` is the community, or the
    district's where it is not known. `doubtful`: it looked as if a machine had filled in the form.

    `words_sealed`, `place_sealed` and `phone_sealed` are empty once they were erased (`erased_at`). `version` counts what staff
    do.
    """

    __tablename__ = "danger_report"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    ref_hash: Mapped[str] = mapped_column(String(64), unique=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(20))  # reports.kinds.KINDS
    words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(8000))
    place_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(1000))
    region_code: Mapped[str] = mapped_column(String(12))
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)
    language: Mapped[str] = mapped_column(String(8))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(64))
    phone_index: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    phone_proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    doubtful: Mapped[bool] = mapped_column(default=False)
    photos: Mapped[int] = mapped_column(Integer, default=0)
    observed_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it was written on the phone
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    state: Mapped[str] = mapped_column(String(12), default=NEW)
    state_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state_by: Mapped[str] = mapped_column(String(120), default="")
    duplicate_of: Mapped[uuid.UUID | None] = mapped_column(index=True)
    obstruction_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    draft_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    demonstration: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        Index("ix_danger_report_region", "region_code", "received_at"),
        Index("ix_danger_report_state", "state", "state_at"),
        Index("ix_danger_report_phone", "phone_index", "received_at"),
    )


class ReportPhoto(Base):
    """A photo as it was made anew from what was sent, and a small one for lists; both JPEG, both sealed."""

    __tablename__ = "danger_report_photo"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    report_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("danger_report.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    body_sealed: Mapped[bytes] = deferred(mapped_column(LargeBinary, nullable=False))
    small_sealed: Mapped[bytes] = deferred(mapped_column(LargeBinary, nullable=False))

    __table_args__ = (UniqueConstraint("report_id", "position"),)


class ReportEvent(Base):
    """A step of a report: append-only. `kind`: received, state, answer (the reporter reads it), note (staff only), merged,
    region, obstruction, draft, revealed (the telephone), said (the reporter adds something), proved, erased. `account` is empty
    where the reporter acted."""

    __tablename__ = "danger_report_event"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    report_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("danger_report.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    state: Mapped[str | None] = mapped_column(String(12))
    words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(8000))
    about: Mapped[str] = mapped_column(String(60), default="")  # an id or a code, as the kind says
    account: Mapped[str] = mapped_column(String(120), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)
