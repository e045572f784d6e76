"""Which place a person means who types its name on a telephone: by code, by name in simplified or traditional characters, by
pinyin with or without tones and spaces, by characters that sound alike, inside an address, or with one slip.

What is found is of one kind, the surest that finds anything. Where that leaves more than one place, or only a likeness, whoever
asked has to ask back: :func:`the_one` tells the two apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from flask import current_app

from portal.regions import codes, sounds
from portal.regions.names import ZH_SUFFIXES, Spelling, shortened_letters, typed_latin, typed_zh
from portal.regions.search import folded
from portal.regions.snapshot import Node, Snapshot, current

#: How a place was found.
CODE, NAME, PINYIN, INSIDE, SOUND, SLIP, BEGINNING = "code", "name", "pinyin", "inside", "sound", "slip", "beginning"
#: Of equal names on several levels the street comes first: larger than a community of that name, and not the whole district.
_LEVELS = {level: place for place, level in enumerate(("street", "community", "district", "city", "province"))}
_ROADS = ("大道", "路", "街", "道", "巷", "站")
_LONGEST_NAME, _LONGEST_WORDS = 30, 12
MAX_TEXT = 160  # as long as the longest name, or an address
_FEWEST_LETTERS = 4  # of a word in which one slip is looked for


@dataclass(frozen=True, slots=True)
class Match:
    """A place that may be meant. `how` is one of the words above; `sure` is false for a likeness, about which to ask."""

    code: str
    name_zh: str
    name_en: str
    how: str
    sure: bool = True

    def name(self, language: str) -> str:
        return self.name_zh if language == "zh" else self.name_en


def find(text: str, limit: int = 5) -> list[Match]:
    """The places that `text` may mean, the likeliest first; none when it is like none."""
    typed = text[:MAX_TEXT]
    wanted = folded(typed)
    if not wanted:
        return []
    known = _names(current())
    kinds: Sequence[Callable[[], list[Match]]]
    if any(map(sounds.is_han, wanted)):
        plain = sounds.simplified(wanted)
        kinds = (lambda: known.by_name(plain), lambda: known.in_address(plain), lambda: known.by_sound(plain),
                 lambda: known.by_han_slip(plain), lambda: known.beginning(plain))
    else:
        letters, words = typed_latin(typed)
        kinds = (lambda: known.by_code(wanted), lambda: known.by_letters(letters), lambda: known.among(words),
                 lambda: known.by_likeness(letters), lambda: known.by_letter_slip(letters), lambda: known.beginning(letters))
    for kind in kinds:
        if found := kind():
            return _sorted(found)[:limit]
    return []


def the_one(matches: Sequence[Match]) -> Match | None:
    """The place that is meant; None where one has to ask. Where a street and a community in it have one name, it is the street:
    whoever names it hears of all of it, and can ask for less."""
    sure = [match for match in matches if match.sure]
    if not sure or len(sure) < len(matches):
        return None
    first = sure[0]
    nested = all(codes.contains(first.code, m.code) or codes.contains(m.code, first.code) for m in sure)
    return first if nested else None


def _sorted(found: Iterable[Match]) -> list[Match]:
    once = {match.code: match for match in reversed(list(found))}
    return sorted(once.values(), key=lambda m: (not m.sure, _LEVELS[codes.level_of(m.code)], m.code))


def _names(snapshot: Snapshot) -> Names:
    """The names of this tree; made once for each of its states."""
    kept: tuple[object, Names] | None = current_app.extensions.get("region_names")
    if kept is None or kept[0] != snapshot.token:
        kept = current_app.extensions["region_names"] = (snapshot.token, Names(snapshot))
    return kept[1]


class Names:
    """All names of a tree, by everything that may be typed for them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._nodes = snapshot.nodes
        self._spelled = [(node, Spelling.of(node)) for node in snapshot.nodes.values()]
        self._zh: dict[str, list[Node]] = {}
        self._zh_short: dict[str, list[Node]] = {}
        self._latin: dict[str, list[Node]] = {}
        self._latin_short: dict[str, list[Node]] = {}
        self._sound: dict[str, list[Node]] = {}
        self._like: dict[str, list[Node]] = {}
        self._alike: dict[str, list[Node]] = {}
        self._alike_short: dict[str, list[Node]] = {}
        for node, spelled in self._spelled:
            self._zh.setdefault(spelled.zh, []).append(node)
            self._zh_short.setdefault(spelled.zh_short, []).append(node)
            for whole in {spelled.en, spelled.pinyin}:
                self._latin.setdefault(whole, []).append(node)
            for short in {spelled.en_short, spelled.pinyin_short}:
                self._latin_short.setdefault(short, []).append(node)
            self._alike.setdefault(sounds.alike_letters(spelled.pinyin), []).append(node)
            if len(short := sounds.alike_letters(spelled.pinyin_short)) > 2:
                self._alike_short.setdefault(short, []).append(node)
            for syllables in (spelled.syllables, spelled.syllables_short):
                if syllables:
                    self._sound.setdefault("".join(syllables), []).append(node)
                    self._like.setdefault("".join(map(sounds.alike, syllables)), []).append(node)

    def by_code(self, digits: str) -> list[Match]:
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 12 or len(digits) < 2:
            return []
        node = self._nodes.get(digits.ljust(12, "0"))
        return _matches([node] if node else [], CODE)

    # -- characters --------------------------------------------------------------------------------------------------------
    def by_name(self, plain: str) -> list[Match]:
        """The very name, or the name without what kind of place it is."""
        if whole := self._zh.get(plain):
            return _matches(whole, NAME)
        return self._typed(typed_zh(plain), self._zh_short, NAME)

    def in_address(self, plain: str) -> list[Match]:
        """The lowest places that the words name, such as 坑梓街道秀新社区人民路 12 号. Sure when one is named with its kind, or
        the words are nothing but names."""
        spans = self._spans(plain)
        named = {node.code for _start, _end, nodes, whole in spans if whole for node in nodes}
        only = sum(end - start for start, end, _nodes, _whole in spans) == len(plain)
        lowest = _lowest([nodes for _start, _end, nodes, _whole in spans])
        return [replace(m, sure=only or m.code in named) for m in _matches(lowest, INSIDE)]

    def _spans(self, plain: str) -> list[tuple[int, int, list[Node], bool]]:
        """Names in the words from left to right, the longest first, none over another: (from, to, places, with its kind)."""
        spans, start = [], 0
        while start < len(plain) - 1:
            for end in range(min(len(plain), start + _LONGEST_NAME), start + 1, -1):
                part = plain[start:end]
                if whole := self._zh.get(part):
                    spans.append((start, end, whole, True))
                    break
                kind = next((kind for kind in _ROADS if plain.startswith(kind, end)), "")
                if (short := self._zh_short.get(part)) and (not kind or plain.startswith(ZH_SUFFIXES["street"], end)):
                    spans.append((start, end, short, False))
                    break
            else:
                end = start + 1
            start = end
        return spans

    def by_sound(self, plain: str) -> list[Match]:
        """Characters that sound like a name: as said, then as said in the south (z and zh, n and l, in and ing as one)."""
        for table, change in ((self._sound, str), (self._like, sounds.alike)):
            found = []
            for part, level in typed_zh(plain):
                for said in _said(part, change):
                    found += self._of_level(table.get(said, []), level, SOUND)
            if found:
                return found
        return []

    def by_han_slip(self, plain: str) -> list[Match]:
        """One character wrong, missing, too many, or two exchanged. Of a name of two signs that leaves one: a likeness."""
        found = []
        for part, level in typed_zh(plain):
            if len(part) > 1:
                near = [n for name, nodes in self._zh_short.items() if len(name) > 1 and one_slip(part, name) for n in nodes]
                found += [replace(m, sure=m.sure and len(part) > 3) for m in self._of_level(near, level, SLIP)]
        return found

    # -- letters -----------------------------------------------------------------------------------------------------------
    def by_letters(self, letters: str) -> list[Match]:
        if whole := self._latin.get(letters):
            return _matches(whole, PINYIN)
        return self._typed(shortened_letters(letters), self._latin_short, PINYIN)

    def among(self, words: Sequence[str]) -> list[Match]:
        """Words of an address in letters, such as 12 Renmin Road, Kengzi."""
        hits, start, named = list[list[Node]](), 0, 0
        while start < len(words):
            for end in range(min(len(words), start + _LONGEST_WORDS), start, -1):
                part = "".join(words[start:end])
                if found := self._latin.get(part) or self._latin_short.get(part):
                    hits.append(found)
                    named += end - start
                    break
            else:
                end = start + 1
            start = end
        return [replace(m, sure=named == len(words)) for m in _matches(_lowest(hits), INSIDE)]

    def by_likeness(self, letters: str) -> list[Match]:
        """Letters that sound alike in the south: kenzi for Kengzi."""
        found = _matches(self._alike.get(sounds.alike_letters(letters), []), SOUND)
        for part, level in shortened_letters(letters):
            found += self._of_level(self._alike_short.get(sounds.alike_letters(part), []), level, SOUND)
        return found

    def by_letter_slip(self, letters: str) -> list[Match]:
        """One letter wrong, missing, too many, or two exchanged."""
        found = []
        for part, level in shortened_letters(letters):
            if len(part) >= _FEWEST_LETTERS:
                near = [node for name, nodes in self._latin_short.items() if one_slip(part, name) for node in nodes]
                found += self._of_level(near, level, SLIP)
        return found

    # -- both --------------------------------------------------------------------------------------------------------------
    def beginning(self, text: str) -> list[Match]:
        """The beginning of a name, or its initials, or something in it: a likeness, unless it is the beginning of one only."""
        begins = [n for n, s in self._spelled if s.zh.startswith(text) or s.pinyin.startswith(text) or s.en.startswith(text)]
        if begins and len(text) > 1:
            return [replace(m, sure=False) for m in _matches(begins, BEGINNING)]
        others = [n for n, s in self._spelled
                  if s.initials == text or (text in s.zh_short if sounds.is_han(text[0]) else len(text) > 3 and text in s.en)]
        return [replace(m, sure=False) for m in _matches(begins + others, BEGINNING)]

    def _typed(self, parts: Iterable[tuple[str, str]], table: dict[str, list[Node]], how: str) -> list[Match]:
        return [m for part, level in parts for m in self._of_level(table.get(part, []), level, how)]

    def _of_level(self, nodes: Sequence[Node], level: str, how: str) -> list[Match]:
        """Those of the level that was typed; of another one only as a likeness, where that level has none."""
        right = [n for n in nodes if not level or n.level == level]
        return _matches(right, how) if right else [replace(m, sure=False) for m in _matches(nodes, how)]


def _lowest(hits: Sequence[Sequence[Node]]) -> list[Node]:
    """Of places that are named one after the other, each name perhaps of several: those that no later name lies in, and where
    they are several, the ones whose street or district was named too."""
    every = [(place, node) for place, nodes in enumerate(hits) for node in nodes]

    def holds(one: tuple[int, Node], other: tuple[int, Node]) -> bool:
        return one[0] != other[0] and one[1] is not other[1] and codes.contains(one[1].code, other[1].code)

    lowest = [one for one in every if not any(holds(one, other) for other in every)]
    backed = [one for one in lowest if any(holds(other, one) for other in every)]
    return [node for _place, node in backed or lowest]


def _match(node: Node, how: str) -> Match:
    return Match(node.code, node.name_zh, node.name_en, how)


def _matches(nodes: Iterable[Node], how: str) -> list[Match]:
    return [_match(node, how) for node in nodes]


def _said(part: str, change: Callable[[str], str]) -> set[str]:
    """What these characters may be said as, joined; nothing where one has no sound, or they have too many."""
    readings = [sorted({change(one) for one in sounds.readings(char)}) for char in part]
    many = 1
    for choices in readings:
        many *= len(choices)
    return {"".join(one) for one in product(*readings)} if 0 < many <= 256 else set()


def one_slip(typed: str, name: str) -> bool:
    """Whether one sign wrong, missing, too many, or two neighbours exchanged lead from one to the other; not the very same."""
    if typed == name or abs(len(typed) - len(name)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(name)) and typed[start] == name[start]:
        start += 1
    one, other = typed[start:], name[start:]
    if len(one) == len(other):
        return one[1:] == other[1:] or (one[:2] == other[1::-1] and one[2:] == other[2:])
    return one[1:] == other or one == other[1:]
