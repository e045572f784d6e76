"""Renders what residents and their programs read into plain files, after every change of what is public.

Files whose facts did not change are taken over from the generation before; the key of a file names those
facts.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy.exc import OperationalError

from portal.api import fill as api
from portal.api.records import BASE as API
from portal.channels.push import shown as notifications
from portal.config import Settings
from portal.core.clock import utcnow
from portal.core.db import db, impatient
from portal.core.i18n import LANGUAGES
from portal.guides import fill as guides
from portal.guides import shelf as guide_shelf
from portal.guides.values import Guide
from portal.regions import lookup
from portal.shelters.living.shown import Opened, opened_for
from portal.shelters.public import fill as shelters
from portal.shelters.public import standing
from portal.site import assets, broken, course_pages, dangers, feeds, past, rss, screens
from portal.site.generations import Building, locked
from portal.site.render import Renderer, sources_of_pages
from portal.site.stories import Story, facts
from portal.warnings import archive
from portal.warnings.archive import Head
from portal.warnings.models import IN_FORCE, UPDATE, Warning

logger = logging.getLogger(__name__)

HTML = "text/html; charset=utf-8"
CAP, ATOM = "application/cap+xml; charset=utf-8", "application/atom+xml; charset=utf-8"
RSS = "application/rss+xml; charset=utf-8"
GEOJSON, JSON = "application/geo+json", "application/json"
#: The page at the root of the exported directory.
DOOR = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url=/zh/"><title>安澜 Anlan</title></head>
<body><p><a href="/zh/">安澜 公众预警</a></p><p lang="en"><a href="/en/">Anlan public warnings</a></p></body></html>
""".encode()
#: Past warnings on the front page.
RECENT = 5
#: Seconds that a publishing waits for tables which somebody has locked, as a migration does, where its last pages can stay.
LOCK_SECONDS = 1.0
#: Guides that a warning leads to.
MOST_GUIDES = 2
#: Seconds that the pages of shelters may take in each generation of one publishing: the first generation has every warning
#: and waits least; further ones finish what is left, and end sooner when another publisher waits.
ROUNDS = (1.0, 4.0, 16.0, 60.0)


@dataclass(frozen=True)
class Published:
    """What one publishing did. `seconds` includes waiting for other publishers."""

    generation: str
    rendered: int
    unchanged: int
    seconds: float


def root_of(settings: Settings) -> Path:
    """Where the generations are; `root_of(...) / "current"` may be served by any web server."""
    return settings.instance / "public"


def publish(app: Flask | None = None, *, everything: bool = False) -> Published:
    """Render every public file whose facts changed and swap the new generation in.

    Call it after the transaction that changed a warning, at each expiry, and at start. With `everything`,
    nothing is taken over from before (after a change of regions, whose outlines are on the maps). Any error
    leaves the last generation in force. Raises TimeoutError when other publishers hold the lock too long.
    """
    started = time.monotonic()
    app = app or current_app._get_current_object()  # type: ignore[attr-defined]
    nonce = secrets.token_hex(8) if everything else ""
    rendered = 0
    for longest in ROUNDS:
        building, behind = generation(app, nonce, longest, course_pages.keep)
        rendered += building.rendered
        if not behind:
            break
    return Published(building.name, rendered, building.linked, time.monotonic() - started)


def generation(app: Flask, nonce: str, longest: float, courses: Callable[[Publishing], None]) -> tuple[Building, int]:
    """One generation: warnings, then shelters for `longest` seconds, guides, then what `courses` puts. Gives it back and how many
    pages of shelters and guides are left as they were. Where a warning changed, a generation of its own is swapped in before all
    that. Any error leaves the last generation in force."""
    settings: Settings = app.extensions["anlan"]
    # A context of its own: nothing read earlier is used. And one tree of regions: its token is part of every key.
    with locked(root_of(settings)) as wanted, app.app_context(), lookup.held():
        now = utcnow()
        building = Building(root_of(settings))
        try:
            publishing = Publishing(building, settings, now, nonce, wanted)
            publishing.fill()
            if publishing.news and building.had(f"/{LANGUAGES[0]}/"):
                building = publishing.swap_warnings()
                publishing.fill()
            behind = publishing.fill_shelters(longest)
            with impatient(LOCK_SECONDS):
                dangers.put(publishing)
            with impatient(LOCK_SECONDS):
                publishing.guides_behind = guides.fill(publishing, whole=courses is not course_pages.keep)
            courses(publishing)
            api.rest(publishing)
            if behind or publishing.guides_behind or courses is course_pages.keep:
                building.keep(assets.is_asset)  # pages that were taken over name the scripts and styles of their time
            building.finish(now.isoformat())
            broken.note(root_of(settings), list(publishing.broken))
        except BaseException:
            building.abandon()
            raise
    return building, behind + publishing.guides_behind


@cache
def code_version() -> str:
    """Changes with everything that pages are made by, so that an upgrade renders them again."""
    digest = hashlib.sha256()
    for path in sources_of_pages():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Publishing:
    """One run: reads what is public, and puts each file into the building."""

    def __init__(self, building: Building, settings: Settings, now: datetime, nonce: str, wanted: Callable[[], bool]) -> None:
        self.building, self.settings, self.now, self.wanted = building, settings, now, wanted
        self.guides_behind = 0
        self.broken: dict[str, set[str]] = {}  # numbers of past warnings whose pages could not be made, and these pages
        self.news = False  # whether the page or the CAP file of a warning changed
        self.salt = [
            code_version(),
            nonce,
            settings.authority_zh,
            settings.authority_en,
            settings.base_url,
            settings.timezone,
            settings.demo,
            settings.sandboxed,
            settings.sms_number or settings.twilio_from,
            bool(settings.push_services),
            lookup.current().token,  # outlines and names of regions are on the maps
        ]
        self.warnings = archive.public_warnings()
        self.heads: dict[Any, list[Head]] = defaultdict(list)
        self.newest = archive.heads()
        for head in reversed(self.newest):
            self.heads[head.warning_id].append(head)
        self.warnings = [w for w in self.warnings if self.heads.get(w.id)]
        self.opened = self._opened()
        self.guides = self._guides()
        self.assets = assets.all_of_them()
        self.render = Renderer(settings, now, {name: url for name, (url, _body) in self.assets.items()})

    def key(self, *parts: Any) -> str:
        text = json.dumps([*self.salt, *parts], ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def put(self, path: str, content_type: str, key: str, make: Callable[[], bytes]) -> None:
        file = path.lstrip("/") + ("index.html" if path.endswith("/") else "")
        self.building.put(path, file, content_type, key, make)

    def page(self, template: str, language: str, path: str, **context: Any) -> bytes:
        return self.render.page(template, language, path, **context)

    def swap_warnings(self) -> Building:
        """Swap in what was filled, with all else as it is in force, and begin the generation of the rest: so no warning waits
        while shelters and guides are read, however many they are and whatever is wrong with them."""
        first = self.building
        rooms = (assets.is_asset, shelters.is_own, dangers.is_own, guides.is_own, api.is_own)
        first.keep(lambda path: any(is_own(path) for is_own in rooms))
        course_pages.keep(self)
        first.finish(self.now.isoformat())
        self.building = Building(first.root)
        # What was just rendered is taken over next, and counts once.
        self.building.rendered, self.building.linked = first.rendered, -first.rendered
        return self.building

    def fill_shelters(self, longest: float) -> int:
        """What residents read of shelters, after all warnings. Whatever goes wrong there, or takes long, never holds a
        warning back: the files of the generation before stay, and the doctor says so. How many were left for the next
        round because time was over."""
        try:
            with impatient(LOCK_SECONDS):
                press = shelters.fill(self, time.monotonic() + longest)
            trouble, kept, behind = press.trouble, press.kept, press.behind
        except Exception as error:
            logger.exception("the pages of shelters could not be rendered; the last ones stay")
            db.session.rollback()
            trouble, kept, behind = error, self.building.keep(shelters.is_own), 0
        standing.write(root_of(self.settings), self.now, trouble, kept=kept, behind=behind)
        return behind

    def fill(self) -> None:
        for name, (url, body) in self.assets.items():
            self.put(url, assets.TYPES[Path(name).suffix], self.key(url), partial(bytes, body))
        self._warnings()
        self._front()
        screens.put(self)
        past.put(self)
        self._feeds()
        api.warnings(self)
        for language in LANGUAGES:
            for name in ("about", "subscribe"):
                path = f"/{language}/{name}/"
                self.put(path, HTML, self.key(path, sorted(self.assets)), partial(self.page, f"site/{name}.html", language, path))
        # For servers that know no languages; the portal itself leads to the reader's.
        self.put("/index.html", HTML, self.key("index.html"), lambda: DOOR)
        notifications.put(self)
        self.put(
            "/robots.txt",
            "text/plain; charset=utf-8",
            self.key("robots"),
            lambda: b"User-agent: *\nDisallow: /desk/\nDisallow: /staff/\n",
        )

    # -- warnings ------------------------------------------------------------------------------------------
    def state_of(self, warning: Warning) -> str:
        return archive.state_at(warning, self.now)

    def facts_of(self, warning: Warning) -> list[Any]:
        return [
            facts(warning),
            self.state_of(warning),
            [(h.identifier, h.cap_sha256) for h in self.heads[warning.id]],
            [one.facts() for one in self.opened.get(warning.id, ())],
            [(guide.id, repr(guide.title)) for guide in self._guides_for(warning)],
        ]

    def story_of(self, warning: Warning) -> Story:
        opened = self.opened.get(warning.id, [])
        return Story(warning, archive.bulletins_of(warning.id), self.state_of(warning), opened, self._guides_for(warning))

    def _opened(self) -> dict[uuid.UUID, list[Opened]]:
        """The shelters that were opened for each warning in force. A warning is published without them rather than not."""
        try:
            with impatient(LOCK_SECONDS):
                return opened_for([w.id for w in self.warnings if self.state_of(w) == IN_FORCE], self.now)
        except Exception:
            logger.exception("what was opened for warnings could not be read; they are published without it")
            db.session.rollback()
            archive.public_warnings()  # what was read is stale now: read it again at once, not warning by warning
            return {}

    def _guides(self) -> guide_shelf.Shelf:
        """A warning is published without its guides rather than not."""
        try:
            return guide_shelf.read(self.settings.content)
        except Exception:
            logger.exception("the guides could not be read; warnings are published without them")
            return guide_shelf.Shelf("", ())

    def _guides_for(self, warning: Warning) -> list[Guide]:
        """The guides that tell what to do in this danger and are published."""
        found = self.guides.for_hazard(warning.hazard)[:MOST_GUIDES]
        return [guide for guide in found if self.building.had(f"/{LANGUAGES[0]}/guides/{guide.id}/")]

    def _warnings(self) -> None:
        """The pages and CAP files of every warning. A past one whose page cannot be made keeps the one that it has, and holds no
        other back; the desk and the doctor name it."""
        before = self.building.rendered
        for warning in self.warnings:
            try:
                self._warning(warning)
            except (OSError, OperationalError):  # the disk, the database: it is not this warning
                raise
            except Exception:
                if self.state_of(warning) == IN_FORCE:
                    raise
                logger.exception("the past warning %s could not be rendered; its last pages stay", warning.number)
                self.broken[warning.number] = _pages_of(warning, self.heads[warning.id])
        if self.broken:
            self.building.keep(lambda path: any(path in pages for pages in self.broken.values()))
            self.warnings = [w for w in self.warnings if w.number not in self.broken]
            readable = {w.id for w in self.warnings}
            self.newest = [head for head in self.newest if head.warning_id in readable]
        self.news = self.building.rendered > before

    def _warning(self, warning: Warning) -> None:
        story = _once(partial(self.story_of, warning))
        for language in LANGUAGES:
            path = f"/{language}/warnings/{warning.number}/"
            self.put(path, HTML, self.key(path, self.facts_of(warning)), partial(self._warning_page, story, language, path))
            if any(head.kind == UPDATE for head in self.heads[warning.id]):
                path += "history/"
                self.put(path, HTML, self.key(path, self.facts_of(warning)), partial(self._history_page, story, language, path))
        for at, head in enumerate(self.heads[warning.id]):
            self.put(f"/cap/{head.identifier}.xml", CAP, head.cap_sha256, partial(_cap_bytes, story, at))

    def _warning_page(self, story: Callable[[], Story], language: str, path: str) -> bytes:
        return self.render.warning(story(), language, path)

    def _history_page(self, story: Callable[[], Story], language: str, path: str) -> bytes:
        return self.render.history(story(), language, path)

    def _front(self) -> None:
        live = [self.story_of(w) for w in archive.in_force(self.now) if self.heads.get(w.id)]
        past = [self.story_of(w) for w in archive.recent_past(RECENT, self.now)
                if self.heads.get(w.id) and w.number not in self.broken]
        for language in LANGUAGES:
            path = f"/{language}/"
            # The moment is one of its facts: the front page always says how old it is.
            self.put(
                path,
                HTML,
                self.key(path, self.now),
                partial(self.render.front, live, past, language, path),
            )
        self.put(
            "/feeds/warnings.geojson",
            GEOJSON,
            self.key("geojson", [self.facts_of(s.warning) for s in live]),
            lambda: feeds.geojson(live, self.settings),
        )
        newest = self.newest[0].sent_at if self.newest else None
        self.put(
            "/feeds/index.json",
            JSON,
            self.key("index", self.now),
            lambda: feeds.index(live, newest, self.now, self.settings),
        )

    def _feeds(self) -> None:
        ids = [head.id for head in self.newest[: feeds.FEED_LENGTH]]
        self.put(
            "/feeds/cap.atom",
            ATOM,
            self.key("atom", [h.cap_sha256 for h in self.newest[: feeds.FEED_LENGTH]]),
            lambda: feeds.atom(list(archive.public_bulletins(ids)), self.settings),
        )
        for language in LANGUAGES:
            path = rss.path_of(language)
            self.put(path, RSS, self.key(path, [h.cap_sha256 for h in self.newest[: feeds.FEED_LENGTH]]),
                     partial(self._rss, ids, language))

    def _rss(self, ids: list[uuid.UUID], language: str) -> bytes:
        return rss.rss(list(archive.public_bulletins(ids)), self.settings, language)


def _pages_of(warning: Warning, heads: Iterable[Head]) -> set[str]:
    pages = {f"/{language}/warnings/{warning.number}/{end}" for language in LANGUAGES for end in ("", "history/")}
    return pages | {f"{API}/warnings/{warning.number}.json"} | {f"/cap/{head.identifier}.xml" for head in heads}


def _cap_bytes(story: Callable[[], Story], at: int) -> bytes:
    return story().bulletins[at].cap


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Calls `make` when first asked, and keeps the answer."""
    return cache(make)
