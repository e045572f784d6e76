"""What JavaScript does not know of characters: so that a phone finds two short texts the same exactly where the portal does.

See :func:`portal.training.content.normal.normal`. Phones that are old enough to have no classes of characters in their
expressions get the classes as ranges, and the letters whose case is folded otherwise than JavaScript lowers it.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TypedDict


class Tables(TypedDict):
    """`strip`: first and last code points of ranges that count nothing, one after the other; `fold`: character → its folded
    form, where that is not its small letter."""

    strip: list[int]
    fold: dict[str, str]


@cache
def tables() -> Tables:
    strip, fold = list[int](), dict[str, str]()
    category, open_ = unicodedata.category, False
    for point in range(sys.maxunicode + 1):
        char = chr(point)
        kind = category(char)[0]
        if (kind in "PZC") != open_:
            strip.append(point - 1 if open_ else point)
            open_ = not open_
        if kind not in "PZC" and (folded := char.casefold()) != char.lower():
            fold[char] = folded
    if open_:
        strip.append(sys.maxunicode)
    return {"strip": strip, "fold": fold}
