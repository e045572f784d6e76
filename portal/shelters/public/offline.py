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
               for page in ("", "route/", "shelters/", "communities/", "guides/", "search/", "map/", "subscribe/",
                            "notifications/", "offline/"))

#: Icons for home screens, which take no drawing: name, size, purpose.
_ICONS = (("icon-192.png", "192x192", "any"), ("icon-512.png", "512x512", "any"), ("icon-mask-512.png", "512x512", "maskable"))
_SHORTCUTS = (("避难场所 Shelters", "/zh/shelters/"), ("去避难的路 The way", "/zh/route/"),
              ("我的社区 My community", "/zh/communities/"))


def put(press: Press) -> None:
    assets = press.assets
    icons = [name for name, _size, _purpose in _ICONS]
    shell = sorted(url for name, (url, _body) in assets.items() if name not in (*_SOURCE, *icons))
    head = {"assets": shell, "pages": [*_PAGES, "/fields/index.json", "/fields/shelters.json", "/fields/dangers.json",
                                           *(f"/search/{language}.json" for language in LANGUAGES)]}
    source = "\n".join(assets[name][1].decode() for name in _SOURCE)
    version = hashlib.sha256((json.dumps(head) + source).encode()).hexdigest()[:12]
    body = f"self.ANLAN = {json.dumps({'version': version, **head})};\n{source}".encode()
    press.put("/sw.js", SCRIPT, press.key("sw", version), lambda: body, needed=True)
    press.put("/manifest.webmanifest", MANIFEST, press.key("manifest"), lambda: _manifest(press), needed=True)


def _manifest(press: Press) -> bytes:
    icon = press.assets["site-icon.svg"][0]
    return json.dumps({
        "id": "/", "name": "安澜 Anlan", "short_name": "安澜", "categories": ["news", "utilities"],
        "description": "公共预警、避难场所和安全指南 · Public warnings, shelters and safety guides",
        "lang": "zh-CN", "start_url": "/", "scope": "/", "display": "minimal-ui",
        "background_color": "#f3f5f7", "theme_color": "#0b5876",
        "icons": [{"src": icon, "sizes": "any", "type": "image/svg+xml", "purpose": "any"},
                  *({"src": press.assets[name][0], "sizes": size, "type": "image/png", "purpose": purpose}
                    for name, size, purpose in _ICONS)],
        "shortcuts": [{"name": name, "url": url} for name, url in _SHORTCUTS],
    }, ensure_ascii=False).encode()
