"""Tables of dispatch. No row per recipient exists before there is an outcome.

Counts are kept in :class:`Tally` as outcomes are written, by region and language, and never recounted.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime, uuid7

SMS, SPEAKERS, WEB, PUSH = "sms", "speakers", "web", "push"
#: In the order in which pages show them.
CHANNELS = (SMS, SPEAKERS, PUSH, WEB)

#: Dispatch states.
PLANNING, RUNNING, DONE, STOPPED, EXPIRED = "planning", "running", "done", "stopped", "expired"
#: Batch states. Of the text messages of an overdue one receipts should have come by now.
READY, BATCH_DONE, OVERDUE = "ready", "done", "overdue"


class Dispatch(Base):
    """One bulletin through one channel. `lane` orders the work: 0 is red. `places`: the communities in the order in which they
    are planned, fixed when planning begins. `moved_at`: when anything last became of it, to about a second."""

    __tablename__ = "dispatch"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    bulletin_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("bulletin.id"), index=True)
    warning_id: Mapped[uuid.UUID] = mapped_column(index=True)
    channel: Mapped[str] = mapped_column(String(10))
    exercise: Mapped[bool]
    lane: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10), index=True)
    cursor: Mapped[str] = mapped_column(String(80), default="")  # how far planning has come
    places: Mapped[str] = mapped_column(Text, default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    planned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    first_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # first and last acceptance by the channel
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    moved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    stopped_by: Mapped[str | None] = mapped_column(String(80))
    last_error: Mapped[str | None] = mapped_column(String(300))

    __table_args__ = (UniqueConstraint("bulletin_id", "channel"),)


class Batch(Base):
    """A bounded slice of a dispatch's recipients in one region and language, leased by one worker at a time.

    `recipients` is little-endian 64-bit ids; `unsure` those of them that the carrier may have taken without our hearing
    of it: they are tried again, and are uncertain, not unsent, when the dispatch ends before that. `fence` grows with
    every lease; a writer whose fence is old has lost it. `quiet_until`: its recipients have quiet hours until then.
    `carrier`: the one that carried to them what this replaces, and is asked first; empty where any will do.
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
    carrier: Mapped[str] = mapped_column(String(20), default="", server_default="")
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # its last acceptance
    # The long ones last: SQLite reads through them to reach what lies behind.
    recipients: Mapped[bytes] = mapped_column(LargeBinary)
    unsure: Mapped[bytes] = mapped_column(LargeBinary, default=b"")

    __table_args__ = (Index("ix_batch_due", "channel", "state", "lane", "id"), Index("ix_batch_dispatch", "dispatch_id", "state"))


class OutcomePage(Base):
    """The ends of hand-overs of one batch that were written together and are alike in status, code and carrier: append-only, each
    recipient of a batch once. `carrier`: who carried them, by the name that the settings give. The long columns are read and
    made by :mod:`portal.dispatch.outcomes`: who they are, of whom `first` stands first; the
    audiences of each as they were then; the carrier's numbers of the messages, a line each, empty where none has one."""

    __tablename__ = "outcome_page"
    batch_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    carrier: Mapped[str] = mapped_column(String(20))
    size: Mapped[int] = mapped_column(Integer)
    recipients: Mapped[bytes] = mapped_column(LargeBinary)
    audiences: Mapped[bytes] = mapped_column(LargeBinary)
    carrier_ids: Mapped[str] = mapped_column(Text)


class Receipt(Base):
    """What a carrier or a device said later: append-only, folded into :class:`Delivery` and then deleted. A carrier that names a
    message by its own number alone leaves `batch_id` and `recipient_id` 0; they are found by :class:`Carried`."""

    __tablename__ = "receipt"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigId)
    recipient_id: Mapped[int] = mapped_column(BigId)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    carrier: Mapped[str] = mapped_column(String(20), default="", server_default="")
    carrier_id: Mapped[str] = mapped_column(String(64), default="", server_default="")


class Carried(Base):
    """Which message a carrier's number stands for, where its receipts tell nothing else. Written with the outcome, swept after
    some days."""

    __tablename__ = "carried"
    carrier: Mapped[str] = mapped_column(String(20), primary_key=True)
    carrier_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigId)
    recipient_id: Mapped[int] = mapped_column(BigId)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class StrayReceipt(Base):
    """What a carrier said of a message that is none of ours: kept some days and shown, since it tells of a mistake somewhere."""

    __tablename__ = "stray_receipt"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    carrier: Mapped[str] = mapped_column(String(20))
    carrier_id: Mapped[str] = mapped_column(String(64))
    batch_id: Mapped[int] = mapped_column(BigId)
    recipient_id: Mapped[int] = mapped_column(BigId)
    status: Mapped[str] = mapped_column(String(12))
    code: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


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
    or the furthest stage that receipts told: sent, delivered, undelivered, heard, playing, finished, ... `audiences`: those
    of the people counted, as a mask; 0 for what has none. `slot`: writers that would wait for each other have rows of their
    own, and a reader adds them up."""

    __tablename__ = "tally"
    dispatch_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    key: Mapped[str] = mapped_column(String(52), primary_key=True)
    audiences: Mapped[int] = mapped_column(BigInteger, primary_key=True, default=0, server_default="0")
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, default=0, server_default="0")
    n: Mapped[int] = mapped_column(Integer)


class Worker(Base):
    """A process that sends or keeps the time, as it last said of itself. `state`: see the room that writes it."""

    __tablename__ = "worker"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))  # worker, scheduler, run
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[dict[str, Any]] = mapped_column(Json)


class Alarm(Base):
    """Something stands still that should move. One row from when it was noticed until it moves again."""

    __tablename__ = "alarm"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(80))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
