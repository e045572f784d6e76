"""Reading a text from a telephone: which word it begins with, and what follows.

Simplified or traditional, wide or narrow letters, large or small, with spaces or without: what people write is brought to one
form first. A text that asks to leave anywhere in a few words is taken for that: nobody has to know the right word to be left
in peace.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from portal.regions import match, sounds
from portal.subscribers.texts.commands import COMMANDS, EN, ZH, Command, Word

#: Signs of a text that are read: what follows is no order.
MOST = 200
_QUOTES = "\"'“”‘’「」『』【】[]()（）<>《》#*_~ \t\r\n.。,，!！;；:：、"
_POLITE = re.compile(r"(?:请问?|我想要?|我要|帮我|麻烦|(?:please|pls|i want to|to)(?![a-z0-9]))\s*(?=.)")
_BEFORE = re.compile(r"^(?:to|for|in|at|from|warnings for)\s+")
_GAP = r"[\s:：,，.。+＋、\-—=]*"
_LEAVES = re.compile(r"(?<!不要)(?<!别)(?<!不)"
                     r"(退订|取消订阅|停止发送|(别|不要)再发(?!生)|不想再收|unsubscribe|\bno more (texts|messages))")
_SHORT = 30
_FEWEST_GLUED = 3  # letters of a word to which a place may be glued: subkengzi


def plain(body: str) -> str:
    """The text in the one form in which it is read."""
    text = unicodedata.normalize("NFKC", body[:MOST]).casefold()
    text = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    return sounds.simplified(text).strip(_QUOTES)


def read(body: str) -> tuple[Command | None, Word | None, str]:
    """The command, the word for it, and what follows. No command: none of the words begins the text; all of it follows."""
    text = plain(body)
    if not text:
        return (COMMANDS.get("help"), None, "") if body.strip() else (None, None, "")
    while (cut := _POLITE.match(text)) and cut.end() < len(text):
        text = text[cut.end():]
    for command, word, pattern in _patterns(tuple(COMMANDS.values())):
        if found := pattern.match(text):
            return command, word, _BEFORE.sub("", found.group(1).strip(_QUOTES))
    if len(text) <= _SHORT and _LEAVES.search(text):
        return COMMANDS.get("leave"), None, ""
    return _glued(text) or (None, None, text)


def language_of(body: str, word: Word | None) -> str | None:
    """The language that a text is written in; None where it does not tell."""
    text = plain(body)
    if any(map(sounds.is_han, text)):
        return ZH
    if word is not None:
        return word.language
    return EN if any("a" <= char <= "z" for char in text) else None


def _glued(text: str) -> tuple[Command, Word, str] | None:
    """A word in letters with a place right behind it, such as subkengzi."""
    for command, word in _longest(COMMANDS.values()):
        rest = text[len(word.text):]
        if (command.takes_place and word.text.isascii() and not word.alone and len(word.text) >= _FEWEST_GLUED
                and text.startswith(word.text) and rest
                and any(found.how in (match.NAME, match.PINYIN, match.CODE) for found in match.find(rest))):
            return command, word, rest
    return None


@lru_cache(maxsize=8)
def _patterns(commands: tuple[Command, ...]) -> tuple[tuple[Command, Word, re.Pattern[str]], ...]:
    return tuple((command, word, re.compile(_pattern(word), re.DOTALL)) for command, word in _longest(commands))


def _pattern(word: Word) -> str:
    if word.text.isascii():
        letters = r"\s*".join(map(re.escape, word.text)) if len(word.text) > 2 else re.escape(word.text)
        start = f"{letters}(?![a-z0-9])"
    else:
        start = r"\s*".join(map(re.escape, word.text))
    return rf"{start}{_GAP}()\Z" if word.alone else rf"{start}{_GAP}(.*)\Z"


def _longest(commands: Iterable[Command]) -> Iterator[tuple[Command, Word]]:
    return iter(sorted(((c, w) for c in commands for w in c.words), key=lambda pair: -len(pair[1].text)))
