"""Text cut into what is searched for: pairs of neighbouring Chinese characters, and English words.

`static/search.js` does the same on the phone; a test holds the two together. Folding keeps every character in its place, so that
what was found can be marked in the text as it was written.
"""

from __future__ import annotations

import re

#: Characters of a question that are read, and its words.
LONGEST, MOST_RUNS = 60, 8
_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_CHINESE}]+|[a-z0-9]+")
_IS_CHINESE = re.compile(rf"[{_CHINESE}]")
#: What people write around the thing that they look for.
_AROUND = re.compile("怎么办|怎么做|怎么|怎样|如何|什么|哪里|哪儿|哪些|应该|请问|的时候|时候|[吗呢么了的]")
_SMALL = frozenset(["a", "an", "the", "of", "in", "on", "at", "to", "for", "and", "or", "is", "are", "do", "does", "i", "my",
                    "we", "me", "what", "how", "when", "where", "should", "can", "if", "with", "during", "after", "before"])


def fold(text: str) -> str:
    """Small letters, half-width; as many characters as before."""
    return "".join(_fold(c) for c in text)


def _fold(character: str) -> str:
    point = ord(character)
    if 0xFF01 <= point <= 0xFF5E:
        character = chr(point - 0xFEE0)
    lower = character.lower()
    return lower if len(lower) == 1 else character


def is_chinese(run: str) -> bool:
    return _IS_CHINESE.match(run) is not None


def runs(folded: str) -> list[str]:
    """Stretches of Chinese, and words."""
    return _RUN.findall(folded)


def grams(run: str) -> list[str]:
    """Pairs of a Chinese stretch (one character: itself); a word is one."""
    if not is_chinese(run) or len(run) == 1:
        return [run]
    return [run[n:n + 2] for n in range(len(run) - 1)]


def stem(word: str) -> str:
    """A word without the s of a plural."""
    return word.removesuffix("s") if len(word) > 3 else word


def asked(query: str) -> list[str]:
    """What a question asks for: its words without those that only surround it; where nothing else is left, all of them."""
    folded = fold(query[:LONGEST])
    found = [run for run in runs(_AROUND.sub(" ", folded)) if run not in _SMALL]
    return list(dict.fromkeys(found or runs(folded)))[:MOST_RUNS]
