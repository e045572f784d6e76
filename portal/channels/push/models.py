"""Browsers that asked for notifications. Nobody's name or number is among it: an address at a push service and what is wanted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime


class PushDevice(Base):
    """One subscription of one browser. `sealed` holds its address at the push service and its keys (who has the address may
    send to it), for the place ``push_device.<endpoint hash>``; `endpoint_hash` is SHA-256 of the address, by which the browser
    is known when it comes back. `lowest_tier` is a place in config.TIERS: nothing below it is wanted."""

    __tablename__ = "push_device"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    endpoint_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary(1400))
    host: Mapped[str] = mapped_column(String(120))  # of the push service, for figures: how many devices hang on whom
    language: Mapped[str] = mapped_column(String(8))
    lowest_tier: Mapped[int] = mapped_column(SmallInteger, default=0)
    source_hash: Mapped[bytes] = mapped_column(LargeBinary(16))  # keyed hash of the network address it came from: bounds only
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when the browser last said what it wants

    # A number is never given twice: what was sent to a device that is gone must not look as sent to another one.
    __table_args__ = (Index("ix_push_device_source", "source_hash", "created_at"), {"sqlite_autoincrement": True})


class PushDeviceRegion(Base):
    """A community that a device wants to hear about; the order of the key makes a community one index range."""

    __tablename__ = "push_device_region"
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    device_id: Mapped[int] = mapped_column(BigId, ForeignKey("push_device.id", ondelete="CASCADE"), primary_key=True)

    __table_args__ = (Index("ix_push_device_region_device", "device_id", "region_code"),)
