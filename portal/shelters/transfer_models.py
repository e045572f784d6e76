"""Tables of transfers: who needs help to leave. What tells who somebody is, is sealed."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Float, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime, uuid7

#: A transfer, from first to last; of the last two only the first is an end: who is not reached is gone after again.
WAITING, CONTACTED, ON_THE_WAY, ARRIVED, REFUSED, UNREACHABLE = TRANSFER_STATES = (
    "waiting", "contacted", "on_the_way", "arrived", "refused", "unreachable")


class TransferPerson(Base):
    """Somebody (or a household) who needs help to leave. What tells who it is, is sealed; `initials` is what lists show."""

    __tablename__ = "transfer_person"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    code: Mapped[str] = mapped_column(String(40), unique=True)  # at its source
    region_code: Mapped[str] = mapped_column(String(12))
    initials: Mapped[str] = mapped_column(String(12))
    people: Mapped[int] = mapped_column(Integer, default=1)
    name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(400))
    phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(100))
    address_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(1000))
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)
    needs: Mapped[list[str]] = mapped_column(Json, default=list)  # transfers.words.NEEDS
    families: Mapped[list[str]] = mapped_column(Json, default=list)  # hazard families for which they must leave; empty: all
    means: Mapped[str] = mapped_column(String(12), default="")  # transfers.words.MEANS; empty: not said
    helper: Mapped[str] = mapped_column(String(80), default="")  # a post or initials
    helper_phone_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(100))
    shelter_id: Mapped[int | None] = mapped_column(BigId)  # None: the nearest suitable
    note: Mapped[str] = mapped_column(String(300), default="")
    state: Mapped[str] = mapped_column(String(12), default=WAITING)
    state_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state_by: Mapped[str] = mapped_column(String(120), default="")
    version: Mapped[int] = mapped_column(Integer, default=1)
    source: Mapped[str] = mapped_column(String(40))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    demonstration: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_transfer_person_region", "region_code", "state"),)


class TransferRound(Base):
    """One evacuation of some regions: by when, for which warning, drill or real. While one is open, states count for it."""

    __tablename__ = "transfer_round"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    region_codes: Mapped[list[str]] = mapped_column(Json)
    family: Mapped[str] = mapped_column(String(20))
    warning_number: Mapped[str] = mapped_column(String(20), default="")
    exercise: Mapped[bool] = mapped_column(default=False)
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_by: Mapped[str] = mapped_column(String(120))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    ended_by: Mapped[str] = mapped_column(String(120), default="")


class TransferEvent(Base):
    """A step of one transfer: append-only, each `ref` once."""

    __tablename__ = "transfer_event"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    person_id: Mapped[uuid.UUID] = mapped_column(index=True)
    round_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    state: Mapped[str] = mapped_column(String(12))
    note: Mapped[str] = mapped_column(Text, default="")
    observed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    account: Mapped[str] = mapped_column(String(120))
    applied: Mapped[bool]
    conflict: Mapped[bool] = mapped_column(default=False)
