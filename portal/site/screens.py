"""Screens in lobbies, lifts and on LED walls: one page per region, in both languages at once, read from afar, touched by nobody.

A screen asks for its own page again and again (`screen.js`), so it shows what is in force within seconds, goes on showing it when
the connection fails, and says since when it has heard nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Protocol

from flask_babel import force_locale
from flask_babel import lazy_gettext as _l

from portal.config import TIERS, Settings
from portal.core.clock import local
from portal.core.i18n import LANGUAGES
from portal.guides.shelf import Shelf
from portal.guides.values import BEFORE
from portal.regions import codes, lookup
from portal.shelters.public.one import qr
from portal.site.stories import Story, hazard_name, headline, word
from portal.warnings.hazards import Phrase
from portal.warnings.models import IN_FORCE, Warning

HTML = "text/html; charset=utf-8"
#: Steps of what to do that fit on a screen, and letters of a tip.
MOST_STEPS, LONGEST_TIP = 3, {"zh": 46, "en": 130}
_MARKUP = re.compile(r"\*\*|__|`|\[([^\]]*)\]\([^)]*\)")

#: What a screen says in both languages at once.
WORDS = {
    "calm": _l("No warning is in force here"),
    "calm_then": _l("No warning was in force here at #"),
    "tip": _l("Safety tip of the day"),
    "do": _l("What to do now"),
    "until": _l("In force until"),
    "over": _l("Past its time. Waiting for the next word."),
    "others": _l("Also in force"),
    "shelters": _l("Nearest shelters"),
    "open": _l("open now"),
    "not_open": _l("not open now"),
    "full": _l("full now"),
    "unsure": _l("state not confirmed"),
    "metres": _l("# m"),
    "contact": _l("Last contact"),
    "demonstration": _l("Demonstration, no real warning"),
    "lost": _l("No connection since #. This may no longer be the newest: listen to the radio, or call 12345."),
    "stale": _l("The warning service has not renewed its pages since #. Listen to the radio, or call 12345."),
    "scan": _l("Scan for the way to a shelter"),
}


class Publishing(Protocol):
    """What a publishing gives to the screens."""

    settings: Settings
    now: Any
    guides: Shelf
    warnings: list[Warning]

    def key(self, *parts: Any) -> str: ...
    def put(self, path: str, content_type: str, key: str, make: Any) -> None: ...
    def page(self, template: str, language: str, path: str, **context: Any) -> bytes: ...
    def facts_of(self, warning: Warning) -> list[Any]: ...
    def story_of(self, warning: Warning) -> Story: ...
    def state_of(self, warning: Warning) -> str: ...


def path_of(code: str) -> str:
    return f"/screen/{code}/"


def put(publishing: Publishing) -> None:
    """A page for each region of the district, and one to choose from."""
    top = lookup.tree(publishing.settings.district)
    nodes = list(top.walk()) if top else []
    live = [w for w in publishing.warnings if publishing.state_of(w) == IN_FORCE]
    today = local(publishing.now, publishing.settings.timezone).date()
    tip = tip_of(publishing.guides, today)
    for node in nodes:
        here = in_force_at(node.code, live)
        path = path_of(node.code)
        facts = [[publishing.facts_of(w) for w in here], tip and tip.zh, tip and tip.en]
        publishing.put(path, HTML, publishing.key(path, facts), partial(_screen, publishing, node, here, tip))
    for language in LANGUAGES:
        path = f"/{language}/screens/"
        publishing.put(path, HTML, publishing.key(path), partial(_choice, publishing, nodes, language, path))


def in_force_at(code: str, live: Iterable[Warning]) -> list[Warning]:
    """The warnings that concern a region: those for it, for what lies around it, or for a part of it; the highest tier first, and
    of one tier the newest."""
    touching = [w for w in live if any(codes.contains(c, code) or codes.contains(code, c) for c in w.region_codes)]
    return sorted(touching, key=lambda w: (TIERS.index(w.tier), w.issued_at), reverse=True)


def tip_of(shelf: Shelf, day: date) -> Phrase | None:
    """What to prepare: another sentence of the safety guides each day, the same on all screens."""
    tips = [tip for tip in _tips(shelf) if all(len(tip[language]) <= LONGEST_TIP[language] for language in LANGUAGES)]
    # A prime step that does not divide their number walks through all of them; neighbours in one guide do not follow each other.
    step = 101 if len(tips) % 101 else 103
    return tips[day.toordinal() * step % len(tips)] if tips else None


def _tips(shelf: Shelf) -> list[Phrase]:
    return [
        Phrase(*(f"{guide.title[language]}{'：' if language == 'zh' else ': '}{_plain(text)}"
                 for language, text in (("zh", zh), ("en", en))))
        for guide in shelf.guides for section in guide.sections
        if section.key == BEFORE and len(section.items.zh) == len(section.items.en)
        for zh, en in zip(section.items.zh, section.items.en, strict=False)
    ]


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\1", text).strip()


def _screen(publishing: Publishing, node: lookup.Node, here: Sequence[Warning], tip: Phrase | None) -> bytes:
    box = lookup.box(node.code)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) if box else None
    target = f"/zh/communities/{node.code}/" if node.level == "community" else "/zh/shelters/"
    return publishing.page(
        "site/screen.html", LANGUAGES[0], path_of(node.code), node=node, stories=[publishing.story_of(w) for w in here], tip=tip,
        middle=middle, say=said, brief=partial(_brief, zone=publishing.settings.timezone), headline_in=headline, word_in=word,
        hazard_in=hazard_name, most_steps=MOST_STEPS, qr=qr(publishing.settings.base_url + target))


def _brief(moment: datetime, zone: str) -> str:
    """Day and time without the year: a warning lasts days."""
    here = local(moment, zone)
    return f"{here.month}月{here.day}日 {here:%H:%M}"


def _choice(publishing: Publishing, nodes: Sequence[lookup.Node], language: str, path: str) -> bytes:
    return publishing.page("site/screens.html", language, path, nodes=nodes, path_of=path_of)


def said(words: Any, language: str) -> str:
    """A word of :data:`WORDS` by its key, or any lazy text, in one language."""
    with force_locale(language):
        return str(WORDS[words] if isinstance(words, str) else words)
