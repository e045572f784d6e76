"""Words for a warning, out of the hazard's templates; and the marks that make a drill a drill on every
channel.

A template is text with names in braces. Each name is replaced once by plain text: content cannot reach into
objects, and a place's name with a brace in it stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from portal.channels.sms import segments
from portal.warnings import phrases
from portal.warnings.hazards import (
    ALERT,
    CANCEL,
    CHANNELS,
    DOWNGRADE,
    GRADE,
    GRADE_NAMES,
    TIER_NAMES,
    UPDATE,
    UPGRADE,
    Guidance,
    Hazard,
    Phrase,
    is_upgrade,
)

_BRACED = re.compile(r"\{([A-Za-z_]+)\}")
#: Signs that are common in names and would turn a whole English text message into UCS-2, at less than half
#: the length.
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " ", "…": "..."})


@dataclass(frozen=True, slots=True)
class Facts:
    """What the words are about. Times are aware and in the district's zone; `onset` None means at the
    moment of issue (for an all-clear: when the warning ends). `areas` are pairs (Chinese, English);
    `previous_tier` is the tier before an update."""

    areas: Sequence[tuple[str, str]]
    expires: datetime
    authority: Phrase
    signature: str
    onset: datetime | None = None
    previous_tier: str | None = None
    exercise: bool = False


def render(hazard: Hazard, tier: str, kind: str, language: str, facts: Facts) -> dict[str, str]:
    """The words of all channels: headline, description, instruction, sms, speaker. `kind` is alert, update
    or cancel; an update with another tier than before reads as an upgrade or downgrade. Raises ValueError
    for another kind and KeyError for what is no tier."""
    if kind not in (ALERT, UPDATE, CANCEL):
        raise ValueError(f"no such kind of bulletin: {kind}")
    if kind == UPDATE and facts.previous_tier and facts.previous_tier != tier:
        kind = UPGRADE if is_upgrade(facts.previous_tier, tier) else DOWNGRADE
    guidance = hazard.all_clear if kind == CANCEL else hazard.signal(tier)
    words = {}
    for channel in CHANNELS:
        values = _values(hazard, tier, guidance, language, channel, facts)
        text = _fill(hazard.template(tier, kind, language, channel), values)
        if channel == "sms":  # no empty brackets where there is no signature
            text = text.removeprefix("【】") if language == "zh" else text.translate(_PLAIN)
        words[channel] = text
    return mark_exercise({language: words})[language] if facts.exercise else words


def _fill(template: str, values: Mapping[str, Callable[[], str]]) -> str:
    return _BRACED.sub(lambda match: values[match.group(1)](), template)


def _values(
    hazard: Hazard, tier: str, guidance: Guidance, language: str, channel: str, facts: Facts
) -> Mapping[str, Callable[[], str]]:
    """Each placeholder's text in one channel, made only where a template asks for it."""
    speaks, whole = channel == "speaker", channel in ("description", "instruction")

    def time(moment: datetime | None) -> str:
        return phrases.spoken(moment, language) if speaks else phrases.written(moment, language, year=whole)

    return {
        "areas": lambda: phrases.areas(facts.areas, language, channel),
        "hazard": lambda: hazard.name(language) if language == "zh" else _inside(hazard.en),
        "Hazard": lambda: hazard.name(language),
        "tier": lambda: TIER_NAMES[tier][language],
        "Tier": lambda: TIER_NAMES[tier][language].capitalize(),
        "previous_tier": lambda: TIER_NAMES[facts.previous_tier or tier][language],
        "grade": lambda: _grade(tier, language),
        "onset": lambda: time(facts.onset),
        "expires": lambda: time(facts.expires),
        "authority": lambda: (
            phrases.aloud(facts.authority[language]) if channel in ("sms", "speaker") else facts.authority[language]
        ),
        "signature": lambda: facts.signature,
        "threat": lambda: guidance.threat[language],
        "action": lambda: guidance.action[language],
        "steps": lambda: "\n".join(f"{n}. {step[language]}" for n, step in enumerate(guidance.steps, 1)),
        "spoken": lambda: ("" if language == "zh" else " ").join(s[language] for s in guidance.spoken),
    }


def _inside(name: str) -> str:
    """An English name within a sentence: small, unless it begins with an abbreviation."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def _grade(tier: str, language: str) -> str:
    """The grade in brackets, as 12379 headlines carry it; nothing for white, which has none."""
    if not (grade := GRADE[tier]):
        return ""
    return f"[{grade}级/{GRADE_NAMES[tier].zh}]" if language == "zh" else f" [grade {grade}, {GRADE_NAMES[tier].en}]"


# -- drills ------------------------------------------------------------------------------------------------
_MARKS = {"zh": ("【演练】", "现在进行演练。", ""), "en": ("EXERCISE: ", "This is an exercise.", " ")}
_SIGNATURE = re.compile(r"【(?!演练】)[^【】]*】")


def mark_exercise(words: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """`words` (language → channel → text) with every text marked as a drill, exactly once however often
    this is done.

    In a text message the mark follows the signature, which carriers want first; a horn says it before and
    after. A text that is empty stays empty: nothing is sent of it.
    """
    return {
        language: {channel: _marked(text, language, channel) for channel, text in texts.items()}
        for language, texts in words.items()
    }


def _marked(text: str, language: str, channel: str) -> str:
    mark, said, gap = _MARKS["zh" if language == "zh" else "en"]
    text = text.strip()
    if not text:
        return text
    if channel == "speaker":
        while text.startswith(said):
            text = text.removeprefix(said).lstrip()
        while text.endswith(said):
            text = text.removesuffix(said).rstrip()
        return gap.join(part for part in (said, text, said) if part)
    signature = match.group() if channel == "sms" and (match := _SIGNATURE.match(text)) else ""
    body = text[len(signature) :].lstrip()
    while body.startswith(mark.rstrip()):
        body = body.removeprefix(mark.rstrip()).lstrip()
    return f"{signature}{mark}{body}".rstrip()


# -- what an editor should hear ----------------------------------------------------------------------------
SMS_SEGMENTS = 3
SPOKEN_LIMIT = {"zh": 20, "en": 16}
_SENTENCE_END = {"zh": re.compile(r"[。！？]"), "en": re.compile(r"[.!?](?:\s|$)")}
_UNSPEAKABLE = re.compile(r"[0-9０-９()（）\[\]【】/\\*#%+&<>=~·℃|_@$]")


def check(hazard: Hazard, facts: Facts) -> Iterator[tuple[str, str]]:
    """What is wrong with the finished words of `hazard` for these facts, as (keys, what is wrong): text
    messages that are too long, and texts that a horn cannot say. Structure is checked when the content is
    read."""
    for tier in hazard.tiers:
        for kind, before in (
            (ALERT, None),
            (UPDATE, None),
            (UPDATE, "red"),
            (UPDATE, "blue"),
            (CANCEL, None),
        ):
            for language in ("zh", "en"):
                words = render(hazard, tier, kind, language, replace(facts, previous_tier=before))
                where = f"{tier}.{kind if before in (None, tier) else f'{kind} from {before}'}.{language}"
                yield from ((f"{where}.sms", wrong) for wrong in _sms_problems(words["sms"], language))
                yield from ((f"{where}.speaker", wrong) for wrong in _speaker_problems(words["speaker"], language))


def _sms_problems(text: str, language: str) -> Iterator[str]:
    size = segments.count(text)
    if size.segments > SMS_SEGMENTS:
        yield f"takes {size.segments} segments; at most {SMS_SEGMENTS} should be needed: shorten action"
    if language != "zh" and (odd := segments.first_non_gsm(text)):
        yield f"{odd!r} is no GSM-7 character and halves the length of a segment: write it otherwise"


def _speaker_problems(text: str, language: str) -> Iterator[str]:
    if odd := _UNSPEAKABLE.search(text):
        yield f"{odd.group()!r} cannot be spoken: write it in words"
    for sentence in filter(None, (s.strip() for s in _SENTENCE_END[language].split(text))):
        length = len(sentence) if language == "zh" else len(sentence.split())
        if length > SPOKEN_LIMIT[language]:
            limit = SPOKEN_LIMIT[language]
            yield f"“{sentence}” is too long to follow by ear ({length}; at most {limit}): make two of it"
