"""Subscribers: a phone with its regions, audiences, language, wishes and consent. The number itself is sealed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, SmallInteger, String
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

    # With all that a text needs of its person, so that PostgreSQL need not look at the table.
    __table_args__ = (PrimaryKeyConstraint("id", postgresql_include=["status", "audiences", "phone_sealed"]),)


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
    """One row of a list that is being taken in, once for each community that it names: it waits here until the whole list was
    read, and then all come in at once. What an import that was cut off left is swept."""

    __tablename__ = "roster_row"
    import_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    line: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16))
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    language: Mapped[str] = mapped_column(String(8))
    audiences: Mapped[int] = mapped_column(BigInteger)
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)


class RosterImport(Base):
    """A list that comes in, or came: its batch. It holds counts and no number.

    `state`: reading, ready (read, and waits for a yes), refused (cannot be read at all), writing, done, undoing, undone,
    dropped (nobody said yes), cut_off (whoever worked on it was ended; nothing of it is left). `beat_at`: when last somebody
    worked on it. `written_at`: the moment that those whom it made and changed bear. `told`: how it ended stands in the trail.
    """

    __tablename__ = "roster_import"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(10), index=True)
    name: Mapped[str] = mapped_column(String(80))  # of the file
    sha256: Mapped[str] = mapped_column(String(64))
    actor_id: Mapped[str | None] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(120))
    region_codes: Mapped[list[str] | None] = mapped_column(JSON)  # of the duty by which it came; None: the machine's owner
    basis: Mapped[str] = mapped_column(String(200))  # where people said yes, in words
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    done: Mapped[int] = mapped_column(BigInteger)  # bytes read
    rows: Mapped[int] = mapped_column(BigInteger)
    bad: Mapped[int] = mapped_column(BigInteger)
    people: Mapped[int] = mapped_column(BigInteger)  # different phones among the good rows
    new: Mapped[int] = mapped_column(BigInteger)
    gained: Mapped[int] = mapped_column(BigInteger)  # were there, and get a community or an audience more
    same: Mapped[int] = mapped_column(BigInteger)  # were there with all of it
    left: Mapped[int] = mapped_column(BigInteger)  # asked for no more, or no carrier knows them: not brought back
    taken_back: Mapped[int] = mapped_column(BigInteger)
    kept: Mapped[int] = mapped_column(BigInteger)  # not taken back, since they changed afterwards
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # why it was refused: a key of roster.reasons and its values
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told: Mapped[bool] = mapped_column(Boolean)


class RosterFault(Base):
    """What is wrong with one row of a list: a key of roster.reasons and what it is about, never a number."""

    __tablename__ = "roster_fault"
    import_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    line: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(20))
    about: Mapped[str] = mapped_column(String(60))


class RosterGain(Base):
    """What a list added to a subscriber who was there: bits of audiences, or a community. By it an import is taken back."""

    __tablename__ = "roster_gain"
    import_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)  # empty: the audiences
    audiences: Mapped[int] = mapped_column(BigInteger)
