"""Finding a region by what a person types: digits, characters, pinyin, initials or English."""

from __future__ import annotations

import heapq
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from portal.regions.codes import LEVELS
from portal.regions.snapshot import Node

MAX_TEXT = 60


def find(text: str, nodes: Iterable[Node], language: str, limit: int) -> list[Node]:
    """The nodes that match, the closest first; at equal closeness the larger region, then by code."""
    wanted = folded(text[:MAX_TEXT])
    if not wanted:
        return []
    scored = (
        (score, LEVELS.index(n.level), n.code, n)
        for n in nodes
        if (score := _score(wanted, n, language)) is not None
    )
    return [n for *_, n in heapq.nsmallest(limit, scored)]


@lru_cache(maxsize=40_000)
def folded(text: str) -> str:
    """`text` without case, width, tones, spaces and punctuation. ü becomes v, as it is typed."""
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    out: list[str] = []
    for char in plain:
        if char == "\N{COMBINING DIAERESIS}" and out and out[-1] == "u":
            out[-1] = "v"
        elif char.isalnum():
            out.append(char)
    return "".join(out)


@lru_cache(maxsize=40_000)
def initials(pinyin: str) -> str:
    """`llsq` of ``liu lian she qu``."""
    return "".join(folded(syllable)[:1] for syllable in pinyin.replace("'", " ").split())


def _score(wanted: str, node: Node, language: str) -> tuple[int, int] | None:
    """(closeness, place of the language): 0 the very name, 1 its beginning, 2 somewhere inside; None: no
    match."""
    english, own = folded(node.name_en), folded(node.name_zh)
    first, second = (english, own) if language == "en" else (own, english)
    best: tuple[int, int] | None = None
    for place, name in enumerate((first, second, folded(node.pinyin), initials(node.pinyin), node.code)):
        if wanted == name:
            rank = 0
        elif name.startswith(wanted):
            rank = 1
        # Inside a string of initials or a code almost everything would match.
        elif place < 3 and len(wanted) > 1 - wanted.isascii() and wanted in name:
            rank = 2
        else:
            continue
        if best is None or (rank, place) < best:
            best = rank, place
    return best
