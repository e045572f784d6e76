"""Accounts of operators, their duties, and their sessions at the desk."""

from __future__ import annotations

import uuid
from datetime import datetime

from flask_security import RoleMixin, UserMixin
from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.audit import Actor
from portal.core.db import Base, UtcDateTime, uuid7


class Duty(Base):
    """What an account may do, where, and up to which tier. `role`: see `rights.ROLES`."""

    __tablename__ = "duty"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    region_code: Mapped[str] = mapped_column(String(12))
    highest_tier: Mapped[str] = mapped_column(String(10))


class Account(Base, UserMixin):
    """An operator. Signing in goes by `username`; names are the office's, given by an administrator.

    `failed_attempts` counts since the last success; `locked_until` is set by the attempt that fills the
    count. `must_change_password` opens nothing but the password page. `demonstration` marks an account
    whose password is printed for everybody: it signs in nowhere but in demonstration mode.
    """

    __tablename__ = "account"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)  # type: ignore[assignment]
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(80))
    email: Mapped[str | None] = mapped_column(String(255), unique=True)  # type: ignore[assignment]
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    demonstration: Mapped[bool] = mapped_column(default=False)
    must_change_password: Mapped[bool] = mapped_column(default=False)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    failed_attempts: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    duties: Mapped[list[Duty]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", passive_deletes=True, order_by=Duty.id
    )

    @property
    def roles(self) -> list[RoleMixin]:  # type: ignore[override]
        """Rights come from duties, so the library's own roles stay empty."""
        return []

    @property
    def actor(self) -> Actor:
        return Actor(str(self.id), self.username)


class ApiToken(Base):
    """A key with which another system acts for an account, within one of its duties only. `token_hash`: SHA-256 of the
    token in hexadecimal; the token itself is shown once and kept nowhere."""

    __tablename__ = "api_token"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))  # what the other system is called
    role: Mapped[str] = mapped_column(String(20))
    region_code: Mapped[str] = mapped_column(String(12))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # to the hour


class DeskSession(Base):
    """One signed-in browser. Kept here and not only in its cookie, so that signing out ends copies of the
    cookie too, and one machine of an office can sign out while the others go on."""

    __tablename__ = "desk_session"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
