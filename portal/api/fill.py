"""Fills the public files with the answers of the API, so that they stand like the pages do: with the database down and with the
application down, and swapped in together with them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from pydantic import BaseModel

from portal.api import openapi, records, shapes
from portal.api.records import BASE
from portal.core.clock import local
from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.guides import shelf
from portal.regions import lookup
from portal.shelters.public.press import GEOJSON, HTML, JSON, Publishing
from portal.warnings import archive
from portal.warnings.models import IN_FORCE, Warning

logger = logging.getLogger(__name__)

#: Past warnings of one part of a month.
PART = 50
#: Regions whose outline is published; a province has more, and its outlines are a download of another kind.
OUTLINED = 2000
PAGES = tuple(f"/{language}/api/" for language in LANGUAGES)
#: Titles of the feeds; others are named by their addresses.
FEEDS = {
    "/feeds/cap.atom": ("预警信息（Atom，CAP 1.2）", "Warnings (Atom with CAP 1.2)"),
    "/feeds/warnings-zh.rss": ("预警信息（RSS 2.0，中文）", "Warnings (RSS 2.0, in Chinese)"),
    "/feeds/warnings-en.rss": ("预警信息（RSS 2.0，英文）", "Warnings (RSS 2.0, in English)"),
    "/feeds/warnings.geojson": ("生效中的预警（GeoJSON）", "Warnings in force (GeoJSON)"),
    "/feeds/shelters.geojson": ("应急避难场所（GeoJSON）", "Emergency shelters (GeoJSON)"),
    "/feeds/index.json": ("概要：几条预警生效", "Summary: how many warnings are in force"),
}


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return path.startswith(f"{BASE}/") or path in PAGES


def warnings(publishing: Any) -> None:
    """What tells of warnings. Whatever goes wrong, the last files stay and the pages go on: they are more needed."""
    try:
        _Warnings(publishing).fill()
    except Exception:
        logger.exception("the warnings of the API could not be rendered; the last ones stay")
        db.session.rollback()
        publishing.building.keep(is_own)


def rest(publishing: Publishing) -> None:
    """What seldom changes: regions, guides, feeds, the description. It is rendered after all warnings."""
    try:
        _regions(publishing)
        _guides(publishing)
        _feeds(publishing)
        _description(publishing)
    except Exception:
        logger.exception("the files of the API could not be rendered; the last ones stay")
        db.session.rollback()
        publishing.building.keep(is_own)


class _Warnings:
    def __init__(self, publishing: Any) -> None:
        self.publishing, self.settings, self.now = publishing, publishing.settings, publishing.now
        self._bulletins = cache(lambda warning: archive.bulletins_of(warning))

    def fill(self) -> None:
        live = [w for w in archive.in_force(self.now) if self.publishing.heads.get(w.id)]
        months: dict[str, list[Warning]] = defaultdict(list)
        for row in self.publishing.warnings:
            self._put(f"/warnings/{row.number}.json", [self._facts(row)], partial(self._story, row))
            if self._state(row) != IN_FORCE:
                months[f"{local(row.issued_at, self.settings.timezone):%Y-%m}"].append(row)
        self._put("/warnings.json", [self.now], partial(self._in_force, live))
        for month, found in months.items():
            parts = _parts(found[::-1])
            for number, part in enumerate(parts, 1):
                self._put(f"/archive/{month}/{number}.json", [len(parts), [self._facts(w) for w in part]],
                          partial(self._part, month, number, len(parts), part))
        counts = [(month, len(found)) for month, found in months.items()]
        self._put("/archive.json", [counts], partial(self._months, counts))

    def _put(self, path: str, facts: Sequence[Any], make: Callable[[], BaseModel]) -> None:
        own = BASE + path
        self.publishing.put(own, JSON, self.publishing.key(own, *facts), lambda: _bytes(make()))

    def _state(self, row: Warning) -> str:
        return archive.state_at(row, self.now)

    def _facts(self, row: Warning) -> list[Any]:
        return [row.number, row.tier, self._state(row), row.onset, row.expires, row.issued_at, row.ended_at,
                [head.cap_sha256 for head in self.publishing.heads[row.id]]]

    def _story(self, row: Warning) -> shapes.Story:
        return records.story(row, self._bulletins(row.id), self._state(row), self.settings)

    def _listed(self, rows: Sequence[Warning]) -> list[shapes.Warning]:
        return [records.warning(row, self._bulletins(row.id), self._state(row), self.settings) for row in rows]

    def _in_force(self, live: Sequence[Warning]) -> shapes.InForce:
        return shapes.InForce(generated=local(self.now, self.settings.timezone), in_force=len(live),
                              highest_tier=live[0].tier if live else None, warnings=self._listed(live))  # type: ignore[arg-type]

    def _part(self, month: str, number: int, parts: int, rows: Sequence[Warning]) -> shapes.Part:
        return shapes.Part(month=month, part=number, parts=parts, warnings=self._listed(rows))

    def _months(self, counts: Sequence[tuple[str, int]]) -> shapes.Archive:
        return shapes.Archive(count=sum(count for _month, count in counts), months=[
            shapes.Month(month=month, count=count, parts=[f"{self.settings.base_url}{BASE}/archive/{month}/{number}.json"
                                                          for number in range(1, len(_parts(range(count))) + 1)])
            for month, count in counts])


def _parts(rows: Sequence[Any]) -> list[Any]:
    """Oldest first, so that a further warning changes the last part alone."""
    return [rows[at : at + PART] for at in range(0, len(rows), PART)]


def _bytes(value: BaseModel) -> bytes:
    return value.model_dump_json().encode()


def _regions(publishing: Publishing) -> None:
    top = lookup.tree(publishing.settings.district)
    nodes = list(top.walk()) if top else []
    parents = {child.code: node.code for node in nodes for child in node.children}

    def listed() -> bytes:
        return _bytes(shapes.Regions(regions=[records.region(node, parents.get(node.code)) for node in nodes]))

    def outlined() -> bytes:
        drawn = lookup.outline if len(nodes) <= OUTLINED else lambda _codes: None
        return _bytes(shapes.Features(type="FeatureCollection", features=[
            shapes.Feature(type="Feature", id=node.code, geometry=drawn([node.code]),
                           properties=records.region(node, parents.get(node.code)).model_dump(mode="json")) for node in nodes]))

    for name, kind, make in (("regions.json", JSON, listed), ("regions.geojson", GEOJSON, outlined)):
        publishing.put(f"{BASE}/{name}", kind, publishing.key(name), make)  # the tree is part of every key


def _guides(publishing: Publishing) -> None:
    settings = publishing.settings
    found = shelf.read(settings.content)
    there = [one for one in found.guides if f"/{LANGUAGES[0]}/guides/{one.id}/" in publishing.building.entries]
    for one in there:
        path = f"{BASE}/guides/{one.id}.json"
        publishing.put(path, JSON, publishing.key(path, found.token), partial(_guide, one, settings))
    publishing.put(f"{BASE}/guides.json", JSON, publishing.key("guides.json", found.token, [one.id for one in there]),
                   lambda: _bytes(shapes.Guides(guides=[shapes.GuideLink(**records.guide_link(one, settings)) for one in there])))


def _guide(one: Any, settings: Any) -> bytes:
    return _bytes(records.guide(one, settings))


def _feeds(publishing: Publishing) -> None:
    base = publishing.settings.base_url
    found = [(path, entry.type) for path, entry in sorted(publishing.building.entries.items())
             if path.startswith("/feeds/") and path.count("/") == 2]

    def make() -> bytes:
        return _bytes(shapes.Feeds(feeds=[
            shapes.Feed(url=base + path, type=kind, title=shapes.Both(zh=names[0], en=names[1]))
            for path, kind in found for names in [FEEDS.get(path, (path, path))]]))

    publishing.put(f"{BASE}/feeds.json", JSON, publishing.key("feeds.json", found), make)


def _description(publishing: Publishing) -> None:
    settings = publishing.settings
    for language in LANGUAGES:
        name = "openapi.json" if language == "en" else f"openapi-{language}.json"
        publishing.put(f"{BASE}/{name}", JSON, publishing.key(name), partial(openapi.rendered, settings, language))
        path = f"/{language}/api/"
        publishing.put(path, HTML, publishing.key(path), partial(_page, publishing, language, path))
    publishing.put(f"{BASE}/", HTML, publishing.key(BASE), lambda: _DOOR.encode())


def _page(publishing: Publishing, language: str, path: str) -> bytes:
    return publishing.page("api/reference.html", language, path, api=openapi.document(publishing.settings, language), base=BASE)


#: Where a web server that knows no languages leads: `/api/v1/` of the portal itself goes to the page in the reader's language.
_DOOR = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>开放数据接口 · Open data API</title></head>
<body><p><a href="/zh/api/">开放数据接口</a></p><p lang="en"><a href="/en/api/">Open data API</a></p></body></html>
"""
