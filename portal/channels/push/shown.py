"""The page with the switch, one in each language, as the publisher of the site renders it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from portal.channels.push.store import MOST_REGIONS
from portal.config import Settings
from portal.core.i18n import LANGUAGES
from portal.regions import lookup

HERE = Path(__file__).resolve().parent
TEMPLATES, STATICS = HERE / "templates", tuple(sorted((HERE / "static").iterdir()))
#: Source of the service worker's part for notifications; it is published within /sw.js only.
WORKER = "push-worker.js"


class Publishing(Protocol):
    """What is used of the publisher, see portal/site/publish.py."""

    settings: Settings

    def key(self, *parts: Any) -> str: ...

    def put(self, path: str, content_type: str, key: str, make: Any) -> None: ...

    def page(self, template: str, language: str, path: str, **context: Any) -> bytes: ...


def put(publishing: Publishing) -> None:
    for language in LANGUAGES:
        path = f"/{language}/notifications/"
        publishing.put(path, "text/html; charset=utf-8", publishing.key(path, publishing.settings.district),
                       lambda language=language, path=path: publishing.page(  # type: ignore[misc]
                           "push/notifications.html", language, path, most=MOST_REGIONS,
                           streets=_streets(publishing.settings.district, language)))


def _streets(district: str, language: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Streets with (code, name) of their communities, as people choose from them."""
    return [(street.name(language), [(node.code, node.name(language)) for node in lookup.children(street.code)])
            for street in lookup.children(district)]
