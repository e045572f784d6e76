"""The words that a phone may write, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

ZH, EN = "zh", "en"


@dataclass(frozen=True, slots=True)
class Word:
    """One way to write a command. `language` is that of whoever writes it, None where both do; `alone`: only as the whole
    text."""

    text: str
    language: str | None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One text, read: whose it is (E.164 and its keyed hash), what for, what follows the word, and the language of the answer."""

    phone: str
    phone_index: bytes
    command: Command | None
    rest: str
    language: str


@dataclass(frozen=True, slots=True)
class Command:
    """`act` gives the words of the answer, in the language that is set. With `changes` it writes: it then runs within the
    transaction that its session belongs to; otherwise it only reads, outside of any. With `trail` the trail is taken before
    anything is written. `hint`: how the help names it, with the name of a place as an example."""

    key: str
    words: tuple[Word, ...]
    act: Callable[[Asked, Session], str]
    hint: Callable[[str], Any] | None = None
    changes: bool = False
    trail: bool = False
    takes_place: bool = False
    place: int = 9  # in the help, from the front


#: By key.
COMMANDS: dict[str, Command] = {}


def words(zh: str = "", en: str = "", letters: str = "", *, alone: bool = False) -> tuple[Word, ...]:
    """Words from lists with commas: in characters, in English, and in letters that Chinese and English write alike."""
    return tuple(Word(text.strip(), language, alone) for texts, language in ((zh, ZH), (en, EN), (letters, None))
                 for text in texts.split(",") if text.strip())


def register(command: Command) -> None:
    """Add a command; one that is there under its key gives way."""
    COMMANDS[command.key] = command
