"""Scripts, styles and pictures of the public pages, published beside them under names that tell their content.

So a page finds them when the application is down, and a browser may keep them for ever.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from portal.channels.push import shown as notifications

HERE = Path(__file__).resolve().parent
#: Front-end libraries that pages load.
VENDOR = HERE.parent / "web" / "static" / "vendor"
VENDORED = (VENDOR / "leaflet" / "leaflet.js", VENDOR / "leaflet" / "leaflet.css")
#: What the pages of courses load.
COURSE_STATICS = (HERE.parent / "training" / "reading" / "static" / "courses.css",
                  HERE.parent / "training" / "games" / "static" / "games.css")
#: What the pages of guides and of the search load.
GUIDE_STATICS = tuple(HERE.parent / "guides" / "static" / name for name in ("guides.css", "search.js"))
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def all_of_them() -> dict[str, tuple[str, bytes]]:
    """Name of each file → the path that it is published under, and its bytes."""
    return {path.name: published(path) for path in _statics()}


@cache
def paths() -> dict[str, str]:
    """Name of each file → the path that it is published under."""
    return {name: path for name, (path, _body) in all_of_them().items()}


def is_asset(path: str) -> bool:
    """Whether a published path is one of these."""
    return path.startswith("/assets/")


def published(path: Path) -> tuple[str, bytes]:
    body = path.read_bytes() if path in VENDORED else lean(path)
    return f"/assets/{path.stem}-{hashlib.sha256(body).hexdigest()[:10]}{path.suffix}", body


def lean(path: Path) -> bytes:
    """A script or a style sheet of ours without the lines that only people read, and without its margins."""
    if path.suffix not in (".js", ".css"):
        return path.read_bytes()
    lines = [line.strip() for line in path.read_text().splitlines()]
    said = re.compile("//" if path.suffix == ".js" else r"/\*((?!\*/).)*\*/$")
    return "\n".join([*(line for line in lines if line and not said.match(line)), ""]).encode()


def _statics() -> list[Path]:
    return sorted([*(HERE / "static").iterdir(), *COURSE_STATICS, *GUIDE_STATICS, *notifications.STATICS, *VENDORED])
