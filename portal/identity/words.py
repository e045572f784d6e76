"""Duties in words, and the choices that a form offers for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.identity.models import Account, Duty
from portal.identity.rights import (
    ADMINISTRATOR,
    APPROVER,
    DRAFTER,
    ROLES,
    SHELTERS,
    SUBSCRIBERS,
    TRAINER,
    TRANSFERS,
    VIEWER,
    regions_for,
    tiers_for,
)
from portal.regions import codes, lookup
from portal.web.show import tier_label

ROLE_LABELS = {
    DRAFTER: _l("Drafting"),
    APPROVER: _l("Approval"),
    ADMINISTRATOR: _l("Administration"),
    VIEWER: _l("Viewing"),
    SHELTERS: _l("Shelters"),
    TRANSFERS: _l("Transfers"),
    TRAINER: _l("Training"),
    SUBSCRIBERS: _l("Subscribers"),
}
ROLE_HINTS = {
    DRAFTER: _l("writes warnings and submits them"),
    APPROVER: _l("approves, returns and cancels warnings"),
    ADMINISTRATOR: _l("manages accounts"),
    VIEWER: _l("sees everything but the transfer lists, changes nothing"),
    SHELTERS: _l("keeps and opens shelters, closes roads, prints the paper"),
    TRANSFERS: _l("sees and keeps the lists of people who need help to leave"),
    TRAINER: _l("holds practical sessions, keeps cohorts, grants and takes back certificates"),
    SUBSCRIBERS: _l("takes in lists of subscribers, looks phones up, exports the numbers"),
}


def region_names(accounts: Iterable[Account]) -> dict[str, str]:
    """The names of all regions in the accounts' duties, by code, in the language of the request."""
    language = _language()
    found = lookup.names({duty.region_code for account in accounts for duty in account.duties})
    return {code: names[language] for code, names in found.items()}


def _language() -> str:
    locale = get_locale()
    return locale.language if locale else "zh"


def duty_words(duty: Duty, names: dict[str, str]) -> str:
    """A duty as people say it: “审批 · 坪山街道及以下 · 最高橙色”."""
    place = names.get(duty.region_code, duty.region_code)
    if codes.level_of(duty.region_code) != "community":
        place = _("%(region)s and below", region=place)
    return " · ".join(
        [str(ROLE_LABELS[duty.role]), place, _("up to %(tier)s", tier=tier_label(duty.highest_tier))]
    )


def role_choices() -> list[tuple[str, Any]]:
    return [(role, _("%(role)s – %(hint)s", role=ROLE_LABELS[role], hint=ROLE_HINTS[role])) for role in ROLES]


def tier_choices(by: Account) -> list[tuple[str, Any]]:
    """The tiers that the administrator may grant somewhere, highest first."""
    return [(tier, tier_label(tier)) for tier in reversed(tiers_for(by, ADMINISTRATOR))]


def region_choices(by: Account) -> list[tuple[str, str]]:
    """The regions within the administrator's own, each with those above it: “坪山区 › 坪山街道 ›
    六联社区”."""
    found: list[tuple[str, str]] = []
    waiting = [(node, "") for root in reversed(regions_for(by, ADMINISTRATOR)) if (node := lookup.tree(root))]
    while waiting:
        node, above = waiting.pop()
        name = node.name_zh if _language() == "zh" else node.name_en
        path = f"{above} › {name}" if above else name
        found.append((node.code, path))
        waiting += [(child, path) for child in reversed(node.children)]
    return found
