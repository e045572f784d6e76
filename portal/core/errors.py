"""What rules say when they refuse: always which field, and in words that tell how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `field` is a dotted name as in the form (``words.zh.sms``), or empty for the whole;
    `message` is a lazy translated string."""

    field: str
    message: Any


class Invalid(Exception):
    """The input cannot be taken; nothing was changed."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{p.field}: {p.message}" for p in self.problems))

    @classmethod
    def one(cls, field: str, message: Any) -> Invalid:
        return cls([Problem(field, message)])


class Forbidden(Exception):
    """The account may not do this; `message` (lazy) says which duty is missing."""

    def __init__(self, message: Any) -> None:
        self.message = message
        super().__init__(str(message))


class Conflict(Exception):
    """Somebody else was quicker, or the thing is no longer in the state that was seen; `message` is lazy."""

    def __init__(self, message: Any) -> None:
        self.message = message
        super().__init__(str(message))
