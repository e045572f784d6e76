"""What lets a phone go on without the network: the service worker and the manifest.

The worker's file changes with what it keeps of the shell (scripts, styles), so that browsers take the new one and the old
caches go. It is served from the root of the site, because a worker rules only what lies below its own address.
"""

from __future__ import annotations

import hashlib
import json

from portal.core.i18n import LANGUAGES
from portal.shelters.public.press import MANIFEST, SCRIPT, Press

#: The worker's own source: what it keeps, and what it does with notifications. No part of the shell.
_SOURCE = ("sw.js", "push-worker.js")
#: Rendered pages and files without which the shell shows nothing.
_PAGES = tuple(f"/{language}/{page}" for language in LANGUAGES
               for page in ("", "route/", "shelters/", "communities/", "guides/", "search/", "notifications/", "offline/"))


def put(press: Press) -> None:
    assets = press.assets
    shell = sorted(url for name, (url, _body) in assets.items() if name not in _SOURCE)
    head = {"assets": shell, "pages": [*_PAGES, "/fields/index.json", "/fields/shelters.json",
                                           *(f"/search/{language}.json" for language in LANGUAGES)]}
    source = "\n".join(assets[name][1].decode() for name in _SOURCE)
    version = hashlib.sha256((json.dumps(head) + source).encode()).hexdigest()[:12]
    body = f"self.ANLAN = {json.dumps({'version': version, **head})};\n{source}".encode()
    press.put("/sw.js", SCRIPT, press.key("sw", version), lambda: body, needed=True)
    press.put("/manifest.webmanifest", MANIFEST, press.key("manifest"), lambda: _manifest(press), needed=True)


def _manifest(press: Press) -> bytes:
    icon = press.assets["site-icon.svg"][0]
    return json.dumps({
        "name": "安澜 Anlan", "short_name": "安澜", "lang": "zh-CN", "start_url": "/", "scope": "/", "display": "minimal-ui",
        "background_color": "#f3f5f7", "theme_color": "#0b5876",
        "icons": [{"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
    }, ensure_ascii=False).encode()
