"""What programs read: the Atom feed of CAP, the GeoJSON of what is in force, a small index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from lxml import etree
from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.polygon import orient

from portal.config import Settings
from portal.core.clock import local
from portal.shelters.living.shown import Opened
from portal.site.stories import TAGS, Story, area_names, authority, hazard_name, headline, iso, rings, word
from portal.warnings.models import Bulletin

ATOM = "http://www.w3.org/2005/Atom"
XML = "http://www.w3.org/XML/1998/namespace"
#: Bulletins in the Atom feed, newest first.
FEED_LENGTH = 100


def atom(bulletins: Sequence[Bulletin], settings: Settings) -> bytes:
    """RFC 4287. Each entry names one bulletin, its tier, hazard and areas, and links to its frozen CAP and
    its page."""
    base, zone = settings.base_url, settings.timezone
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    feed.set(f"{{{XML}}}lang", TAGS["zh"])
    _add(feed, "id", f"{base}/feeds/cap.atom")
    _add(feed, "title", f"{settings.authority_zh} 预警信息 · {settings.authority_en} warnings")
    _add(feed, "updated", iso(bulletins[0].sent_at, zone) if bulletins else "1970-01-01T00:00:00Z")
    _add(_add(feed, "author"), "name", settings.authority_zh)
    _add(feed, "generator", "Anlan")
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/feeds/cap.atom")
    _add(feed, "link", rel="alternate", type="text/html", hreflang="zh-CN", href=f"{base}/zh/")
    for bulletin in bulletins:
        _entry(feed, bulletin, base, zone)
    return etree.tostring(feed, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _entry(feed: etree._Element, bulletin: Bulletin, base: str, zone: str) -> None:
    entry = _add(feed, "entry")
    _add(entry, "id", _tag(bulletin, zone))
    _add(entry, "title", headline(bulletin, "zh"))
    _add(entry, "updated", iso(bulletin.sent_at, zone))
    _add(entry, "published", iso(bulletin.sent_at, zone))
    _add(_add(entry, "author"), "name", authority(bulletin, "zh"))
    _add(entry, "summary", word(bulletin, "zh", "description") or headline(bulletin, "zh"))
    for scheme, term, label in (
        ("kind", bulletin.kind, ""),
        ("tier", bulletin.tier, ""),
        ("hazard", bulletin.hazard, hazard_name(bulletin, "zh")),
        *(
            ("area", code, name)
            for code, name in zip(_codes(bulletin), area_names(bulletin, "zh"), strict=False)
        ),
    ):
        _add(
            entry, "category", scheme=f"urn:anlan:{scheme}", term=term, **({"label": label} if label else {})
        )
    for language, tag in TAGS.items():
        _add(
            entry,
            "link",
            rel="alternate",
            type="text/html",
            hreflang=tag,
            href=f"{base}/{language}/warnings/{bulletin.warning_number}/",
        )
    document = f"{base}/cap/{bulletin.identifier}.xml"
    _add(
        entry,
        "link",
        rel="enclosure",
        type="application/cap+xml",
        href=document,
        length=str(len(bulletin.cap)),
    )
    _add(entry, "content", type="application/cap+xml", src=document)


def _tag(bulletin: Bulletin, zone: str) -> str:
    """A name for ever (RFC 4151), independent of the address under which the feed is served."""
    sender, identifier = (quote(text, safe="@._-") for text in (bulletin.sender, bulletin.identifier))
    return f"tag:{sender},{local(bulletin.sent_at, zone):%Y-%m-%d}:{identifier}"


def _codes(bulletin: Bulletin) -> list[str]:
    return [str(area.get("code", "")) for area in bulletin.snapshot.get("areas", [])]


def _add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    if text:
        element.text = text
    return element


def geojson(stories: Sequence[Story], settings: Settings) -> bytes:
    """RFC 7946: a feature for each warning in force, in both languages."""
    features = [_feature(story, settings) for story in stories]
    return _json({"type": "FeatureCollection", "features": features})


def _feature(story: Story, settings: Settings) -> dict[str, Any]:
    bulletin, warning, zone = story.substance, story.warning, settings.timezone
    parts = [orient(Polygon(ring)) for ring in rings(bulletin)]
    return {
        "type": "Feature",
        "id": warning.number,
        "geometry": mapping(MultiPolygon(parts)) if parts else None,
        "properties": {
            "number": warning.number,
            "tier": warning.tier,
            "identifier": bulletin.identifier,
            "hazard": {"code": warning.hazard, **_both(hazard_name, bulletin)},
            "headline": _both(headline, bulletin),
            "description": {tag: word(bulletin, tag, "description") for tag in TAGS},
            "instruction": {tag: word(bulletin, tag, "instruction") for tag in TAGS},
            "areas": [
                {"code": code, "zh": zh, "en": en}
                for code, zh, en in zip(
                    _codes(bulletin), area_names(bulletin, "zh"), area_names(bulletin, "en"), strict=False
                )
            ],
            "authority": _both(authority, bulletin),
            "sent": iso(bulletin.sent_at, zone),
            "onset": iso(warning.onset, zone),
            "expires": iso(warning.expires, zone),
            "url": {tag: f"{settings.base_url}/{tag}/warnings/{warning.number}/" for tag in TAGS},
            "cap": f"{settings.base_url}/cap/{bulletin.identifier}.xml",
            "shelters": [_shelter(one, settings) for one in story.shelters],
        },
    }


def _shelter(one: Opened, settings: Settings) -> dict[str, Any]:
    """A shelter that was opened for the warning: its code and state; `stale` says that the state is too old to rely on."""
    return {
        "code": one.code,
        "zh": one.zh,
        "en": one.en,
        "status": one.status,
        "status_at": iso(one.status_at, settings.timezone) if one.status_at else None,
        "stale": one.stale,
        "free": one.free,
        "url": {tag: f"{settings.base_url}/{tag}/shelters/{one.slug}/" for tag in TAGS},
    }


def _both(name: Any, bulletin: Bulletin) -> dict[str, str]:
    return {tag: name(bulletin, tag) for tag in TAGS}


def index(stories: Sequence[Story], newest: datetime | None, now: datetime, settings: Settings) -> bytes:
    """How many warnings are in force and where to read more; a few hundred bytes, made to be asked for
    often."""
    base, zone = settings.base_url, settings.timezone
    return _json(
        {
            "generated": iso(now, zone),
            "updated": iso(newest, zone) if newest else None,
            "in_force": len(stories),
            "highest_tier": stories[0].warning.tier if stories else None,
            "warnings": [
                {
                    "number": s.warning.number,
                    "tier": s.warning.tier,
                    "hazard": s.warning.hazard,
                    "expires": iso(s.warning.expires, zone),
                }
                for s in stories
            ],
            "cap_atom": f"{base}/feeds/cap.atom",
            "geojson": f"{base}/feeds/warnings.geojson",
            "pages": {tag: f"{base}/{tag}/" for tag in TAGS},
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
