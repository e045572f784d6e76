"""Subscribers: a phone with its regions, audiences, language, wishes and consent. The number itself is sealed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime

ACTIVE, OPTED_OUT, INVALID = "active", "opted_out", "invalid"


class Subscriber(Base):
    """`status`: active; opted_out (asked us or the carrier to stop); invalid (the carrier says no such number).

    `muted_kinds` are bits of subscribers.kinds that they do not want; `lowest_tier` is a place in config.TIERS, and nothing below
    it is wanted; between `quiet_from` and `quiet_to`, full hours of the district's day, only orange and red are sent at once, and
    the others when the quiet ends.
    """

    __tablename__ = "subscriber"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    language: Mapped[str] = mapped_column(String(8))
    audiences: Mapped[int] = mapped_column(BigInteger)  # bits of subscribers.audiences
    muted_kinds: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    lowest_tier: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    quiet_from: Mapped[int | None] = mapped_column(SmallInteger)
    quiet_to: Mapped[int | None] = mapped_column(SmallInteger)
    status: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(20))  # how consent came: demo, roster, web, sms
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SubscriberRegion(Base):
    """A community that a subscriber wants to hear about; the order of the key makes a community one index range."""

    __tablename__ = "subscriber_region"
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True
    )

    __table_args__ = (Index("ix_subscriber_region_subscriber", "subscriber_id", "region_code"),)


class ConsentEvent(Base):
    """How consent came and went: append-only. `kind`: subscribed, changed (what they want), withdrawn (of what was given and had
    not been chosen), opted_out, invalid, erased; `source`: who said so (demo, roster, web, sms, course, or the carrier's name).
    `detail`: what was chosen then, as keys and codes; never a number. No foreign key: the story outlives the subscriber."""

    __tablename__ = "consent_event"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(BigId, index=True)
    kind: Mapped[str] = mapped_column(String(10))
    source: Mapped[str] = mapped_column(String(20))
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Given(Base):
    """What a subscriber has only for as long as something holds elsewhere, and did not choose as a subscriber: bits of audiences,
    and perhaps a community. It is taken back as it was given; what somebody chooses afterwards is no longer among it."""

    __tablename__ = "subscriber_given"
    subscriber_id: Mapped[int] = mapped_column(BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True)
    source: Mapped[str] = mapped_column(String(20), primary_key=True)  # course
    region_code: Mapped[str] = mapped_column(String(12))  # where it is wanted
    audiences: Mapped[int] = mapped_column(BigInteger)  # bits that came by it
    region_given: Mapped[bool] = mapped_column(Boolean)  # whether the community came by it
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class SubscriberPass(Base):
    """A browser that proved by a one-time code that it holds a phone: it may look at and change what that phone is told."""

    __tablename__ = "subscriber_pass"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RosterRow(Base):
    """One row of a list that is being taken in: it waits here until the whole list was read, and then all come in at once.
    What an import that was cut off left is swept."""

    __tablename__ = "roster_row"
    import_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    line: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    language: Mapped[str] = mapped_column(String(8))
    audiences: Mapped[int] = mapped_column(BigInteger)
    region_code: Mapped[str] = mapped_column(String(12))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
