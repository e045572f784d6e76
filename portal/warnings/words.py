"""The words of a warning: what may be in them, and how long they may be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.channels.sms import segments
from portal.config import Settings
from portal.core.clock import local
from portal.core.errors import Problem
from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.warnings import templates
from portal.warnings.hazards import Hazard, Phrase

FIELDS = ("headline", "description", "instruction", "sms", "speaker")
#: Longest text of each field, in characters. A headline beyond 160 is cut by many CAP consumers (CAP 1.2, 3.2.2).
LIMITS = {"headline": 160, "description": 2000, "instruction": 2000, "sms": 1600, "speaker": 600}
FIELD_LABELS = {
    "headline": _l("Headline"),
    "description": _l("Description"),
    "instruction": _l("What to do"),
    "sms": _l("Text message"),
    "speaker": _l("Loudspeaker"),
}
LANGUAGE_LABELS = {"zh": _l("Chinese"), "en": _l("English")}

Words = dict[str, dict[str, str]]

# CAP 1.2 forbids markup and entities in text; carriers and horns would show or read them as they stand.
_MARKUP = re.compile(r"<[A-Za-z!/?][^>]*>?|&(?:[A-Za-z]{2,10}|#\d{1,7}|#x[0-9A-Fa-f]{1,6});")


def first(
    kind: str,
    hazard: Hazard,
    tier: str,
    region_codes: list[str],
    *,
    onset: datetime | None,
    expires: datetime,
    exercise: bool,
    previous_tier: str | None = None,
    settings: Settings,
) -> Words:
    """The template's words for a draft, in every language: what an operator starts from."""
    names, zone = lookup.names(region_codes), settings.timezone
    facts = templates.Facts(
        areas=[(names[code]["zh"], names[code]["en"]) for code in region_codes if code in names],
        expires=local(expires, zone),
        authority=Phrase(settings.authority_zh, settings.authority_en),
        signature=settings.sms_signature,
        onset=local(onset, zone) if onset else None,
        previous_tier=previous_tier,
        exercise=exercise,
    )
    return {language: templates.render(hazard, tier, kind, language, facts) for language in LANGUAGES}


def normalise(words: Words, *, exercise: bool, settings: Settings) -> Words:
    """All fields of all languages, trimmed, in one Unicode form (NFC) and with one kind of line end; a drill marked
    in every text, a Chinese text message signed. What comes out is what is shown, approved and sent."""
    clean: Words = {}
    for language in LANGUAGES:
        given = words.get(language) or {}
        clean[language] = {field: _tidy(given.get(field) or "", field) for field in FIELDS}
    body = clean["zh"]["sms"]
    if body and settings.sms_signature and not body.startswith("【"):
        clean["zh"]["sms"] = f"【{settings.sms_signature}】{body}"
    return templates.mark_exercise(clean) if exercise else clean


def _tidy(text: str, field: str) -> str:
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()
    return text if field in ("description", "instruction") else re.sub(r"[ \t]*\n[ \t\n]*", " ", text)


def problems(words: Words, *, complete: bool, settings: Settings) -> Iterator[Problem]:
    """What is wrong with normalised words. `complete`: whether nothing may be missing any more."""
    for language in LANGUAGES:
        for field in FIELDS:
            text = words[language][field]
            name, where = f"words.{language}.{field}", {"field": FIELD_LABELS[field], "language": LANGUAGE_LABELS[language]}
            if not text:
                if complete:
                    yield Problem(name, _("%(field)s (%(language)s) is empty: write it, or take the template's words.", **where))
                continue
            if len(text) > LIMITS[field]:
                yield Problem(
                    name,
                    _(
                        "%(field)s (%(language)s) has %(n)d characters; at most %(limit)d are possible.",
                        n=len(text),
                        limit=LIMITS[field],
                        **where,
                    ),
                )
            yield from _characters(name, text, field, where)
            if field == "sms":
                yield from _length(name, text, where, settings)


def _characters(name: str, text: str, field: str, where: dict) -> Iterator[Problem]:
    for position, character in enumerate(text, 1):
        if (
            character != "\n" and unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co")
        ) or character in "\u202a\u202b\u202d\u202e":
            yield Problem(
                name,
                _(
                    "%(field)s (%(language)s) holds an invisible control character at position %(n)d: delete it.",
                    n=position,
                    **where,
                ),
            )
            break
    if found := _MARKUP.search(text):
        yield Problem(
            name,
            _(
                "%(field)s (%(language)s) holds “%(piece)s”: only plain text is possible, no HTML.",
                piece=found.group()[:30],
                **where,
            ),
        )
    if field == "speaker":
        for character in text:
            if unicodedata.category(character) == "So" or (ord(character) > 0x1F000 and unicodedata.category(character) != "Lo"):
                yield Problem(
                    name,
                    _(
                        "%(field)s (%(language)s) holds the sign “%(piece)s”, which a horn cannot say: write it in words.",
                        piece=character,
                        **where,
                    ),
                )
                break


def _length(name: str, text: str, where: dict, settings: Settings) -> Iterator[Problem]:
    try:
        count = segments.count(text)
    except UnicodeEncodeError:
        return  # a lone surrogate; the control-character check has named it
    if count.segments > settings.sms_max_segments:
        yield Problem(
            name,
            _(
                "%(field)s (%(language)s) takes %(n)d segments; at most %(limit)d are possible. Shorten it.",
                n=count.segments,
                limit=settings.sms_max_segments,
                **where,
            ),
        )
