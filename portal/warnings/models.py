"""Tables of a warning: the chain, the draft that people edit, and the bulletin that nobody does."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Json, UtcDateTime, uuid7

ALERT, UPDATE, CANCEL = "alert", "update", "cancel"
#: Draft states; the allowed moves between them are in review.py.
EDITING, SUBMITTED, REJECTED, DISCARDED, ISSUED = "editing", "submitted", "rejected", "discarded", "issued"
#: Warning states.
IN_FORCE, CANCELLED, EXPIRED = "in_force", "cancelled", "expired"


class Warning(Base):
    """One situation from first alert to all-clear. Tier, hazard and times are those of its newest bulletin."""

    __tablename__ = "warning"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    number: Mapped[str] = mapped_column(String(20), unique=True)  # 20261122-01; a drill: 20261122-D01
    exercise: Mapped[bool]
    hazard: Mapped[str] = mapped_column(String(5))
    tier: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(10))
    onset: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime] = mapped_column(UtcDateTime)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    region_codes: Mapped[list[str]] = mapped_column(Json)

    __table_args__ = (Index("ix_warning_state_expires", "state", "expires"), Index("ix_warning_issued_at", "issued_at"))


class Draft(Base):
    """Editable words and target. `version` counts every change of content; `content_hash` names exactly one content.

    `target`: {"regions": [code], "area": GeoJSON Polygon | {"type": "Circle", "center": [lon, lat], "radius": metres}
    | null, "audiences": [key]}; no audience means everyone.
    `words`: language → {"headline", "description", "instruction", "sms", "speaker"}.
    """

    __tablename__ = "draft"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(10))
    warning_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("warning.id"), index=True)
    status: Mapped[str] = mapped_column(String(10), index=True)
    exercise: Mapped[bool]
    hazard: Mapped[str] = mapped_column(String(5))
    tier: Mapped[str] = mapped_column(String(10))
    target: Mapped[dict[str, Any]] = mapped_column(Json)
    region_codes: Mapped[list[str]] = mapped_column(Json)  # what the target resolves to: topmost codes
    onset: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: at once when issued
    expires: Mapped[datetime] = mapped_column(UtcDateTime)
    words: Mapped[dict[str, dict[str, str]]] = mapped_column(Json)
    version: Mapped[int] = mapped_column(Integer)
    content_hash: Mapped[str] = mapped_column(String(64))
    author_id: Mapped[uuid.UUID]
    author_name: Mapped[str] = mapped_column(String(80))
    editor_ids: Mapped[list[str]] = mapped_column(Json)  # everyone who wrote any of it
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    submitted_by: Mapped[str | None] = mapped_column(String(80))
    submitter_id: Mapped[uuid.UUID | None]
    review_reason: Mapped[str | None] = mapped_column(String(1000))
    reviewed_by: Mapped[str | None] = mapped_column(String(80))
    bulletin_id: Mapped[uuid.UUID | None]
    #: The content that was last sent back to be changed, see changes.py; None when it never was.
    last_seen: Mapped[dict[str, Any] | None] = mapped_column(Json)


class Bulletin(Base):
    """One issued message of the chain. Immutable, and with no key to anything that can change: names are copied.

    `snapshot` holds all that is shown: {"hazard": {"code", "zh", "en"}, "areas": [{"code", "zh", "en"}],
    "polygons": [[[lon, lat], ...]], "target": …, "words": …, "authority": {"zh", "en"}, "people": {"author",
    "submitter", "approver"}}.
    """

    __tablename__ = "bulletin"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    warning_id: Mapped[uuid.UUID] = mapped_column(index=True)
    warning_number: Mapped[str] = mapped_column(String(20))
    position: Mapped[int] = mapped_column(Integer)  # 1 is the first of its warning
    kind: Mapped[str] = mapped_column(String(10))
    exercise: Mapped[bool]
    identifier: Mapped[str] = mapped_column(String(40), unique=True)
    sender: Mapped[str] = mapped_column(String(120))
    hazard: Mapped[str] = mapped_column(String(5))
    tier: Mapped[str] = mapped_column(String(10))
    region_codes: Mapped[list[str]] = mapped_column(Json)
    audiences: Mapped[list[str]] = mapped_column(Json)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    onset: Mapped[datetime] = mapped_column(UtcDateTime)
    expires: Mapped[datetime] = mapped_column(UtcDateTime)
    snapshot: Mapped[dict[str, Any]] = mapped_column(Json)
    draft_hash: Mapped[str] = mapped_column(String(64))
    cap: Mapped[bytes] = mapped_column(LargeBinary)
    cap_sha256: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("warning_id", "position"),)
