"""Rows to shapes: warnings, regions and guides as the API tells them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.polygon import orient

from portal.api import shapes
from portal.config import Settings
from portal.core.clock import local
from portal.core.i18n import LANGUAGES
from portal.guides.values import GROUPS
from portal.guides.values import Guide as GuideValue
from portal.regions.snapshot import Node
from portal.warnings.cap import SEVERITY
from portal.warnings.models import CANCEL, Bulletin, Warning

BASE = "/api/v1"


def warning(row: Warning, bulletins: Sequence[Bulletin], state: str, settings: Settings) -> shapes.Warning:
    """What a list says of a warning. An all-clear says neither what happens nor what to do, so the words are those of the
    newest bulletin before it."""
    return shapes.Warning(**_said(row, bulletins, state, settings))


def story(row: Warning, bulletins: Sequence[Bulletin], state: str, settings: Settings) -> shapes.Story:
    """One warning whole."""
    return shapes.Story(**_said(row, bulletins, state, settings), geometry=_geometry(_substance(bulletins)),
                        history=[_entry(one, settings) for one in bulletins])


def _said(row: Warning, bulletins: Sequence[Bulletin], state: str, settings: Settings) -> dict[str, Any]:
    newest, when = _substance(bulletins), _zoned(settings)
    return {
        "number": row.number, "state": state, "tier": row.tier, "severity": SEVERITY[row.tier],
        "hazard": shapes.Named(code=row.hazard, **_both(lambda tag: _named(newest, "hazard", tag) or row.hazard)),
        **_words(newest),
        "areas": [_area(area) for area in newest.snapshot.get("areas", [])],
        "authority": _both(lambda tag: _named(newest, "authority", tag) or newest.sender),
        "issued": when(row.issued_at), "sent": when(bulletins[-1].sent_at),
        "onset": when(row.onset), "expires": when(row.expires),
        "ended": when(row.ended_at) if row.ended_at else None, "bulletins": len(bulletins),
        "page": {tag: f"{settings.base_url}/{tag}/warnings/{row.number}/" for tag in LANGUAGES},
        "cap": _cap(bulletins[-1], settings), "url": f"{settings.base_url}{BASE}/warnings/{row.number}.json",
    }


def _entry(one: Bulletin, settings: Settings) -> shapes.Entry:
    return shapes.Entry(position=one.position, kind=cast(Any, one.kind), identifier=one.identifier, tier=cast(Any, one.tier),
                        sent=_zoned(settings)(one.sent_at), cap=_cap(one, settings), **_words(one))


def _area(area: dict[str, str]) -> shapes.Named:
    zh = str(area.get("zh", ""))
    return shapes.Named(code=str(area.get("code", "")), zh=zh, en=str(area.get("en") or zh))


def _substance(bulletins: Sequence[Bulletin]) -> Bulletin:
    return next((one for one in reversed(bulletins) if one.kind != CANCEL), bulletins[-1])


def _words(one: Bulletin) -> dict[str, Any]:
    said = one.snapshot.get("words", {})

    def word(field: str) -> dict[str, str]:
        return _both(lambda tag: str((said.get(tag) or {}).get(field) or (said.get("zh") or {}).get(field) or "").strip())

    words = {field: word(field) for field in ("headline", "description", "instruction")}
    if not words["headline"]["zh"]:
        words["headline"] = _both(lambda tag: _named(one, "hazard", tag) or one.hazard)
    return words


def _named(one: Bulletin, what: str, tag: str) -> str:
    names = one.snapshot.get(what, {})
    return str(names.get(tag) or names.get("zh") or "")


def _both(make: Callable[[str], str]) -> dict[str, str]:
    return {tag: make(tag) for tag in LANGUAGES}


def _cap(one: Bulletin, settings: Settings) -> str:
    return f"{settings.base_url}/cap/{one.identifier}.xml"


def _zoned(settings: Settings) -> Callable[[datetime], datetime]:
    return lambda moment: local(moment, settings.timezone)


def _geometry(one: Bulletin) -> dict[str, Any] | None:
    closed = [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in one.snapshot.get("polygons") or [] if len(ring) >= 3]
    parts = [orient(Polygon(ring)) for ring in closed if len(ring) >= 4]
    return mapping(MultiPolygon(parts)) if parts else None


def region(node: Node, parent: str | None) -> shapes.Region:
    return shapes.Region(code=node.code, level=node.level, name=shapes.Both(zh=node.name_zh, en=node.name_en), pinyin=node.pinyin,
                         parent=parent, population=node.population, box=node.box, demonstration=node.demonstration)


def guide_link(one: GuideValue, settings: Settings) -> dict[str, Any]:
    """What a list says of a guide."""
    return {"id": one.id, "kind": cast(Literal["advice", "ticks"], one.kind),
            "group": shapes.Named(code=one.group, **_both(GROUPS[one.group].__getitem__)), "title": _both(one.title.__getitem__),
            "summary": _both(one.summary.__getitem__), "hazards": list(one.hazards), "updated": one.updated,
            "page": {tag: f"{settings.base_url}/{tag}/guides/{one.id}/" for tag in LANGUAGES},
            "url": f"{settings.base_url}{BASE}/guides/{one.id}.json"}


def guide(one: GuideValue, settings: Settings) -> shapes.Guide:
    return shapes.Guide(
        **guide_link(one, settings), keywords=_lists(one.keywords), sources=_lists(one.sources),
        sections=[shapes.Section(key=part.key, title=shapes.Both(**_both(part.title.__getitem__)), items=_lists(part.items))
                  for part in one.sections])


def _lists(value: Any) -> shapes.Lists:
    return shapes.Lists(zh=list(value["zh"]), en=list(value["en"]))
