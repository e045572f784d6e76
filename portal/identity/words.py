"""Duties in words, and the choices that a form offers for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.identity.models import Account, Duty
from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER, ROLES, VIEWER, regions_for, tiers_for
from portal.regions import codes, lookup
from portal.web.show import tier_label

ROLE_LABELS = {DRAFTER: _l("Drafting"), APPROVER: _l("Approval"), ADMINISTRATOR: _l("Administration"), VIEWER: _l("Viewing")}
ROLE_HINTS = {
    DRAFTER: _l("writes warnings and submits them"), APPROVER: _l("approves, returns and cancels warnings"),
    ADMINISTRATOR: _l("manages accounts"), VIEWER: _l("sees everything, changes nothing"),
}


def region_names(accounts: Iterable[Account]) -> dict[str, str]:
    """The names of all regions in the accounts' duties, by code, in one query."""
    return lookup.names({duty.region_code for account in accounts for duty in account.duties})


def duty_words(duty: Duty, names: dict[str, str]) -> str:
    """A duty as people say it: “审批 · 坪山街道及以下 · 最高橙色”."""
    place = names.get(duty.region_code, duty.region_code)
    if codes.level_of(duty.region_code) != "community":
        place = _("%(region)s and below", region=place)
    return " · ".join([str(ROLE_LABELS[duty.role]), place, _("up to %(tier)s", tier=tier_label(duty.highest_tier))])


def role_choices() -> list[tuple[str, Any]]:
    return [(role, _("%(role)s – %(hint)s", role=ROLE_LABELS[role], hint=ROLE_HINTS[role])) for role in ROLES]


def tier_choices(by: Account) -> list[tuple[str, Any]]:
    """The tiers that the administrator may grant somewhere, highest first."""
    return [(tier, tier_label(tier)) for tier in reversed(tiers_for(by, ADMINISTRATOR))]


def region_choices(by: Account, language: str) -> list[tuple[str, str]]:
    """The regions within the administrator's own, each with the names above it, so that one can be found by typing."""
    found: list[tuple[str, str]] = []
    for root in regions_for(by, ADMINISTRATOR):
        path: dict[str, str] = {}
        for region in lookup.tree(root):
            name = region.name(language)
            above = path.get(region.parent_code or "", "")
            path[region.code] = f"{above} › {name}" if above else name
            found.append((region.code, path[region.code]))
    return found


