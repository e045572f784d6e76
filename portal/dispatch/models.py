"""Tables of dispatch. No row per recipient exists before there is an outcome.

Counts are kept in :class:`Tally` as outcomes are written, by region and language, and never recounted.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime, uuid7

SMS, SPEAKERS, WEB, PUSH = "sms", "speakers", "web", "push"
#: In the order in which pages show them.
CHANNELS = (SMS, SPEAKERS, PUSH, WEB)

#: Dispatch states.
PLANNING, RUNNING, DONE, STOPPED, EXPIRED = "planning", "running", "done", "stopped", "expired"
#: Batch states.
READY, BATCH_DONE = "ready", "done"


class Dispatch(Base):
    """One bulletin through one channel. `lane` orders the work: 0 is red."""

    __tablename__ = "dispatch"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    bulletin_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bulletin.id"), index=True)
    warning_id: Mapped[uuid.UUID] = mapped_column(index=True)
    channel: Mapped[str] = mapped_column(String(10))
    exercise: Mapped[bool]
    lane: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10), index=True)
    cursor: Mapped[str] = mapped_column(String(80), default="")  # how far planning has come
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # first and last acceptance by the channel
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopped_by: Mapped[str | None] = mapped_column(String(80))
    last_error: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (UniqueConstraint("bulletin_id", "channel"),)


class Batch(Base):
    """A bounded slice of a dispatch's recipients in one region and language, leased by one worker at a time.

    `recipients` is little-endian 64-bit ids; `unsure` those of them that the carrier may have taken without our hearing
    of it: they are tried again, and are uncertain, not unsent, when the dispatch ends before that. `fence` grows with
    every lease; a writer whose fence is old has lost it. `quiet_until`: its recipients have quiet hours until then.
    """

    __tablename__ = "batch"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    dispatch_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("dispatch.id"))
    channel: Mapped[str] = mapped_column(String(10))
    lane: Mapped[int] = mapped_column(Integer)
    region_code: Mapped[str] = mapped_column(String(12))
    language: Mapped[str] = mapped_column(String(8))
    size: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # not before; also the end of the present lease
    quiet_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    fence: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    # The long ones last: SQLite reads through them to reach what lies behind.
    recipients: Mapped[bytes] = mapped_column(LargeBinary)
    unsure: Mapped[bytes] = mapped_column(LargeBinary, default=b"")

    __table_args__ = (Index("ix_batch_due", "channel", "state", "lane", "id"), Index("ix_batch_dispatch", "dispatch_id", "state"))


class Outcome(Base):
    """The end of one hand-over: append-only, once for each recipient of a batch."""

    __tablename__ = "outcome"
    batch_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    recipient_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    carrier_id: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Receipt(Base):
    """What a carrier or a device said later: append-only, folded into :class:`Delivery` and then deleted."""

    __tablename__ = "receipt"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigId)
    recipient_id: Mapped[int] = mapped_column(BigId)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Delivery(Base):
    """The furthest that one message is known to have come, folded from its receipts."""

    __tablename__ = "delivery"
    batch_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    recipient_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Tally(Base):
    """Kept counts. `key`: planned, accepted, failed, opted_out, invalid, expired, stopped, a reason as `failed:30003`,
    or the furthest stage that receipts told: sent, delivered, undelivered, heard, playing, finished, ..."""

    __tablename__ = "tally"
    dispatch_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    key: Mapped[str] = mapped_column(String(52), primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
