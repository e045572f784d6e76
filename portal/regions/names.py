"""A region's name in the forms in which it is compared, and what people add to a name to say what kind of place it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from portal.regions import sounds
from portal.regions.search import folded, initials
from portal.regions.snapshot import Node

#: What follows a name, by the level that it tells; the longest first.
ZH_SUFFIXES = {
    "community": ("社区居民委员会", "居民委员会", "村民委员会", "社区居委会", "居委会", "村委会", "社区", "村"),
    "street": ("街道办事处", "街道办", "街道", "街", "镇", "乡"),
    "district": ("新区", "区", "县"),
    "city": ("市",),
    "province": ("省",),
}
LATIN_SUFFIXES = {
    "community": ("residentialcommunity", "community", "village", "shequ", "cun"),
    "street": ("subdistrict", "subdistrictoffice", "street", "town", "jiedao", "zhen"),
    "district": ("district", "county", "qu"),
    "city": ("city", "shi"),
    "province": ("province", "sheng"),
}
_TONE = re.compile(r"(?<=[a-zü:v])[0-5]")
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Spelling:
    """The forms of one name; `…_short` without the kind of place. `syllables` are empty where the tree tells no pinyin that fits
    the characters."""

    zh: str
    zh_short: str
    en: str
    en_short: str
    pinyin: str
    pinyin_short: str
    syllables: tuple[str, ...]
    syllables_short: tuple[str, ...]
    initials: str

    @staticmethod
    def of(node: Node) -> Spelling:
        zh, en = sounds.simplified(folded(node.name_zh)), sounds.letters(node.name_en)
        zh_short = _without(zh, ZH_SUFFIXES[node.level])
        syllables = tuple(map(sounds.letters, node.pinyin.replace("'", " ").split()))
        if len(syllables) != len(zh):
            syllables = ()
        short = syllables[: len(zh_short)]
        pinyin = sounds.letters(node.pinyin)
        return Spelling(zh, zh_short, en, _without(en, LATIN_SUFFIXES[node.level]), pinyin, "".join(short) or pinyin, syllables,
                        short, initials(" ".join(short)))


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return name


def typed_zh(plain: str) -> list[tuple[str, str]]:
    """What was typed as it is, and without each kind of place that it may end with: (name, the level told, or none)."""
    return list(_typed(plain, ZH_SUFFIXES))


def shortened_letters(letters: str) -> list[tuple[str, str]]:
    """As :func:`typed_zh`, of letters."""
    return list(_typed(letters, LATIN_SUFFIXES))


def _typed(text: str, suffixes: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    yield text, ""
    for level, some in suffixes.items():
        if (short := _without(text, some)) != text:
            yield short, level


def typed_latin(text: str) -> tuple[str, list[str]]:
    """What was typed in letters, joined, and its words; without the tones that some write as digits."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    whole = sounds.letters(_TONE.sub("", plain))
    words = [sounds.letters(word) for word in plain.replace("'", "").split()]
    return whole, [part for word in words for part in _WORD.findall(word)]
