"""Accounts of the demonstration. Their password is printed for everybody, so they live in demonstration
mode only."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from portal import current_settings
from portal.core.db import db
from portal.identity import accounts
from portal.identity.accounts import Grant
from portal.identity.models import Account
from portal.identity.rights import ADMINISTRATOR, APPROVER, DRAFTER, SHELTERS, SUBSCRIBERS, TRAINER, TRANSFERS, VIEWER

PASSWORD = "anlan-demo-1"  # noqa: S105  (everybody is meant to know it)
STREET, COMMUNITY = "440310001000", "440310001001"


class Sample(NamedTuple):
    """One account of the demonstration. No region: the whole district."""

    username: str
    display_name: str
    role: str
    region_code: str
    highest_tier: str
    what: Any


SAMPLES = (
    Sample(
        "drafter",
        "区应急管理局值班室（演示）",
        DRAFTER,
        "",
        "red",
        _l("drafts for the whole district, up to red"),
    ),
    Sample(
        "approver",
        "区应急指挥中心（演示）",
        APPROVER,
        "",
        "red",
        _l("approves for the whole district, up to red"),
    ),
    Sample(
        "street",
        "坪山街道值班室（演示）",
        DRAFTER,
        STREET,
        "orange",
        _l("drafts for Pingshan Subdistrict, up to orange"),
    ),
    Sample("admin", "区应急管理局信息科（演示）", ADMINISTRATOR, "", "red", _l("manages the accounts")),
    Sample(
        "viewer",
        "区总值班室（演示）",
        VIEWER,
        "",
        "red",
        _l("sees everything but the transfer lists, changes nothing"),
    ),
    Sample(
        "shelters",
        "区避难场所管理办（演示）",
        SHELTERS,
        "",
        "red",
        _l("keeps and opens shelters, closes roads, prints the paper"),
    ),
    Sample(
        "community",
        "六联社区工作站（演示）",
        TRANSFERS,
        COMMUNITY,
        "red",
        _l("keeps the transfer list of Liulian Community"),
    ),
    Sample(
        "trainer",
        "区应急培训中心（演示）",
        TRAINER,
        "",
        "red",
        _l("holds practical sessions, keeps cohorts, grants and takes back certificates"),
    ),
    Sample(
        "assessor",
        "坪山街道考核员（演示）",
        TRAINER,
        STREET,
        "red",
        _l("holds practical sessions and assesses in Pingshan Street"),
    ),
    Sample(
        "examiner",
        "考核复核组（演示）",
        TRAINER,
        "",
        "red",
        _l("settles what two assessors see differently"),
    ),
    Sample(
        "subscribers",
        "区预警信息发布中心（演示）",
        SUBSCRIBERS,
        "",
        "red",
        _l("takes in lists of subscribers, looks phones up, exports the numbers"),
    ),
)


def seed() -> list[tuple[str, str, str]]:
    """Make the demonstration's accounts where they are missing; `(user name, password, what it may do)` of
    each.

    Outside demonstration mode nothing is made, and the list is empty.
    """
    settings = current_settings()
    if not settings.demo:
        return []
    there = set(
        db.session.scalars(
            select(Account.username).where(Account.username.in_([s.username for s in SAMPLES]))
        )
    )
    for sample in SAMPLES:
        if sample.username not in there:
            grant = Grant(sample.role, sample.region_code or settings.district, sample.highest_tier)
            accounts.create(
                None,
                sample.username,
                sample.display_name,
                PASSWORD,
                [grant],
                must_change_password=False,
                demonstration=True,
            )
    return known()


def known() -> list[tuple[str, str, str]]:
    """The demonstration's accounts that still have the printed password, as :func:`seed` lists them."""
    if not current_settings().demo:
        return []
    living = set(db.session.scalars(select(Account.username).where(Account.demonstration, Account.active)))
    return [(s.username, PASSWORD, str(s.what)) for s in SAMPLES if s.username in living]
