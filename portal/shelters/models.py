"""Tables of shelters and evacuation. Coordinates are WGS 84 degrees. What is NULL is unknown, and is shown as that."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import Date, Float, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column, relationship

from portal.core.db import Base, BigId, Json, UtcDateTime, uuid7
from portal.shelters.transfer_models import (  # noqa: F401 - all tables of shelters are had from here
    ARRIVED,
    CONTACTED,
    ON_THE_WAY,
    REFUSED,
    TRANSFER_STATES,
    UNREACHABLE,
    WAITING,
    TransferEvent,
    TransferPerson,
    TransferRound,
)

#: Live status of a shelter, in the order of a shelter's day.
STANDBY, OPENING, OPEN, NEARLY_FULL, FULL, CLOSING, CLOSED, UNSAFE = STATUSES = (
    "standby", "opening", "open", "nearly_full", "full", "closing", "closed", "unsafe")
#: What an obstruction does to the ways it touches.
CUTS, SLOWS = EFFECTS = ("cuts", "slows")


class Shelter(Base):
    """A place to go to. `code` is its identity at its source and for ever; `suitability` maps a hazard (see
    `registry.suitability.HAZARDS`) to true or false, and what it does not name is unknown.

    The columns from `status` on are the newest applied `StatusReport` of a real situation, kept here so that lists need no
    join; drills never touch them.
    """

    __tablename__ = "shelter"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(160), default="")
    pinyin: Mapped[str] = mapped_column(String(240), default="")
    level: Mapped[str | None] = mapped_column(String(12))  # registry.words.LEVELS
    duration: Mapped[str | None] = mapped_column(String(12))  # registry.words.DURATIONS
    space: Mapped[str | None] = mapped_column(String(12))  # indoor, outdoor, both
    function: Mapped[str | None] = mapped_column(String(20))  # registry.words.FUNCTIONS
    region_code: Mapped[str | None] = mapped_column(String(12))  # the community
    address_zh: Mapped[str] = mapped_column(String(200), default="")
    address_en: Mapped[str] = mapped_column(String(240), default="")
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)
    boundary: Mapped[dict[str, Any] | None] = mapped_column(Json)  # GeoJSON Polygon or MultiPolygon
    suitability: Mapped[dict[str, bool]] = mapped_column(Json, default=dict)
    area_m2: Mapped[float | None] = mapped_column(Float)  # effective area
    m2_per_person: Mapped[float | None] = mapped_column(Float)
    capacity_day: Mapped[int | None] = mapped_column(Integer)
    capacity_night: Mapped[int | None] = mapped_column(Integer)
    step_free: Mapped[bool | None]
    pets: Mapped[bool | None]
    water: Mapped[bool | None]
    power: Mapped[bool | None]
    medical: Mapped[bool | None]
    night: Mapped[bool | None]  # people can stay over night
    access_zh: Mapped[str] = mapped_column(String(300), default="")
    access_en: Mapped[str] = mapped_column(String(400), default="")
    contact_zh: Mapped[str] = mapped_column(String(80), default="")  # a post, not a person
    contact_en: Mapped[str] = mapped_column(String(120), default="")
    contact_phone: Mapped[str] = mapped_column(String(40), default="")  # a duty telephone that may be published
    source: Mapped[str] = mapped_column(String(200), default="")
    source_date: Mapped[date | None] = mapped_column(Date)
    licence: Mapped[str] = mapped_column(String(80), default="")
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when somebody last looked at the place itself
    demonstration: Mapped[bool] = mapped_column(default=False)
    retired_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    status: Mapped[str | None] = mapped_column(String(12))  # one of STATUSES; None: nobody ever said
    status_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it was observed
    status_source: Mapped[str] = mapped_column(String(20), default="")  # keeper, desk, opening, import, api
    status_until: Mapped[datetime | None] = mapped_column(UtcDateTime)  # valid until; later it is stale
    occupancy: Mapped[int | None] = mapped_column(Integer)
    occupancy_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    entrances: Mapped[list[Entrance]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", passive_deletes=True, order_by="Entrance.position"
    )

    __table_args__ = (Index("ix_shelter_region", "region_code", "id"),)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en or self.name_zh


class Entrance(Base):
    """A door or gate of a shelter. `hours` as people write them: `24h`, `08:00-22:00`, empty for unknown."""

    __tablename__ = "shelter_entrance"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shelter_id: Mapped[int] = mapped_column(BigId, ForeignKey("shelter.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer)
    name_zh: Mapped[str] = mapped_column(String(80), default="")
    name_en: Mapped[str] = mapped_column(String(120), default="")
    longitude: Mapped[float] = mapped_column(Float)
    latitude: Mapped[float] = mapped_column(Float)
    step_free: Mapped[bool | None]
    hours: Mapped[str] = mapped_column(String(60), default="")


class StatusReport(Base):
    """One observation of a shelter: append-only. `ref` is made by whoever reports, once, so that a replay changes nothing.

    `seen_id` is the newest report that the reporter knew; `applied`: it became the shelter's state when it came (the newest
    observation wins); `conflict`: it says something else than a report that its maker did not know of.
    """

    __tablename__ = "shelter_report"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shelter_id: Mapped[int] = mapped_column(BigId, ForeignKey("shelter.id", ondelete="CASCADE"))
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    status: Mapped[str | None] = mapped_column(String(12))
    occupancy: Mapped[int | None] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(String(300), default="")
    observed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    valid_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(20))
    reporter: Mapped[str] = mapped_column(String(80))  # a post or an account's name, never a phone number
    keeper_id: Mapped[int | None] = mapped_column(BigId)
    seen_id: Mapped[int | None] = mapped_column(BigId)
    exercise: Mapped[bool] = mapped_column(default=False)
    applied: Mapped[bool]
    conflict: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_shelter_report_observed", "shelter_id", "observed_at"),)


class Keeper(Base):
    """Somebody of a shelter's staff, by phone; `post` is what the office calls them."""

    __tablename__ = "shelter_keeper"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shelter_id: Mapped[int] = mapped_column(BigId, ForeignKey("shelter.id", ondelete="CASCADE"))
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    tail: Mapped[str] = mapped_column(String(4))
    post: Mapped[str] = mapped_column(String(80))
    language: Mapped[str] = mapped_column(String(8), default="zh")
    active: Mapped[bool] = mapped_column(default=True)
    added_by: Mapped[str] = mapped_column(String(120))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("shelter_id", "phone_index"),)


class KeeperSession(Base):
    """A phone that proved its number. `token_hash`: SHA-256 of the cookie's secret, in hexadecimal."""

    __tablename__ = "shelter_keeper_session"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Opening(Base):
    """What was decided when a bulletin called for shelters: `opened` these, or `declined` with a reason. No foreign keys:
    it stays true whatever becomes of what it names."""

    __tablename__ = "shelter_opening"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    warning_id: Mapped[uuid.UUID] = mapped_column(index=True)
    warning_number: Mapped[str] = mapped_column(String(20))
    bulletin_id: Mapped[uuid.UUID]
    exercise: Mapped[bool]
    decision: Mapped[str] = mapped_column(String(10))  # opened, declined, closed
    shelter_ids: Mapped[list[int]] = mapped_column(Json, default=list)
    reason: Mapped[str] = mapped_column(String(300), default="")
    decided_by: Mapped[str] = mapped_column(String(120))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Obstruction(Base):
    """What cuts or slows ways: a Point or LineString with `radius` metres around it, or a Polygon.

    `families`: hazard families (see `registry.suitability`) for which it counts; empty: for all. `factor`: how many times
    as long a slowed way takes. `external_id` finds it again at the next import from the same source.
    """

    __tablename__ = "obstruction"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(20))  # roads.obstructions.KINDS
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(160), default="")
    geometry: Mapped[dict[str, Any]] = mapped_column(Json)
    radius: Mapped[float] = mapped_column(Float, default=0.0)
    effect: Mapped[str] = mapped_column(String(10))
    factor: Mapped[float] = mapped_column(Float, default=1.0)
    families: Mapped[list[str]] = mapped_column(Json, default=list)
    begins_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(20))  # desk, api, import
    source_note: Mapped[str] = mapped_column(String(300), default="")
    external_id: Mapped[str | None] = mapped_column(String(120), unique=True)
    region_codes: Mapped[list[str]] = mapped_column(Json, default=list)  # the communities that it touches
    demonstration: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(Integer, default=1)
    created_by: Mapped[str] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str] = mapped_column(String(120), default="")

    __table_args__ = (Index("ix_obstruction_time", "ended_at", "begins_at", "expires_at"),)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en or self.name_zh


class RoadGraph(Base):
    """A walkable graph as it was imported; the newest is in use. `data`: compressed arrays, see `roads.graph`."""

    __tablename__ = "road_graph"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    source: Mapped[str] = mapped_column(String(200))
    licence: Mapped[str] = mapped_column(String(80), default="")
    sha256: Mapped[str] = mapped_column(String(64))  # of the file that was imported
    nodes: Mapped[int] = mapped_column(Integer)
    edges: Mapped[int] = mapped_column(Integer)
    summary: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    demonstration: Mapped[bool] = mapped_column(default=False)
    data: Mapped[bytes] = deferred(mapped_column(LargeBinary))


class FieldVersion(Base):
    """One computation of the evacuation field. `key` names the facts that it was made of; `data` is kept for the newest
    few only."""

    __tablename__ = "field_version"
    version: Mapped[int] = mapped_column(BigId, primary_key=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    graph_id: Mapped[int] = mapped_column(BigId)
    key: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(120))
    seconds: Mapped[float] = mapped_column(Float)
    summary: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    data: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))


class FieldWish(Base):
    """The single row (id 1) that says whether the field is to be computed again: `wanted` counts changes, `done` is the
    count that the newest field knows of; `next_at`: when something begins or ends by itself."""

    __tablename__ = "field_wish"
    id: Mapped[int] = mapped_column(primary_key=True)
    wanted: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str] = mapped_column(String(120), default="")
    first_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease_by: Mapped[str] = mapped_column(String(40), default="")  # who computes now
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(300), default="")  # why the last try failed; empty: it did not
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CommunityPost(Base):
    """A responsible post of a community with its duty telephone, which may be published."""

    __tablename__ = "community_post"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    region_code: Mapped[str] = mapped_column(String(12))
    position: Mapped[int] = mapped_column(Integer)
    post_zh: Mapped[str] = mapped_column(String(80))
    post_en: Mapped[str] = mapped_column(String(120))
    task_zh: Mapped[str] = mapped_column(String(200), default="")
    task_en: Mapped[str] = mapped_column(String(300), default="")
    phone: Mapped[str] = mapped_column(String(40))
    demonstration: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (UniqueConstraint("region_code", "position"),)

    def post(self, language: str) -> str:
        return self.post_zh if language == "zh" else self.post_en or self.post_zh

    def task(self, language: str) -> str:
        return self.task_zh if language == "zh" else self.task_en or self.task_zh


class RiskPoint(Base):
    """A known danger of a community: a slope, a low road, a dangerous building."""

    __tablename__ = "risk_point"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(40), unique=True)
    region_code: Mapped[str] = mapped_column(String(12))
    kind: Mapped[str] = mapped_column(String(20))  # communities.words.RISKS
    name_zh: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(160), default="")
    longitude: Mapped[float | None] = mapped_column(Float)
    latitude: Mapped[float | None] = mapped_column(Float)
    people: Mapped[int | None] = mapped_column(Integer)  # who live or work in its reach
    note_zh: Mapped[str] = mapped_column(String(300), default="")
    note_en: Mapped[str] = mapped_column(String(400), default="")
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    demonstration: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_risk_point_region", "region_code", "id"),)

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en or self.name_zh

    def note(self, language: str) -> str:
        return self.note_zh if language == "zh" else self.note_en or self.note_zh


class Preparedness(Base):
    """One of the ten "haves" (十个有) of a community: `there` true, false, or unknown."""

    __tablename__ = "preparedness"
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    item: Mapped[str] = mapped_column(String(20), primary_key=True)  # communities.words.TEN
    there: Mapped[bool | None]
    note_zh: Mapped[str] = mapped_column(String(300), default="")
    note_en: Mapped[str] = mapped_column(String(400), default="")
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_by: Mapped[str] = mapped_column(String(120), default="")
    demonstration: Mapped[bool] = mapped_column(default=False)


class PaperJob(Base):
    """Documents being made for several communities at once. `data` is the finished file; old ones are removed.

    `owner` is whoever makes it now, and loses it when `beat_at` grows old. `notes`: `failed`, a list of
    {code, kind, why}, and `lacking`, characters without a glyph by community.
    """

    __tablename__ = "paper_job"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    kinds: Mapped[list[str]] = mapped_column(Json)  # paper.documents.KINDS
    region_codes: Mapped[list[str]] = mapped_column(Json)
    language: Mapped[str] = mapped_column(String(8))
    family: Mapped[str] = mapped_column(String(20), default="")
    state: Mapped[str] = mapped_column(String(10), index=True)  # waiting, running, done, failed, cancelled
    owner: Mapped[str] = mapped_column(String(32), default="")
    notes: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    total: Mapped[int] = mapped_column(Integer)
    done: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(String(300), default="")
    made_by: Mapped[str] = mapped_column(String(120))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the last sign of life of whoever makes it
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    size: Mapped[int | None] = mapped_column(Integer)
    data: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
