"""Regions: the tree district → street → community."""

from __future__ import annotations

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Json


class Region(Base):
    """One node of the tree. Coordinates are WGS 84 degrees, longitude first, as in GeoJSON (RFC 7946).

    `demonstration` marks a population or a boundary that is not official.
    """

    __tablename__ = "region"
    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    parent_code: Mapped[str | None] = mapped_column(String(12), index=True)
    level: Mapped[str] = mapped_column(String(10))
    name_zh: Mapped[str] = mapped_column(String(80))
    name_en: Mapped[str] = mapped_column(String(120))
    pinyin: Mapped[str] = mapped_column(String(160), default="")
    population: Mapped[int | None] = mapped_column(Integer)
    demonstration: Mapped[bool] = mapped_column(default=False)
    boundary: Mapped[dict | None] = mapped_column(Json)  # GeoJSON Polygon or MultiPolygon
    west: Mapped[float | None] = mapped_column(Float)
    south: Mapped[float | None] = mapped_column(Float)
    east: Mapped[float | None] = mapped_column(Float)
    north: Mapped[float | None] = mapped_column(Float)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en


class RegionStamp(Base):
    """The single row that names the present state of the tree. Each import that changes something writes a
    new random stamp, so that every process sees with one small query that what it remembers is old. Random
    and not a count: a number that was taken by a rolled-back import would come again with another content."""

    __tablename__ = "region_stamp"
    id: Mapped[int] = mapped_column(primary_key=True)
    stamp: Mapped[str] = mapped_column(String(36))
