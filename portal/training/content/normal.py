"""When two short texts count as the same."""

from __future__ import annotations

import unicodedata


def normal(text: str) -> str:
    """`text` without case, spaces, punctuation and width: “ＡＥＤ 机。” and “aed机” are the same."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in unicodedata.normalize("NFKC", folded) if unicodedata.category(c)[0] not in "PZC")
