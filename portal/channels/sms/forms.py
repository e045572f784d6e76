"""The form of a carrier's call, read from its body: `application/x-www-form-urlencoded` and nothing else."""

from __future__ import annotations

from urllib.parse import unquote_plus

#: Fields of a call; Twilio's longest have about forty.
MOST_FIELDS = 200


class Form(dict[str, str]):
    """Name → first value. `pairs`: all names and values in their order, which a signature covers."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__(reversed(pairs))
        self.pairs = pairs


def read(body: bytes) -> Form:
    """The form. Of more than MOST_FIELDS fields none is read; what is not UTF-8 becomes U+FFFD, which no signature covers."""
    text = body.decode("utf-8", "replace")
    parts = text.split("&") if text else []
    if len(parts) > MOST_FIELDS:
        return Form([])
    coded = "%" in text or "+" in text
    pairs = []
    for part in parts:
        if part:
            name, _equals, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)) if coded else (name, value))
    return Form(pairs)
