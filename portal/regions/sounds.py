"""How Chinese characters are written and said: traditional as simplified, the syllables of a character, what sounds alike."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from portal.regions.search import folded


def is_han(char: str) -> bool:
    """Whether this is a Chinese character (of the planes that names are written in)."""
    return "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U0003134f"


@lru_cache(maxsize=1)
def _converter() -> Any:
    from opencc import OpenCC  # asked for by the first text that has characters: it reads tables

    return OpenCC("t2s")


@lru_cache(maxsize=4000)
def simplified(text: str) -> str:
    """`text` with simplified in place of traditional characters."""
    return _converter().convert(text)


@lru_cache(maxsize=1)
def _table() -> dict[int, str]:
    # Only the table of single characters: the one of phrases takes half a second and 50 MB, and names are not phrases.
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")
    from pypinyin.constants import PINYIN_DICT

    return PINYIN_DICT


@lru_cache(maxsize=8000)
def readings(char: str) -> frozenset[str]:
    """The syllables, without tones, that this character may be said as; none for what is no character."""
    said = _table().get(ord(char), "") if is_han(char) else ""
    return frozenset(letters(one) for one in said.split(",") if one)


def letters(syllable: str) -> str:
    """A syllable as it is compared: no tone, and ü as u, since telephones have none."""
    return folded(syllable).replace("v", "u")


_BEGINNINGS = (("zh", "z"), ("ch", "c"), ("sh", "s"), ("n", "l"), ("r", "l"), ("hu", "f"))
_SHORTENED = {"hu": "fu", "hui": "fei", "hun": "fen"}  # as spelled, beside hua and fa, huang and fang


@lru_cache(maxsize=4000)
def alike(syllable: str) -> str:
    """What a syllable sounds like in the south, where z and zh, n and l, f and hu, in and ing are often one."""
    syllable = _SHORTENED.get(syllable, syllable)
    for written, said in _BEGINNINGS:
        if syllable.startswith(written):
            syllable = said + syllable[len(written):]
            break
    return syllable[:-1] if syllable.endswith("ng") else syllable


def alike_letters(text: str) -> str:
    """As :func:`alike`, of letters without a mark where one syllable ends."""
    for written, said in (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n"), ("n", "l"), ("r", "l")):
        text = text.replace(written, said)
    return text
