"""Places and times as people write and say them, in Chinese and English.

A horn cannot be trusted with digits: one voice reads 15 as "yi wu", another as "fifteen" in the middle of a
Chinese sentence. So whatever is spoken is written in words here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

_ZH = "零一二三四五六七八九"
_EN = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    "twenty": "twentieth",
    "thirty": "thirtieth",
}
MONTHS_EN = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_BRACKETS = re.compile(r"\s*[（(【\[][^）)】\]]*[）)】\]]")

#: What a list of places of one kind is counted in, by the end of their Chinese names.
_UNITS = (
    ("街道", "街道", "subdistricts"),
    ("社区", "社区", "communities"),
    ("镇", "镇", "towns"),
    ("村", "村", "villages"),
)
_MIXED = ("区域", "areas")
#: How many places are named, by channel: a page may list them, a text message and a horn must come to the
#: point.
NAMED = {"headline": 3, "description": 12, "instruction": 3, "sms": 3, "speaker": 2}
#: Where the places must be short: characters, or for English that is spoken, words. A horn's sentence stays
#: under twenty characters with what stands around the places; a headline is cut by others beyond 160.
_SHORT = {"speaker": {"zh": 14, "en": 9}, "headline": {"zh": 60, "en": 75}}


def areas(names: Sequence[tuple[str, str]], language: str, channel: str) -> str:
    """`names` as pairs (Chinese, English), joined; a long list is cut to its first names and a count of
    all."""
    if not names:
        return "划定区域" if language == "zh" else "the marked area"
    limit, spoken = NAMED[channel], channel == "speaker"
    own = [zh if language == "zh" else en for zh, en in names]
    if spoken:
        own = [aloud(name) for name in own]
    shown = len(own) if len(own) <= limit else min(2, limit)
    while (
        shown > 1
        and channel in _SHORT
        and _too_long(_cut(names, own, shown, language, spoken=spoken), language, channel)
    ):
        shown -= 1
    if channel in _SHORT and _too_long(_cut(names, own, shown, language, spoken=spoken), language, channel):
        own.sort(key=len)  # the shortest name stands for the rest
    return _cut(names, own, shown, language, spoken=spoken)


def _cut(
    names: Sequence[tuple[str, str]], own: Sequence[str], shown: int, language: str, *, spoken: bool
) -> str:
    rest = len(own) - shown
    if language == "zh":
        text = "、".join(own[:shown])
        if not rest:
            return text
        count = len(own) if not spoken else "两" if len(own) == 2 else chinese_number(len(own))
        return f"{text}等{count}个{_unit(names)[0]}"
    if not rest:
        return own[0] if len(own) == 1 else f"{', '.join(own[:-1])} and {own[-1]}"
    if rest == 1:
        return f"{', '.join(own[:shown])} and one other area"
    return f"{', '.join(own[:shown])} and {english_number(rest) if spoken else rest} other {_unit(names)[1]}"


def _too_long(text: str, language: str, channel: str) -> bool:
    spoken_english = channel == "speaker" and language != "zh"
    return len(text.split() if spoken_english else text) > _SHORT[channel][language]


def _unit(names: Sequence[tuple[str, str]]) -> tuple[str, str]:
    for ending, zh, en in _UNITS:
        if all(name.endswith(ending) for name, _english in names):
            return zh, en
    return _MIXED


def written(moment: datetime | None, language: str, *, year: bool) -> str:
    """A local time on a page or in a text message; None is the moment of issue."""
    if moment is None:
        return "即时" if language == "zh" else "now"
    if language == "zh":
        minute = f"{moment.minute}分" if moment.minute else ""
        return f"{f'{moment.year}年' if year else ''}{moment.month}月{moment.day}日{moment.hour}时{minute}"
    day = f"{moment.day} {MONTHS_EN[moment.month - 1] if year else MONTHS_EN[moment.month - 1][:3]}"
    return f"{moment:%H:%M} on {day} {moment.year}" if year else f"{moment:%H:%M} {day}"


def spoken(moment: datetime | None, language: str) -> str:
    """A local time as a horn says it. The month is left out: no warning lasts that long."""
    if moment is None:
        return "即时" if language == "zh" else "now"
    if language == "zh":
        return f"{chinese_number(moment.day)}日{_chinese_clock(moment.hour, moment.minute)}"
    return f"{_english_clock(moment.hour, moment.minute)} on the {english_ordinal(moment.day)}"


def _chinese_clock(hour: int, minute: int) -> str:
    said = "两" if hour == 2 else chinese_number(hour)
    if minute == 0:
        return f"{said}点整"
    return f"{said}点{'零' if minute < 10 else ''}{chinese_number(minute)}分"


def _english_clock(hour: int, minute: int) -> str:
    if minute == 0 and hour in (0, 12):
        return "twelve noon" if hour else "twelve midnight at the start of the day"
    part = (
        "after midnight"
        if hour == 0
        else "in the morning"
        if hour < 12
        else "in the afternoon"
        if hour < 18
        else "in the evening"
    )
    oh = "oh " if 0 < minute < 10 else ""
    return f"{english_number(hour % 12 or 12)} {f'{oh}{english_number(minute)} ' if minute else ''}{part}"


def chinese_number(number: int) -> str:
    """0 to 9999 in Chinese words: 十五, 二十, 一百零五."""
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is not between 0 and 9999")
    if number < 10:
        return _ZH[number]
    text, gap = "", False
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            text += ("零" if gap and text else "") + _ZH[digit] + unit
        gap = not digit
    return text[1:] if 10 <= number < 20 else text


def english_number(number: int) -> str:
    """0 to 9999 in English words, with spaces only: "one hundred and five", "twenty two"."""
    if not 0 <= number <= 9999:
        raise ValueError(f"{number} is not between 0 and 9999")
    if number < 20:
        return _EN[number]
    if number < 100:
        return _EN_TENS[number // 10] + (f" {_EN[number % 10]}" if number % 10 else "")
    size, unit = (1000, "thousand") if number >= 1000 else (100, "hundred")
    rest = number % size
    link = "" if not rest else " and " if rest < 100 else " "
    return f"{english_number(number // size)} {unit}{link}{english_number(rest) if rest else ''}"


def english_ordinal(number: int) -> str:
    """The days of a month: "first", "twenty second"."""
    *head, last = english_number(number).split(" ")
    return " ".join([*head, _EN_ORDINALS.get(last, last + "th")])


def aloud(name: str) -> str:
    """A name without what stands in brackets in it: 坪山区应急管理局（演示） is said without the last
    word."""
    return _BRACKETS.sub("", name).strip() or name
