"""The public map: what is in force, known dangers, cut ways and shelters, as a list and as layers, from our own data only.

Whatever goes wrong here holds no warning back: the last map stays.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from flask_babel import lazy_gettext as _l

from portal.core.clock import local
from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.regions.svg import map_svg
from portal.shelters.communities import store as communities
from portal.shelters.communities.words import RISKS
from portal.shelters.roads import obstructions
from portal.shelters.roads.obstructions import EFFECT_LABELS, KINDS

if TYPE_CHECKING:
    from portal.site.publish import Publishing

logger = logging.getLogger(__name__)

HTML, JSON = "text/html; charset=utf-8", "application/json"
PATH = "/fields/dangers.json"
#: Layers of dangers, in their order on the map: the kinds of risk points in each (see communities.words.RISKS), and its words.
LAYERS: dict[str, tuple[Sequence[str], Any]] = {
    "waterlogging": (("waterlogging", "underground", "river"), _l("Places that flood")),
    "slope": (("slope",), _l("Dangerous slopes")),
    "risk": (("building", "shed", "fire", "hazmat", "other"), _l("Other risk areas")),
}
#: Signs on the drawing that needs no script; the list and the map with layers have all.
MOST_DRAWN = 400
_DECIMALS = 5
_OWN = re.compile(rf"/(?:{'|'.join(LANGUAGES)})/map/|{re.escape(PATH)}$")


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return _OWN.match(path) is not None


def put(publishing: Publishing) -> None:
    """The page of the map in each language, and the file that its layers are drawn from."""
    try:
        _Map(publishing).put()
    except Exception:
        logger.exception("the public map could not be rendered; the last one stays")
        db.session.rollback()
        publishing.building.keep(is_own)


def layer_of(kind: str) -> str:
    return next((key for key, (kinds, _words) in LAYERS.items() if kind in kinds), "risk")


class _Map:
    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._district = publishing.settings.district
        nodes = lookup.current().nodes
        self._communities = [nodes[code] for code in lookup.communities_under([self._district])]
        self._known = communities.known([node.code for node in self._communities])
        self._cuts = obstructions.in_force(publishing.now)

    def put(self) -> None:
        facts = [[communities.stamp_of(known, (communities.RISKS,)) for known in self._known.values()],
                 [[row.id, row.version, row.ended_at] for row in self._cuts]]
        self._publishing.put(PATH, JSON, self._publishing.key(PATH, facts), self._file)
        for language in LANGUAGES:
            path = f"/{language}/map/"
            self._publishing.put(path, HTML, self._publishing.key(path, facts), partial(self._page, language, path))

    @cached_property
    def _risks(self) -> list[Any]:
        return [risk for node in self._communities for risk in self._known[node.code].risks]

    def _page(self, language: str, path: str) -> bytes:
        groups = [(node, self._known[node.code].risks) for node in self._communities if self._known[node.code].risks]
        counts = {key: sum(layer_of(risk.kind) == key for risk in self._risks) for key in LAYERS}
        placed = [(risk.longitude, risk.latitude, "at at-bad", risk.name(language)) for risk in self._risks
                  if risk.longitude is not None and risk.latitude is not None][:MOST_DRAWN]
        return self._publishing.page(
            "site/map.html", language, path, groups=groups, counts=counts, layers=LAYERS, layer_of=layer_of, risks=RISKS,
            cuts=self._cuts, kinds=KINDS, effects=EFFECT_LABELS, community_names=self._names(language),
            drawing=map_svg([self._district], language, width=560, points=placed),
            demonstration=any(row.demonstration for row in (*self._risks, *self._cuts)))

    def _names(self, language: str) -> dict[str, str]:
        return {node.code: node.name(language) for node in self._communities}

    def _file(self) -> bytes:
        """`points`: risk points with a place. `cuts`: obstructions in force; their geometry is GeoJSON, `radius` in metres.
        Words of both languages are beside each other; kinds are in the words of the pages."""
        zone = self._publishing.settings.timezone
        return json.dumps({
            "made": local(self._publishing.now, zone).isoformat(),
            "points": [{"layer": layer_of(risk.kind), "kind": self._both(RISKS.get(risk.kind, risk.kind)),
                        "region": risk.region_code, "zh": risk.name_zh, "en": risk.name_en or risk.name_zh,
                        "note": {"zh": risk.note("zh"), "en": risk.note("en")},
                        "at": [round(risk.longitude, _DECIMALS), round(risk.latitude, _DECIMALS)]}
                       for risk in self._risks if risk.longitude is not None and risk.latitude is not None],
            "cuts": [{"kind": self._both(KINDS[row.kind].label if row.kind in KINDS else row.kind), "zh": row.name_zh,
                      "en": row.name_en or row.name_zh, "effect": self._both(EFFECT_LABELS[row.effect]),
                      "until": local(row.expires_at, zone).isoformat() if row.expires_at else None,
                      "geometry": row.geometry, "radius": row.radius} for row in self._cuts],
        }, ensure_ascii=False, separators=(",", ":")).encode()

    def _both(self, text: Any) -> dict[str, str]:
        return {language: self._publishing.render.said(text, language) for language in LANGUAGES}
