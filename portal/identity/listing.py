"""The list of accounts that an administrator sees: those that lie within the own regions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, false, func, not_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from portal import current_settings
from portal.config import TIERS
from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity.models import Account, Duty
from portal.identity.rights import ADMINISTRATOR, may, regions_for
from portal.regions import codes

PAGE_SIZE = 50
STATES = ("active", "locked", "inactive")


class Page(NamedTuple):
    """One page of the list. `page` counts from 1 and is never beyond `pages`."""

    accounts: list[Account]
    total: int
    page: int
    pages: int


def find(by: Account, search: str = "", state: str = "", page: int = 1) -> Page:
    """Accounts within the administrator's regions (and tiers), by user name; `search` looks in both names."""
    conditions: list[Any] = [_within(by)]
    if text := search.strip()[:80]:
        conditions.append(
            or_(
                func.lower(Account.username).contains(text.lower(), autoescape=True),
                func.lower(Account.display_name).contains(text.lower(), autoescape=True),
            )
        )
    is_locked = and_(Account.locked_until.is_not(None), Account.locked_until > utcnow())
    if state == "active":
        conditions.append(Account.active)
    elif state == "locked":
        conditions += [Account.active, is_locked]
    elif state == "inactive":
        conditions.append(not_(Account.active))
    total = db.session.scalar(select(func.count()).select_from(Account).where(*conditions)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(1, page), pages)
    statement = (
        select(Account)
        .where(*conditions)
        .order_by(Account.username)
        .limit(PAGE_SIZE)
        .offset((page - 1) * PAGE_SIZE)
    )
    return Page(list(db.session.scalars(statement)), total, page, pages)


def holders(role: str, region_codes: Iterable[str], tier: str, limit: int = 200) -> list[Account]:
    """Active accounts whose duties of `role` cover all the regions at `tier`, by name; looked for among the
    first `limit` that hold the role at all."""
    wanted = list(region_codes)
    found = db.session.scalars(
        select(Account)
        .where(Account.active, Account.duties.any(Duty.role == role))
        .order_by(Account.display_name)
        .limit(limit)
    )
    return [account for account in found if may(account, role, wanted, tier)]


def with_role(role: str, limit: int = 500) -> list[Account]:
    """Active accounts that hold the role somewhere, by name."""
    return list(db.session.scalars(
        select(Account).where(Account.active, Account.duties.any(Duty.role == role)).order_by(Account.display_name).limit(limit)))


def display_names(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Names of the offices behind accounts, active or not."""
    rows = db.session.execute(select(Account.id, Account.display_name).where(Account.id.in_(set(ids))))
    return dict(rows.all())


def _within(by: Account) -> ColumnElement[bool]:
    """No duty of the account lies outside the administrator's own: the rule of `accounts.within`, as a
    query."""
    covered: list[ColumnElement[bool]] = [false()]
    for duty in by.duties if by.active else []:
        if duty.role == ADMINISTRATOR:
            low, high = codes.code_range(duty.region_code)
            covered.append(
                and_(
                    Duty.region_code.between(low, high),
                    Duty.highest_tier.in_(TIERS[: TIERS.index(duty.highest_tier) + 1]),
                )
            )
    outside = exists().where(Duty.account_id == Account.id, not_(or_(*covered)))
    whole = any(codes.contains(c, current_settings().district) for c in regions_for(by, ADMINISTRATOR))
    has_duty = exists().where(Duty.account_id == Account.id)
    return not_(outside) if whole else and_(has_duty, not_(outside))
