"""The words on the compose page: the template's, which never push aside what somebody wrote, and how long they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from portal.channels.sms import segments
from portal.channels.speakers.speech import spoken_seconds
from portal.config import Settings
from portal.core.i18n import LANGUAGES
from portal.desk.forms import Typed
from portal.warnings import hazards, words
from portal.warnings.drafts import Content


@dataclass(frozen=True)
class Count:
    """How long a text is, in words; `over`: longer than it may be."""

    text: str
    over: bool


def from_template(content: Content, codes: Sequence[str], previous_tier: str | None, settings: Settings) -> words.Words | None:
    """The template's words for this content; None where hazard and tier do not go together (yet)."""
    hazard = hazards.catalogue().get(content.hazard)
    if hazard is None or not hazard.has(content.tier):
        return None
    return words.first(content.kind, hazard, content.tier, list(codes), onset=content.onset, expires=content.expires,
                       exercise=content.exercise, previous_tier=previous_tier, settings=settings)


def mark(text: str) -> str:
    """A short name of a text, blind to what a browser does to line ends."""
    plain = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
    return hashlib.sha256(plain.encode(errors="surrogatepass")).hexdigest()[:16]


ALL, NEW, NONE = "all", "new", "none"


def take(typed: Typed, fresh: words.Words, *, fill: str = ALL, everything: bool = False) -> list[str]:
    """Put the template's words where its earlier ones stand unedited; with `everything` everywhere. `fill`: empty places
    too, all of them, or the new ones that never held any words (so that a text that is cleared to be rewritten stays
    clear), or none. Returns the places (`zh.sms`) that were edited and so were left alone."""
    kept = []
    for language, texts in fresh.items():
        for name, text in texts.items():
            place, present = f"{language}.{name}", typed.words[language][name]
            untouched = present.strip() and typed.offered.get(place) == mark(present)
            fillable = not present.strip() and (fill == ALL or (fill == NEW and place not in typed.offered))
            if everything or untouched or fillable:
                typed.words[language][name] = text
                typed.offered[place] = mark(text)
            elif mark(present) != mark(text):
                kept.append(place)
    return kept


def recognise(typed: Typed, fresh: words.Words | None) -> None:
    """Note which texts of an opened draft still are the template's."""
    for language, texts in (fresh or {}).items():
        for name, text in texts.items():
            if mark(typed.words[language][name]) == mark(text):
                typed.offered[f"{language}.{name}"] = mark(text)


def other_tier_named(texts: words.Words, hazard: str, tier: str) -> list[str]:
    """The places whose words name a tier of warning and never the one that was chosen: usually left over from before."""
    found = []
    for language, named in texts.items():
        for name, text in named.items():
            plain = text.casefold().replace(hazards.catalogue().name(hazard, language).casefold(), "…")  # “red tide” is no tier
            told = {key for key, pattern in _TIER_TOLD[language].items() if pattern.search(plain)}
            if told and tier not in told:
                found.append(f"{language}.{name}")
    return found


#: How a text names the tier of a warning: 红色预警; “Red rainstorm warning”, “Level: Red warning”.
_TIER_TOLD = {
    "zh": {key: re.compile(rf"{names.zh}(?:预警|[（(\[]|升|降)|(?:预警[：:]?|级别[：:]?|为|至){names.zh}")
           for key, names in hazards.TIER_NAMES.items()},
    "en": {key: re.compile(rf"\b{names.en}(?:[ -]+[\w…]+){{0,4}}?[ -]+warning\b|\bto {names.en}\b")
           for key, names in hazards.TIER_NAMES.items()},
}


def field_names(places: Sequence[str]) -> list[str]:
    """`zh.sms` as people say it."""
    pairs = (place.split(".") for place in places)
    return [_("%(field)s (%(language)s)", field=words.FIELD_LABELS[name], language=words.LANGUAGE_LABELS[language])
            for language, name in pairs]


def counts(texts: words.Words, *, exercise: bool, settings: Settings,
           subscribers: Mapping[str, int] | None = None) -> dict[str, Count]:
    """Place → length of the text as it will be sent: signature and mark of a drill included."""
    clean = words.normalise(texts, exercise=exercise, settings=settings)
    found = {}
    for language in LANGUAGES:
        for name in words.FIELDS:
            text, limit = clean[language][name], words.LIMITS[name]
            parts, over = [_("%(n)d of %(limit)d characters", n=len(text), limit=limit)], len(text) > limit
            if name == "sms" and text:
                said, too_long = sms_count(text, settings, (subscribers or {}).get(language))
                parts, over = [parts[0], *said], over or too_long
            elif name == "speaker" and text:
                parts.append(horn_count(text, language, settings))
            found[f"{language}.{name}"] = Count(" · ".join(parts), over)
    return found


def sms_count(text: str, settings: Settings, receivers: int | None = None) -> tuple[list[str], bool]:
    """Encoding, segments and what it costs, in words; and whether it is too long."""
    try:
        size = segments.count(text)
    except UnicodeEncodeError:
        return [_("holds a sign that no phone can show")], True
    parts = [ngettext("%(num)d segment (%(encoding)s)", "%(num)d segments (%(encoding)s)", size.segments, encoding=size.encoding)]
    cost = size.segments * settings.sms_price_per_segment
    if receivers:
        parts.append(_("about %(sum)s %(currency)s for %(n)s messages", sum=money(cost * receivers),
                       currency=settings.sms_currency, n=format_decimal(receivers)))
    else:
        parts.append(_("%(sum)s %(currency)s each", sum=money(cost), currency=settings.sms_currency))
    return parts, size.segments > settings.sms_max_segments


def money(amount: float) -> str:
    return str(format_decimal(round(amount, 2), format="#,##0.00"))


def horn_count(text: str, language: str, settings: Settings) -> str:
    once = round(spoken_seconds(text, language, 1, "none"))
    return _("about %(once)d s once, %(all)d s in all (%(n)d times)", once=once, n=settings.speaker_repeats,
             all=round(spoken_seconds(text, language, settings.speaker_repeats)))
