"""One shelter's page: what it has, how old each fact is, its entrances, links into map services, its QR code."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import segno
from flask_babel import lazy_gettext as _l
from markupsafe import Markup

from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.regions.codes import parent_of
from portal.shelters.field import maps_links
from portal.shelters.public.lists import drawing
from portal.shelters.public.press import Press
from portal.shelters.public.source import Source
from portal.shelters.public.view import Place
from portal.shelters.registry import words

#: Pixels of the small map, and of one module of the QR code.
WIDTH, MODULE = 420, 4
#: What the services are called, in the order in which they are offered.
SERVICES = {"amap": _l("Amap"), "baidu": _l("Baidu Maps"), "apple": _l("Apple Maps"), "google": _l("Google Maps")}


def put(press: Press, source: Source) -> None:
    for place in source.places:
        facts = [place.facts, [[f.key, f.zh, f.en] for f in source.families.values()]]
        for language in LANGUAGES:
            press.html("public/shelter.html", language, place.path(language), facts,
                       partial(_context, press, source, place, language))


def qr(url: str) -> Markup:
    """A QR code as SVG without inline styles, for putting into a page."""
    out = io.BytesIO()
    segno.make(url, error="m").save(out, kind="svg", scale=MODULE, border=4, xmldecl=False, svgns=True, nl=False, svgclass="qr",
                                    lineclass=None, light="#fff", title=url, omitsize=True)
    return Markup(out.getvalue().decode())  # noqa: S704 - made here from an address


def _context(press: Press, source: Source, place: Place, language: str) -> dict[str, Any]:
    shelter = place.shelter
    code = shelter.region_code or ""
    node = lookup.get(code) if code else None
    url = press.settings.base_url + place.href(language)
    services = maps_links.links(*place.at, shelter.name(language)) if place.at else {}
    return {
        "place": place,
        "s": shelter,
        "families": source.families,
        "community": node,
        "street": lookup.get(parent_of(code) or "") if node else None,
        "url": url,
        "qr": qr(url),
        "services": [(name, services[key]) for key, name in SERVICES.items() if key in services],
        "map": drawing(press, [code], [place], language, width=WIDTH) if node and place.at else Markup(),
        "filters": {},
        "facts": words.FACTS,
        "said": words.said,
        "statuses": words.STATUSES,
        "spaces": words.SPACES,
        "yes_no": words.yes_no_unknown,
    }
