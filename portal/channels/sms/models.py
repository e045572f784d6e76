"""What the sandbox remembers, the one-time codes that were sent to prove a phone, and notices to single people."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime, uuid7


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


class OneTimeCode(Base):
    """A code that was sent to a phone so that its holder can prove it. `purpose` names the door that it opens; the code
    itself is kept as a keyed hash only, and so is the network address from which it was asked for."""

    __tablename__ = "one_time_code"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    purpose: Mapped[str] = mapped_column(String(20))
    code_hash: Mapped[str] = mapped_column(String(64))
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    asked_from: Mapped[bytes | None] = mapped_column(LargeBinary(16))

    __table_args__ = (
        Index("ix_one_time_code_phone", "phone_index", "purpose", "sent_at"),
        Index("ix_one_time_code_asked_from", "asked_from", "sent_at"),
    )


class SmsNotice(Base):
    """A text to one person about what that person booked or holds, until it is sent or too late. `ref` says what it is about:
    queued twice, it is sent once. `phone_sealed` as a subscriber's; `body_sealed` for the place ``sms_notice.<ref>``. `state`:
    queued, sent, failed (the carrier said so for good, or `not_after` came), doubtful (handed over, no answer)."""

    __tablename__ = "sms_notice"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ref: Mapped[str] = mapped_column(String(80), unique=True)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    body_sealed: Mapped[bytes] = mapped_column(LargeBinary(2000))
    state: Mapped[str] = mapped_column(String(10), default="queued")
    tries: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_sms_notice_due", "state", "due_at"), Index("ix_sms_notice_ended", "ended_at"))


class InboundText(Base):
    """A text that a phone sent to us, by the carrier's number of it, so that one that comes twice is acted on once and answered
    with the same words. What was written is not kept. Swept after some days."""

    __tablename__ = "inbound_text"
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    message_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    command: Mapped[str] = mapped_column(String(20))  # what it was taken for
    answer: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)

    __table_args__ = (Index("ix_inbound_text_phone", "phone_index", "at"),)
