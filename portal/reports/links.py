"""What becomes of a report: an obstruction, whose form comes filled in, or the draft of a warning. Each knows the other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import TIERS
from portal.core.clock import utcnow
from portal.core.errors import Forbidden, Invalid
from portal.core.i18n import select_language
from portal.identity.models import Account
from portal.identity.rights import DRAFTER, may, require, tiers_for
from portal.reports import listing, place, seals, triage
from portal.reports.kinds import KINDS
from portal.reports.models import DangerReport
from portal.shelters.models import Obstruction
from portal.shelters.office.obstruction_form import AREA, POINT, Typed
from portal.shelters.office.origins import ORIGINS, Origin
from portal.warnings import drafts, hazards, target, words
from portal.warnings.models import ALERT, Draft

ORIGIN = "report"
#: A draft that begins with a report aims at this circle around its point, and lasts so long, until somebody says otherwise.
DRAFT_METRES, DRAFT_HOURS = 500.0, 6
_LONGEST_NAME = 120


def register() -> None:
    """Let obstructions be made of reports."""
    ORIGINS[ORIGIN] = Origin(_fill, _made, _links)


def _report(account: Account, number: str) -> DangerReport | None:
    """What the account may see under this number."""
    found = listing.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
    return found if found is not None and triage.may_see(account, found) else None


# -- obstructions --------------------------------------------------------------------------------------------
def _fill(account: Account, number: str) -> Typed | None:
    report = _report(account, number)
    if report is None:
        return None
    kind = KINDS[report.kind].obstruction if report.kind in KINDS else ""
    where = seals.place_of(report)
    name = f"{place.label(report.region_code, 'zh')} {where}".strip()[:_LONGEST_NAME]
    at = f"{report.longitude}, {report.latitude}" if report.longitude is not None else ""
    return Typed(kind=kind, name_zh=name, shape=POINT if at else AREA, geometry=at,
                 source_note=_("Residents' report no. %(number)d", number=report.number))


def _made(session: Session, account: Account, number: str, row: Obstruction) -> None:
    report = _report(account, number)
    if report is not None:
        triage.link(session, account, report.id, obstruction_id=row.id)


def _links(account: Account, row: Obstruction) -> list[tuple[str, str]]:
    return [(_("Residents' report no. %(number)d", number=report.number), url_for("reports_desk.single", number=report.number))
            for report in listing.of_obstruction(row.id) if triage.may_see(account, report)]


# -- drafts --------------------------------------------------------------------------------------------------
def draft_tiers(account: Account, report: DangerReport) -> list[str]:
    """The tiers at which the account may draft a warning for the report's community."""
    return tiers_for(account, DRAFTER, report.region_code)


def make_draft(account: Account, report: DangerReport, hazard: str, tier: str) -> Draft:
    """The draft of a warning about what was reported, with the template's words: a circle around the point, or the community
    (see :func:`_aim`).
    Nothing of the reporter's words is in it. Raises Invalid, Forbidden, Conflict."""
    known = hazards.catalogue().get(hazard)
    if known is None:
        raise Invalid.one("hazard", _("Choose the kind of hazard."))
    if tier not in TIERS or not known.has(tier):
        raise Invalid.one("tier", _("Choose a tier that this hazard has."))
    require(account, DRAFTER, [report.region_code], tier)
    if not triage.may(account, report):
        raise Forbidden(_("Your account has no duty that allows this."))
    expires, settings, aim = utcnow() + timedelta(hours=DRAFT_HOURS), current_settings(), _aim(account, report, tier)
    written = words.first(ALERT, known, tier, [report.region_code], onset=None, expires=expires, exercise=False,
                          settings=settings)
    content = drafts.Content(kind=ALERT, warning_id=None, exercise=False, hazard=hazard, tier=tier, target=aim, onset=None,
                             expires=expires, words=written)
    return drafts.create(account, content, also=lambda session, made: _linked(session, account, report, made))


def _aim(account: Account, report: DangerReport, tier: str) -> dict[str, Any]:
    """The circle, where the report has a point and the account's duty covers all that the circle touches; else the community."""
    if report.longitude is not None:
        circle = {"type": "Circle", "center": [report.longitude, report.latitude], "radius": DRAFT_METRES}
        aim: dict[str, Any] = {"regions": [], "area": circle, "audiences": []}
        if may(account, DRAFTER, target.region_codes(aim), tier):
            return aim
    return {"regions": [report.region_code], "area": None, "audiences": []}


def _linked(session: Session, account: Account, report: DangerReport, made: Draft) -> None:
    triage.link(session, account, report.id, draft_id=made.id)


def of_draft(account: Account, draft: Draft) -> list[tuple[str, str]]:
    """The (label, address) of the reports of which a draft was made."""
    return [(_("Residents' report no. %(number)d", number=report.number), url_for("reports_desk.single", number=report.number))
            for report in listing.of_draft(draft.id) if triage.may_see(account, report)]


def hazards_offered() -> list[tuple[str, str]]:
    """Code and name of each hazard that a draft may be about, those first that are fully described."""
    language = select_language()
    return [(hazard.code, hazard.name(language)) for hazard in hazards.catalogue().for_compose()]


def likely(report: DangerReport, account: Account) -> tuple[str, str]:
    """The hazard that a draft is most likely about, and the lowest tier that it has within the account's duty; or empty."""
    known = hazards.catalogue().get(KINDS[report.kind].hazard) if report.kind in KINDS else None
    if known is None:
        return "", ""
    return known.code, next((tier for tier in draft_tiers(account, report) if known.has(tier)), "")
