"""Who is at these pages, and what they may change."""

from __future__ import annotations

from flask import abort

from portal import current_settings
from portal.identity.guard import current_account
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, has_role, may_in, regions_for
from portal.regions import lookup
from portal.regions.snapshot import Node


def here() -> Account:
    return current_account() or abort(401)


def may_keep(account: Account) -> bool:
    """Whether the account keeps shelters anywhere."""
    return has_role(account, SHELTERS)


def may_keep_in(account: Account, region_code: str | None) -> bool:
    """Whether it keeps those of this community; one of no known community is the whole district's matter."""
    return may_in(account, SHELTERS, [region_code or current_settings().district])


def own_regions(account: Account) -> list[str]:
    """Where it keeps shelters: the topmost regions of the duty."""
    return regions_for(account, SHELTERS)


def streets() -> list[Node]:
    return lookup.children(current_settings().district)
