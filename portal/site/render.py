"""Templates to bytes, outside any request and independent of which surfaces this process serves."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask_babel import force_locale, get_translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from portal.config import TIERS, Settings
from portal.regions.svg import map_svg
from portal.shelters.registry.words import STATUSES
from portal.site import changes, stories
from portal.site.stories import Story

logger = logging.getLogger(__name__)

#: Pixels; small numbers make small pages.
MAP_WIDTH = 560
#: Opened shelters that a warning's page names; the rest are a link away.
MOST_OPENED = 100
HERE = Path(__file__).resolve().parent
SHELTERS = HERE.parent / "shelters"
COURSES = HERE.parent / "training" / "reading"
GAMES = HERE.parent / "training" / "games"
GUIDES = HERE.parent / "guides"
PUSH = HERE.parent / "channels" / "push"
API = HERE.parent / "api"
#: Folders of templates: the site's own, and those of the capabilities whose pages are published with it.
TEMPLATES = (HERE / "templates", SHELTERS / "public" / "templates", COURSES / "templates", GAMES / "templates",
             GUIDES / "templates", API / "templates", PUSH / "templates")


def sources_of_pages() -> list[Path]:
    """Every file that a published page is made by: code, templates, words, scripts, styles."""
    folders = (HERE, SHELTERS / "public", SHELTERS / "registry", SHELTERS / "field", SHELTERS / "communities",
               SHELTERS / "living", COURSES, COURSES.parent / "content", GAMES, GUIDES, API, PUSH)
    alone = (HERE.parent / "regions" / "svg.py", HERE.parent / "warnings" / "archive.py", SHELTERS / "roads" / "obstructions.py")
    found = [path for folder in folders for path in folder.rglob("*")] + list(alone)
    endings = (".py", ".html", ".css", ".js", ".svg", ".po")
    return sorted(path for path in found if path.is_file() and path.suffix in endings)


#: The catalogue of the page at work: looked up once for a page and not for each of its words, which took a fifth of the time.
_catalogue: ContextVar[Any] = ContextVar("anlan.catalogue")


def _gettext(text: str) -> str:
    return str(_catalogue.get().gettext(text))


def _ngettext(one: str, many: str, count: int) -> str:
    return str(_catalogue.get().ngettext(one, many, count))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.install_gettext_callables(_gettext, _ngettext, newstyle=True)  # type: ignore[attr-defined]
    return environment


class Renderer:
    """Renders the pages of one generation. `assets`: name of a static file → the path that it is served
    under."""

    def __init__(self, settings: Settings, now: datetime, assets: Mapping[str, str]) -> None:
        self.settings, self.now, self.assets = settings, now, assets
        self._maps: dict[tuple[str, tuple[str, ...], str], Markup] = {}  # warnings of the same regions have the same map

    def front(self, live: Sequence[Story], past: Sequence[Story], language: str, path: str) -> bytes:
        return self.page("site/front.html", language, path, live=live, past=past)

    def warning(self, story: Story, language: str, path: str) -> bytes:
        return self.page(
            "site/warning.html",
            language,
            path,
            story=story,
            shown=story.substance,
            map=self._map(story, language),
            shelter_statuses=STATUSES,
            most_opened=MOST_OPENED,
            history=changes.history(story.bulletins, language),
            most_history=changes.SHOWN,
        )

    def history(self, story: Story, language: str, path: str) -> bytes:
        """Every bulletin with its words, and what it changed."""
        return self.page("site/history.html", language, path, story=story, shown=story.substance,
                         history=changes.history(story.bulletins, language))

    def archive(self, found: Sequence[Story], language: str, path: str, **more: Any) -> bytes:
        """One page of the archive; `more`: see portal/site/past.py."""
        empty = {"month": "", "facet": "", "value": "", "name": "", "page": 1, "pages": 1, "total": 0, "indexed": 0, "older": (),
                 "counts": (), "tier_counts": (), "hazards": (), "regions": ()}
        return self.page("site/archive.html", language, path, found=found, **{**empty, **more})

    @staticmethod
    def said(text: Any, language: str) -> str:
        """A lazy text in one language."""
        with force_locale(language):
            return str(text)

    def _map(self, story: Story, language: str) -> Markup:
        """The whole district with the warned regions marked, so that people find themselves on it; empty
        where no boundary is known."""
        bulletin = story.substance
        area = (bulletin.snapshot.get("target") or {}).get("area")
        key = (language, tuple(bulletin.region_codes), json.dumps(area))
        try:
            if key not in self._maps:
                self._maps[key] = map_svg([self.settings.district], language, highlight=bulletin.region_codes, width=MAP_WIDTH,
                                          area=area)
            return self._maps[key]
        except Exception:  # the words must be published whatever is wrong with a drawing
            logger.exception("no map could be drawn for the warning %s", story.warning.number)
            return Markup()

    def page(self, template: str, language: str, path: str, **context: Any) -> bytes:
        zone, other = self.settings.timezone, "en" if language == "zh" else "zh"
        with force_locale(language):
            _catalogue.set(get_translations())
            text = (
                _environment()
                .get_template(template)
                .render(
                    language=language,
                    tag=stories.TAGS[language],
                    other=other,
                    other_tag=stories.TAGS[other],
                    path=path,
                    other_path=f"/{other}/" + path.split("/", 2)[2],
                    assets=self.assets,
                    settings=self.settings,
                    now=self.now,
                    authority=self.settings.authority_zh if language == "zh" else self.settings.authority_en,
                    tiers=tuple(reversed(TIERS)),
                    tier_names=stories.TIER_NAMES,
                    tier_grades=stories.TIER_GRADES,
                    kind_names=stories.KIND_NAMES,
                    when=lambda moment: stories.when(moment, language, zone),
                    iso=lambda moment: stories.iso(moment, zone),
                    month_name=lambda month: stories.month_name(month, language),
                    word=lambda bulletin, field: stories.word(bulletin, language, field),
                    headline=lambda bulletin: stories.headline(bulletin, language),
                    issuer=lambda bulletin: stories.authority(bulletin, language),
                    areas=lambda bulletin: stories.area_names(bulletin, language),
                    hazard=lambda bulletin: stories.hazard_name(bulletin, language),
                    paragraphs=stories.paragraphs,
                    steps=stories.steps,
                    **context,
                )
            )
        return text.encode()
