"""The desk's page of responders: where there are enough of them, where not, and whose certificate ends soon."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Blueprint, Response, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.i18n import select_language
from portal.identity.guard import current_account, signed_in
from portal.identity.rights import ADMINISTRATOR, TRAINER, VIEWER, may_in
from portal.regions import choropleth, lookup
from portal.training.certificates.listing import ENDING, SOON
from portal.training.figures import responders
from portal.training.figures.responders import Overview, Place
from portal.training.group_models import KINDS

#: Verdict → its words, and the class of its mark.
VERDICTS = {"met": (_l("as many as needed"), "mark-good"), "near": (_l("half and more"), "mark-some"),
            "below": (_l("less than half"), "mark-bad"), "none": (_l("nobody"), "mark-bad"),
            "unknown": (_l("residents unknown"), "mark-none")}
KIND_WORDS = {"school": _l("Schools"), "enterprise": _l("Enterprises"), "community": _l("Community volunteers"),
              "mall": _l("Malls"), "metro": _l("Metro stations"), "other": _l("Other places")}


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("training_responders", __name__, url_prefix="/desk/training/responders", template_folder="templates",
                          static_folder="static", static_url_path="/static")
    rule, anyone = blueprint.add_url_rule, signed_in(TRAINER, ADMINISTRATOR, VIEWER)
    rule("/", "index", anyone(index))
    rule("/responders.csv", "file", anyone(file))
    return blueprint


def _overview() -> Overview:
    settings = current_settings()
    return responders.overview(settings.district, settings.residents_per_responder)


def index() -> Any:
    found, language = _overview(), select_language()
    return render_template(
        "figures/responders.html", found=found, each=current_settings().residents_per_responder, verdicts=VERDICTS,
        kinds=[(KIND_WORDS[kind], found.kinds[kind]) for kind in KINDS], street=_street, map=_map(found, language),
        swatch=choropleth.swatch, months=round(SOON.days / 30.4), ending=_ending)


def _ending(place: Place) -> str:
    """Where those whose certificate ends soon are listed by name, for who may see them; else empty."""
    account = current_account()
    if not place.code or account is None or not may_in(account, TRAINER, [place.code]):
        return ""
    return url_for("training_certificates.index", which=ENDING, region=place.code)


def _street(place: Place) -> Any:
    return lookup.get(place.code[:9] + "000")


def _share(place: Place) -> str:
    return "—" if place.share is None else f"{place.share * 100:.0f} %"


def _map(found: Overview, language: str) -> Any:
    return choropleth.draw(
        {one.code: one.verdict for one in found.communities}, {one.code: _share(one) for one in found.communities},
        {one.code: _("%(name)s: %(certified)s of %(needed)s responders, %(word)s", name=one.node.name(language),
                     certified=one.certified, needed=one.needed, word=VERDICTS[one.verdict][0])
         for one in found.communities if one.node},
        _("Map: certified responders of those needed, by community. The table below says the same."))


def file() -> Response:
    """The communities as CSV, with a byte order mark so that spreadsheets read it as UTF-8."""
    found, language, out = _overview(), select_language(), io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("Code"), _("Subdistrict"), _("Community"), _("Residents"), _("Needed"), _("Certified responders"),
                     _("Share of those needed (%)"), _("Still missing"), _("Ending soon"),
                     *(str(KIND_WORDS[kind]) for kind in KINDS)])
    for one in [*found.communities, found.elsewhere]:
        street = _street(one) if one.code else None
        writer.writerow([
            one.code, street.name(language) if street else "", one.node.name(language) if one.node else _("community not known"),
            "" if one.residents is None else one.residents, one.needed, one.certified,
            "" if one.share is None else f"{one.share * 100:.1f}", one.missing, one.ending,
            *(one.kinds.get(kind, 0) for kind in KINDS)])
    return Response("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": f'attachment; filename="responders-{utcnow():%Y%m%d}.csv"'})
