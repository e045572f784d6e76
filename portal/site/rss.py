"""RSS 2.0 of what was issued, one file for each language, for news readers and for systems that know no CAP."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import format_datetime

from flask_babel import force_locale, gettext
from lxml import etree

from portal.config import Settings
from portal.core.clock import local
from portal.site.stories import (
    KIND_NAMES,
    TAGS,
    TIER_NAMES,
    area_names,
    authority,
    hazard_name,
    headline,
    paragraphs,
    steps,
    when,
    word,
)
from portal.warnings.models import CANCEL, Bulletin

_ATOM = "http://www.w3.org/2005/Atom"
#: Minutes for which a reader may keep the feed.
_MINUTES = 5


def path_of(language: str) -> str:
    return f"/feeds/warnings-{language}.rss"


def rss(bulletins: Sequence[Bulletin], settings: Settings, language: str) -> bytes:
    """Each bulletin is one item, newest first; its guid is the CAP identifier, its text says all that counts: tier, kind,
    area, until when, what to do."""
    base, zone = settings.base_url, settings.timezone
    name = settings.authority_zh if language == "zh" else settings.authority_en
    root = etree.Element("rss", version="2.0", nsmap={"atom": _ATOM})
    channel = etree.SubElement(root, "channel")
    with force_locale(language):
        _add(channel, "title", f"{name} · {gettext('Public warnings')}")
        _add(channel, "link", f"{base}/{language}/")
        _add(channel, "description", gettext("Warnings, their updates and all-clears as they are issued. No drills."))
        _add(channel, "language", TAGS[language].lower())
        if bulletins:
            _add(channel, "lastBuildDate", format_datetime(local(bulletins[0].sent_at, zone)))
        _add(channel, "generator", "Anlan")
        _add(channel, "ttl", str(_MINUTES))
        etree.SubElement(channel, f"{{{_ATOM}}}link", rel="self", type="application/rss+xml", href=base + path_of(language))
        for bulletin in bulletins:
            _item(channel, bulletin, base, zone, language)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _item(channel: etree._Element, bulletin: Bulletin, base: str, zone: str, language: str) -> None:
    item = etree.SubElement(channel, "item")
    _add(item, "title", headline(bulletin, language))
    _add(item, "link", f"{base}/{language}/warnings/{bulletin.warning_number}/")
    _add(item, "guid", bulletin.identifier, isPermaLink="false")
    _add(item, "pubDate", format_datetime(local(bulletin.sent_at, zone)))
    _add(item, "category", str(TIER_NAMES[bulletin.tier]), domain="urn:anlan:tier")
    _add(item, "category", hazard_name(bulletin, language), domain="urn:anlan:hazard")
    _add(item, "category", str(KIND_NAMES[bulletin.kind]), domain="urn:anlan:kind")
    _add(item, "description", "\n".join(_lines(bulletin, zone, language)))
    _add(item, "source", authority(bulletin, language), url=base + path_of(language))


def _lines(bulletin: Bulletin, zone: str, language: str) -> list[str]:
    separator = "、" if language == "zh" else ", "
    lines = [f"{KIND_NAMES[bulletin.kind]} · {TIER_NAMES[bulletin.tier]} · {separator.join(area_names(bulletin, language))}"]
    if bulletin.kind != CANCEL:
        lines.append(gettext("In force until %(time)s", time=when(bulletin.expires, language, zone)))
    lines += paragraphs(word(bulletin, language, "description"))
    todo = steps(word(bulletin, language, "instruction"))
    return lines + [f"{number}. {line}" for number, line in enumerate(todo, 1)]


def _add(parent: etree._Element, name: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, name, attributes).text = text
