"""The registry of loudspeakers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime


class Speaker(Base):
    """A device with a place, a region and a bridge. Coordinates are WGS 84 degrees.

    `state` is what the device last said: online, offline, playing, fault, or unknown before its first word.
    """

    __tablename__ = "speaker"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address: Mapped[str] = mapped_column(String(64), unique=True)  # what its bridge knows it by
    bridge: Mapped[str] = mapped_column(String(20))
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    region_code: Mapped[str] = mapped_column(String(12))
    language: Mapped[str] = mapped_column(String(8), default="zh")
    groups: Mapped[list[str]] = mapped_column(Json, default=list)
    longitude: Mapped[float] = mapped_column(Float)
    latitude: Mapped[float] = mapped_column(Float)
    enabled: Mapped[bool] = mapped_column(default=True)
    demonstration: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(10), default="unknown")
    state_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    firmware: Mapped[str] = mapped_column(String(40), default="")
    volume: Mapped[int | None] = mapped_column(Integer)
    battery: Mapped[int | None] = mapped_column(Integer)

    # Planning walks a community's horns in the order of their ids.
    __table_args__ = (Index("ix_speaker_region", "region_code", "id"),)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en
