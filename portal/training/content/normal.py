"""When two short texts count as the same."""

from __future__ import annotations

import unicodedata


def normal(text: str) -> str:
    """`text` without case, spaces, punctuation and width: “ＡＥＤ 机。” and “aed机” are the same."""
    for _round in range(4):  # without a space between them, two characters may become one
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "PZC")
