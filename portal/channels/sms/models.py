"""What the sandbox remembers: each text once, and the phones that would have received it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime


class SandboxText(Base):
    """One body. `digest` (SHA-256 of its UTF-8) finds it again when another batch brings the same words."""

    __tablename__ = "sandbox_text"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    body: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(8))
    encoding: Mapped[str] = mapped_column(String(5))
    segments: Mapped[int] = mapped_column(Integer)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SandboxMessage(Base):
    """One message at one phone. `delivered` is false where the sandbox plays a phone that could not be reached."""

    __tablename__ = "sandbox_message"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    text_id: Mapped[int] = mapped_column(BigId, ForeignKey("sandbox_text.id", ondelete="CASCADE"))
    ref: Mapped[str] = mapped_column(String(80))
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    tail: Mapped[str] = mapped_column(String(4))  # last four digits, which pages show anyway
    delivered: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_sandbox_message_phone", "phone_index"),
        Index("ix_sandbox_message_tail", "tail", "id"),
        Index("ix_sandbox_message_text", "text_id", "id"),
    )
