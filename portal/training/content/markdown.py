"""The Markdown of courses: what it may hold, and HTML that is safe because nothing else can come out of it.

Raw HTML is never passed on; a picture is shown only when it is one of the course's media; a link goes to http, https or
another lesson. Everything else is written as the text that it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from flask_babel import gettext as _
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.rules_inline.state_inline import Delimiter, StateInline
from markdown_it.token import Token

from portal.training.content.faults import Notes

#: Nested blocks beyond this are written as text.
DEEPEST = 12
#: Characters that tell what a picture shows.
LEAST_ALT = 10
#: What a text may hold besides paragraphs, lists, tables, boxes and emphasis.
HEADINGS, PICTURES, LESSONS, WEB = "headings", "pictures", "lessons", "web"
MEDIUM = re.compile(r"\.\./media/([a-z0-9][a-z0-9._-]*\.(?:svg|png|webp))\Z", re.ASCII)
LESSON = re.compile(r"\.\./([a-z0-9_-]+)/\Z", re.ASCII)
_WEB = re.compile(r"https?:[/]{2}[^/\s]", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picture:
    """A medium where it is published. `width` and `height` in pixels, 0 where unknown."""

    url: str
    width: int
    height: int


@dataclass(slots=True)
class Seen:
    """What a text holds: levels of its headings, names of its pictures, ids of lessons it leads to; each with its line."""

    headings: list[tuple[int, int]] = field(default_factory=list)
    pictures: list[tuple[str, int]] = field(default_factory=list)
    lessons: list[tuple[str, int]] = field(default_factory=list)


def html(text: str, pictures: Mapping[str, Picture]) -> str:
    """HTML of a whole text. `pictures`: name of a medium → where it is published."""
    return str(_parser(raw=False).render(text, {"pictures": pictures}))


def inline(text: str) -> str:
    """HTML of one sentence: emphasis and links, no paragraph around it, no pictures."""
    return str(_parser(raw=False).renderInline(text, {"pictures": {}}))


def check(text: str, line: int, notes: Notes, allowed: Collection[str] = ()) -> Seen:
    """Note all that a text must not hold. `line` is where its first line stands in its file; `allowed`: which of
    :data:`HEADINGS`, :data:`PICTURES`, :data:`LESSONS` and :data:`WEB` (links to other sites) it may have."""
    seen = Seen()
    last, opened = "", line
    for token in _parser(raw=True).parse(text):
        at = line + (token.map[0] if token.map else 0)
        if token.type == "html_block":
            notes.add(at, _("raw HTML is not allowed; use Markdown"))
        elif token.type == "heading_open":
            level = int(token.tag[1])
            if HEADINGS not in allowed:
                notes.add(at, _("a heading is not allowed here"))
            elif level not in (2, 3):
                notes.add(at, _("headings are ## or ###, not %(mark)s", mark="#" * level))
            seen.headings.append((level, at))
        elif token.type == "inline":
            _check_inline(token.children or [], at, notes, seen, allowed)
        elif token.type == "list_item_close" and last == "list_item_open":
            notes.add(opened, _("a list item is empty; also a number with nothing but a full stop behind it begins a list: add"
                                " words"))
        if token.type == "list_item_open":
            opened = at
        last = token.type
    return seen


def _check_inline(children: Sequence[Token], at: int, notes: Notes, seen: Seen, allowed: Collection[str]) -> None:
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            at += 1
        elif child.type == "html_inline":
            notes.add(at, _("raw HTML is not allowed; use Markdown"))
        elif child.type == "image":
            _check_picture(child, at, notes, seen, allowed)
        elif child.type == "link_open":
            _check_link(str(child.attrs.get("href", "")), at, notes, seen, allowed)
        elif child.type == "text" and "**" in child.content:
            notes.add(at, _("the marks of emphasis (**) do not pair here; no space may stand inside them"))


def _check_picture(token: Token, at: int, notes: Notes, seen: Seen, allowed: Collection[str]) -> None:
    if PICTURES not in allowed:
        notes.add(at, _("a picture is not allowed here"))
    source = str(token.attrs.get("src", ""))
    if found := MEDIUM.match(source):
        seen.pictures.append((found[1], at))
    else:
        notes.add(at, _("a picture is written as ![what it shows](../media/name.svg); names are small letters, svg, png or webp"))
    if len(token.content.strip()) < LEAST_ALT:
        notes.add(at, _("say in the square brackets what the picture shows, in at least %(n)s characters", n=LEAST_ALT))


def _check_link(href: str, at: int, notes: Notes, seen: Seen, allowed: Collection[str]) -> None:
    if LESSONS in allowed and (found := LESSON.match(href)):
        seen.lessons.append((found[1], at))
    elif WEB not in allowed or not _WEB.match(href):
        notes.add(at, _("links to other sites stand in the sources of a lesson; another lesson is linked as [words](../its-id/)"))


@cache
def _parser(*, raw: bool) -> MarkdownIt:
    """`raw` finds HTML instead of writing it as text: to check a text, never to show it."""
    made = MarkdownIt("commonmark", {"html": raw, "maxNesting": DEEPEST}).enable("table")
    made.disable(["reference", "entity"])
    made.inline.ruler.at("emphasis", _emphasis)
    if not raw:
        made.validateLink = _is_safe  # type: ignore[method-assign]
        for name, rule in (("image", _image), ("link_open", _link_open), ("table_open", _table_open),
                           ("table_close", _table_close)):
            made.add_render_rule(name, rule)
    else:
        made.validateLink = lambda url: True  # type: ignore[method-assign]
    return made


def _is_safe(url: str) -> bool:
    return any(pattern.match(url) for pattern in (_WEB, LESSON, MEDIUM))


def _image(_renderer: Any, tokens: Sequence[Token], index: int, _options: Any, env: Mapping[str, Any]) -> str:
    token = tokens[index]
    found = MEDIUM.match(str(token.attrs.get("src", "")))
    picture = env["pictures"].get(found[1]) if found else None
    if picture is None:
        return str(escapeHtml(token.content))
    size = f' width="{picture.width}" height="{picture.height}"' if picture.width and picture.height else ""
    return f'<img src="{escapeHtml(picture.url)}" alt="{escapeHtml(token.content)}"{size} loading="lazy">'


def _link_open(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    """A link that names no address leads nowhere, and not to the page on which it stands."""
    return str(renderer.renderToken(tokens, index, options, env)) if tokens[index].attrs.get("href") else "<a>"


def _table_open(*_given: Any) -> str:
    return '<div class="table"><table>\n'


def _table_close(*_given: Any) -> str:
    return "</table></div>\n"


def _emphasis(state: StateInline, silent: bool) -> bool:
    """Emphasis as CommonMark has it, but beside Chinese characters and punctuation only a space keeps a mark from opening or
    closing: in “**注意：**先断电” the second mark closes, though punctuation stands before it and a character after it."""
    marker = state.src[state.pos]
    if silent or marker not in "_*":
        return False
    scanned = state.scanDelims(state.pos, marker == "*")
    after = state.pos + scanned.length
    before_char = state.src[state.pos - 1] if state.pos else " "
    after_char = state.src[after] if after < state.posMax else " "
    opens, closes = scanned.can_open, scanned.can_close
    if marker == "*" and (_is_wide(before_char) or _is_wide(after_char)):
        opens, closes = not after_char.isspace(), not before_char.isspace()
    for _n in range(scanned.length):
        state.push("text", "", 0).content = marker
        state.delimiters.append(Delimiter(marker=ord(marker), length=scanned.length, token=len(state.tokens) - 1, end=-1,
                                          open=opens, close=closes))
    state.pos = after
    return True


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF" or char in "“”‘’…—·"
