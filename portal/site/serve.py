"""Serves the rendered files from memory, in front of the application and without it: no database, no
template.

Only paths in the manifest of the generation in force are served, so no request can name a file. Everything
else goes on to the application.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from werkzeug.http import parse_accept_header

from portal.core.i18n import LANGUAGES
from portal.site.generations import Entry, Manifest, name_of_current, read_manifest
from portal.web import CONTENT_SECURITY

logger = logging.getLogger(__name__)

#: Memory for bodies; beyond it the oldest are read from the disk again when asked for.
CACHE_BYTES = 64 * 1024 * 1024
#: How long to wait before trying again to render pages that were never rendered.
FIRST_SECONDS = 10
FRESH = "public, max-age=10, stale-while-revalidate=60, stale-if-error=86400"
FOREVER = "public, max-age=31536000, immutable"
ASSETS = "/assets/"
WORKER = "/sw.js"
OPEN = ("/cap/", "/feeds/", "/fields/", "/api/")
API, ENDING = "/api/v1/", ".json"
#: First parts of the paths that are rendered.
SITE = (*LANGUAGES, "screen", "cap", "feeds", "fields", "search", "assets", "robots.txt", "sw.js", "manifest.webmanifest")

#: With a question these are answered by the application; without one they are files like all others.
ASKED = (*(f"/{language}/search/" for language in LANGUAGES), "/api/v1/warnings", "/api/v1/regions")
#: What leads to a page in the reader's language.
DOORS = {"/": "/{}/", API: "/{}/api/"}
#: Values of Accept-Encoding that are remembered; browsers have a handful.
MOST_ACCEPTED = 256

Environ = dict[str, Any]
Start = Callable[..., Any]
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Form:
    """A file in one encoding, as it is answered: nothing of it is worked out again at a request. `headers` are those over HTTP
    and over HTTPS; `same` those of an answer without a body."""

    suffix: str
    size: int
    key: tuple[str, str]
    etag: str
    headers: tuple[Headers, Headers]
    same: tuple[Headers, Headers]


@dataclass(slots=True)
class _Page:
    """What a path is answered with. `forms`: encodings that a reader takes, the best first → the form."""

    path: str
    entry: Entry
    asked: bool
    forms: dict[tuple[str, ...], _Form] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loaded:
    """One generation as it is served: never changed, so that a request sees one generation from end to
    end. `pages` are those that were asked for, by the path as WSGI has it."""

    name: str
    manifest: Manifest
    pages: dict[str, _Page] = field(default_factory=dict)

    def page(self, raw: str, path: str) -> _Page | None:
        """The page of a path. An answer of the API is there with and without its ending."""
        entries = self.manifest.entries
        entry = entries.get(path) or (entries.get(path + ENDING) if path.startswith(API) else None)
        if entry is None or path in DOORS:
            return None
        return self.pages.setdefault(raw, _Page(path, entry, path in ASKED))


class PublicFiles:
    """WSGI middleware. `first` renders the first generation when there is none yet."""

    def __init__(
        self,
        application: Callable[[Environ, Start], Iterable[bytes]],
        root: Path,
        first: Callable[[], Any] | None = None,
    ) -> None:
        self._application, self._root, self._first = application, root, first
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._loaded: _Loaded | None = None
        self._bodies: dict[tuple[str, str], bytes] = {}
        self._held = 0
        self._tried = -FIRST_SECONDS * 1.0
        self._taken: dict[str, tuple[str, ...]] = {}

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._application(environ, start)
        raw = environ.get("PATH_INFO", "")
        for _attempt in range(3):  # a generation may be swept between reading its manifest and its file
            if (loaded := self._current(raw)) is None:
                break
            if (page := loaded.pages.get(raw)) is None and (page := loaded.page(raw, path := _path(raw))) is None:
                if (elsewhere := _elsewhere(environ, path, loaded.manifest)) is not None:
                    return _redirect(environ, start, elsewhere)
                break
            if page.asked and environ.get("QUERY_STRING"):
                break
            if (answer := self._answer(environ, start, loaded, page)) is not None:
                return answer
            self._loaded = None
        return self._application(environ, start)

    def _current(self, path: str) -> _Loaded | None:
        """The generation that `current` names; the one already in memory when the new one cannot be read. A
        reader of the site has the first one rendered when there is none."""
        loaded, name = self._loaded, name_of_current(self._root)
        if loaded is not None and (name is None or name == loaded.name):
            return loaded
        # One reads the new manifest, which takes a while where there are thousands of pages; the others go on meanwhile.
        if loaded is not None and not self._reading.acquire(blocking=False):
            return loaded
        try:
            return self._read(path, loaded, name)
        finally:
            if loaded is not None:
                self._reading.release()

    def _read(self, path: str, loaded: _Loaded | None, name: str | None) -> _Loaded | None:
        if self._loaded is not None and self._loaded.name == name:
            return self._loaded  # another one was quicker
        manifest = read_manifest(self._root / name) if name else None
        if manifest is None and loaded is None and _is_site(path) and (name := self._render_first()):
            manifest = read_manifest(self._root / name)
        if name is None or manifest is None:
            return loaded
        with self._lock:
            wanted = {entry.etag for entry in manifest.entries.values()}
            self._bodies = {key: body for key, body in self._bodies.items() if key[0] in wanted}
            self._held = sum(map(len, self._bodies.values()))
            self._loaded = loaded = _Loaded(name, manifest)
        return loaded

    def _render_first(self) -> str | None:
        if self._first is None:
            return None
        with self._lock:
            if time.monotonic() - self._tried < FIRST_SECONDS:
                return None
            self._tried = time.monotonic()
        try:
            self._first()
        except Exception:  # the application answers instead; the next try comes after a pause
            logger.exception("the public pages could not be rendered")
        return name_of_current(self._root)

    def _answer(self, environ: Environ, start: Start, loaded: _Loaded, page: _Page) -> list[bytes] | None:
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        taken = self._taken.get(accepted)
        if taken is None:
            taken = self._remember(accepted)
        form = page.forms.get(taken) or page.forms.setdefault(taken, _form(page, taken))
        secure = environ.get("wsgi.url_scheme") == "https"
        has = environ.get("HTTP_IF_NONE_MATCH")
        if has is not None and (has == form.etag or _matches(has, form.etag)):
            start("304 Not Modified", list(form.same[secure]))
            return []
        body = self._bodies.get(form.key)
        if body is None and (body := self._body(loaded, page.entry, form.suffix, form.size)) is None:
            return None
        start("200 OK", list(form.headers[secure]))  # a list of its own: servers add to it
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _remember(self, accepted: str) -> tuple[str, ...]:
        if len(self._taken) >= MOST_ACCEPTED:
            self._taken.clear()
        return self._taken.setdefault(accepted, _encodings(accepted))

    def _body(self, loaded: _Loaded, entry: Entry, suffix: str, size: int) -> bytes | None:
        """The bytes of one form; None when its file is gone or is not whole."""
        key = (entry.etag, suffix)
        if (body := self._bodies.get(key)) is not None:
            return body
        try:
            body = (self._root / loaded.name / (entry.file + suffix)).read_bytes()
        except OSError:
            return None
        if len(body) != size:
            return None
        with self._lock:
            while self._bodies and self._held + len(body) > CACHE_BYTES:
                self._held -= len(self._bodies.pop(next(iter(self._bodies))))
            if key not in self._bodies:
                self._bodies[key] = body
                self._held += len(body)
        return body


def _is_site(path: str) -> bool:
    return path == "/" or path.lstrip("/").split("/", 1)[0] in SITE


def _path(raw: str) -> str:
    """The path as text; WSGI hands its bytes over as Latin-1."""
    return raw.encode("latin-1", "replace").decode("utf-8", "replace") or "/"


def _encodings(accepted: str) -> tuple[str, ...]:
    """The encodings that the client takes, the best first; of equal ones brotli, which is the smaller."""
    accept = parse_accept_header(accepted)
    found = [(accept.quality(name), name) for name in ("br", "gzip")]
    return tuple(name for quality, name in sorted(found, key=lambda one: -one[0]) if quality > 0)


def _form(page: _Page, taken: tuple[str, ...]) -> _Form:
    entry, path = page.entry, page.path
    there = {"br": (".br", entry.brotli), "gzip": (".gz", entry.gzip)}
    encoding = next((name for name in taken if there[name][1]), "")
    suffix, size = there.get(encoding, ("", entry.size))
    etag = f'"{entry.etag}{suffix.replace(".", "-")}"'
    same = [
        ("ETag", etag),
        ("Cache-Control", FOREVER if path.startswith(ASSETS) else "no-cache" if path == WORKER else FRESH),
        ("Vary", "Accept-Encoding"),
        *([("Service-Worker-Allowed", "/")] if path == WORKER else []),
    ]
    more = [("Content-Type", entry.type), ("Content-Length", str(size)), *([("Content-Encoding", encoding)] if encoding else [])]
    plain, secure = (same + _security(https, path) for https in (False, True))
    return _Form(suffix, size, (entry.etag, suffix), etag, (plain + more, secure + more), (plain, secure))


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag in tags


def _security(https: bool, path: str) -> list[tuple[str, str]]:
    headers = [
        ("Content-Security-Policy", CONTENT_SECURITY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
        ("Permissions-Policy", "camera=(), microphone=(), geolocation=(self)"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ]
    if https:
        headers.append(("Strict-Transport-Security", "max-age=31536000"))
    if path.startswith(OPEN):  # the feeds are for everybody's programs
        headers.append(("Access-Control-Allow-Origin", "*"))
    return headers


def _elsewhere(environ: Environ, path: str, manifest: Manifest) -> str | None:
    """Where a path that is not a file leads: a door to the reader's language, a forgotten slash to the page."""
    if path in DOORS and manifest.entries:
        return DOORS[path].format(preferred_language(environ.get("HTTP_ACCEPT_LANGUAGE", "")))
    return path + "/" if path + "/" in manifest.entries else None


def preferred_language(header: str) -> str:
    """The first of the portal's languages that the browser asks for; Chinese when it asks for none of
    them."""
    for value, quality in parse_accept_header(header):
        short = value.replace("_", "-").split("-")[0].strip().lower()
        if quality > 0 and short in LANGUAGES:
            return short
    return LANGUAGES[0]


def _redirect(environ: Environ, start: Start, target: str) -> list[bytes]:
    location = str(environ.get("SCRIPT_NAME", "")) + target
    start(
        "302 Found",
        [
            ("Location", location),
            ("Content-Length", "0"),
            ("Vary", "Accept-Language"),
            ("Cache-Control", "no-cache"),
            *_security(environ.get("wsgi.url_scheme") == "https", target),
        ],
    )
    return []
