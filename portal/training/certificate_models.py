"""Tables of certificates: what was granted to whom, until when, and what was taken back."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime, uuid7

_VALID = text("revoked_at IS NULL")
_REVOKED = text("revoked_at IS NOT NULL")
_RENEWS = text("renews IS NOT NULL")


class Certificate(Base):
    """`serial` is what is printed and typed; `name_sealed` is the name as it was printed, sealed for the place
    ``certificate.<id>``, and `region_code` the learner's community then and now (it follows the learner). `valid_until` is
    NULL where the course sets no end. `credential`: the signed Open Badges 3.0 credential, as it was handed out, sealed for
    the place ``certificate.<id>.credential``, in base64; empty where the learner erased himself. `status_index` is its place
    in the public lists of revocations. `renews`: the certificate that this one prolongs, or replaces after a name was
    corrected. A learner who erases himself leaves `learner_id` NULL and no name; what was granted stays verifiable by its
    serial."""

    __tablename__ = "certificate"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    serial: Mapped[str] = mapped_column(String(32), unique=True)
    learner_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("learner.id", ondelete="SET NULL"))
    slug: Mapped[str] = mapped_column(String(64))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("course_version.id"))
    name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(400))
    region_code: Mapped[str | None] = mapped_column(String(12))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    renews: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("certificate.id"))
    status_index: Mapped[int] = mapped_column(Integer, unique=True)
    credential: Mapped[str] = mapped_column(Text)
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_because: Mapped[str] = mapped_column(String(300), default="")

    __table_args__ = (
        Index("ix_certificate_learner", "learner_id", "slug", "issued_at"),
        Index("ix_certificate_region", "slug", "region_code", "id"),
        Index("ix_certificate_revoked", "status_index", sqlite_where=_REVOKED, postgresql_where=_REVOKED),
        Index("ix_certificate_back", "slug", "id", sqlite_where=_REVOKED, postgresql_where=_REVOKED),
        Index("ix_certificate_renews", "renews", sqlite_where=_RENEWS, postgresql_where=_RENEWS),
        Index("ix_certificate_ends", "valid_until", "id", sqlite_where=_VALID, postgresql_where=_VALID),
    )
