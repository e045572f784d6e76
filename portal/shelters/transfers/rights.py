"""Who may see and change transfers: the duty TRANSFERS over the region, and nothing else, however high the office."""

from __future__ import annotations

from collections.abc import Iterable

from portal.identity.models import Account
from portal.identity.rights import TRANSFERS, has_role, may_in, regions_for, require_in
from portal.regions import codes


def holds(account: Account) -> bool:
    """Whether the account has the duty anywhere."""
    return has_role(account, TRANSFERS)


def regions(account: Account) -> list[str]:
    """The topmost regions of the duty."""
    return regions_for(account, TRANSFERS)


def sees(account: Account, region_code: str) -> bool:
    """Whether the duty covers the region. False too for what is no region code."""
    return codes.is_code(region_code) and may_in(account, TRANSFERS, [region_code])


def require(account: Account, region_codes: Iterable[str]) -> None:
    """Raise Forbidden unless the duty covers all the regions."""
    require_in(account, TRANSFERS, region_codes)


def seen_of(account: Account, region_codes: Iterable[str]) -> list[str]:
    """Of these regions, the parts that the account may see: for figures beside what others may see."""
    own, found = regions(account), []
    for code in region_codes:
        if sees(account, code):
            found.append(code)
        else:
            found += [o for o in own if codes.contains(code, o)]
    return sorted(set(found))
