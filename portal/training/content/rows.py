"""An entry of a question: an option, a step, a pair, an area, a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """`shared` must be the same in both languages, `texts` are the words of one. `lines`: where the ways of a node stand."""

    line: int
    shared: tuple[Any, ...]
    texts: tuple[str, ...]
    lines: tuple[int, ...] = ()


def same(words: str) -> str:
    """What two entries have in common that say the same in other spacing."""
    return "".join(words.split()).casefold()
