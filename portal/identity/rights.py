"""Who may do what: a duty is a role × a region with everything below it × a highest tier."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext as _

from portal.config import TIERS
from portal.core.errors import Forbidden
from portal.identity.models import Account
from portal.regions import codes

DRAFTER, APPROVER, ADMINISTRATOR, VIEWER = "drafter", "approver", "administrator", "viewer"
#: Who keeps shelters, roads and paper, and who sees the lists of people that need help to leave. Tiers do not bound them.
SHELTERS, TRANSFERS = "shelters", "transfers"
#: Who holds practical sessions, assesses, keeps cohorts, and grants and takes back certificates. No tier bounds it either.
TRAINER = "trainer"
#: Who takes in lists of subscribers, looks a phone up, ends what it is sent, and takes numbers out. No tier bounds it either.
SUBSCRIBERS = "subscribers"
ROLES = (DRAFTER, APPROVER, ADMINISTRATOR, VIEWER, SHELTERS, TRANSFERS, TRAINER, SUBSCRIBERS)


def has_role(account: Account, *roles: str) -> bool:
    """Whether the account holds one of the roles anywhere."""
    return account.active and any(duty.role in roles for duty in account.duties)


def tiers_for(account: Account, role: str, region_code: str | None = None) -> list[str]:
    """The tiers up to which the account may act in `role`, in the region (or in any), lowest first."""
    highest = -1
    for duty in account.duties if account.active else []:
        if duty.role == role and (region_code is None or codes.contains(duty.region_code, region_code)):
            highest = max(highest, TIERS.index(duty.highest_tier))
    return list(TIERS[: highest + 1])


def regions_for(account: Account, role: str, tier: str | None = None) -> list[str]:
    """The topmost regions in which the account may act in `role` (at `tier`)."""
    found = {
        duty.region_code
        for duty in (account.duties if account.active else [])
        if duty.role == role and (tier is None or TIERS.index(duty.highest_tier) >= TIERS.index(tier))
    }
    return sorted(c for c in found if not any(o != c and codes.contains(o, c) for o in found))


def may(account: Account, role: str, region_codes: Iterable[str], tier: str) -> bool:
    """Whether for each region some duty of the account covers it at `tier`. No regions: no."""
    wanted = list(region_codes)
    allowed = regions_for(account, role, tier)
    return bool(wanted) and all(any(codes.contains(a, w) for a in allowed) for w in wanted)


def may_in(account: Account, role: str, region_codes: Iterable[str]) -> bool:
    """As :func:`may`, for a role that no tier bounds."""
    return may(account, role, region_codes, TIERS[0])


def require_in(account: Account, role: str, region_codes: Iterable[str]) -> None:
    """As :func:`require`, for a role that no tier bounds."""
    require(account, role, region_codes, TIERS[0])


def require(account: Account, role: str, region_codes: Iterable[str], tier: str) -> None:
    """Raise Forbidden, in words, unless :func:`may`."""
    wanted = list(region_codes)
    if may(account, role, wanted, tier):
        return
    if not has_role(account, role):
        raise Forbidden(_("Your account has no duty that allows this."))
    allowed = regions_for(account, role)
    outside = [w for w in wanted if not any(codes.contains(a, w) for a in allowed)]
    if outside:
        raise Forbidden(_("Your duty does not cover these regions: %(codes)s", codes=", ".join(outside)))
    raise Forbidden(_("Your duty does not reach up to this tier."))
