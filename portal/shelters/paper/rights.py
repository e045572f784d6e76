"""Who may print: whoever keeps the shelters of a region, or its transfers. What is printed for a whole community is public
anyway; the duty keeps strangers from the machine, and the cards of households to those who know them."""

from __future__ import annotations

from collections.abc import Iterable

from portal.identity.models import Account
from portal.identity.rights import SHELTERS, TRANSFERS, may_in, regions_for, require_in
from portal.regions import lookup

ROLES = (SHELTERS, TRANSFERS)


def communities(account: Account) -> list[str]:
    """The communities for which the account may print, in the order of their codes."""
    regions = {code for role in ROLES for code in regions_for(account, role)}
    return lookup.communities_under(sorted(regions))


def may_print(account: Account, codes: Iterable[str]) -> bool:
    """Whether it may print for all of these communities; each by whichever duty. None: no."""
    wanted = list(codes)
    return bool(wanted) and all(any(may_in(account, role, [code]) for role in ROLES) for code in wanted)


def require_print(account: Account, codes: Iterable[str]) -> None:
    """Raise Forbidden, in words, unless :func:`may_print`."""
    for code in codes:
        if not may_print(account, [code]):
            require_in(account, SHELTERS, [code])
