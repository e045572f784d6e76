"""Breaking lines as Chinese and English do, together: between any two Chinese characters, but no line begins with a closing
mark or ends with an opening one (GB/T 15834-2011, 5.1); English words, numbers and telephone numbers stay whole."""

from __future__ import annotations

import re

from portal.web import fonts

_NEVER_FIRST = set("，。、；：？！）》」』】〕…—％%·,.;:?!)]}”’℃、～")
_NEVER_LAST = set("（《「『【〔([{“‘¥￥")
# The curly quotes are neither, and stand beside both: each alone, so that one that closes never holds one that opens.
_CHINESE = r"\u201c\u201d\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\u3000-\u303f\U00020000-\U0003ffff"
#: What stays whole: a number with its Chinese unit, one Chinese character, spaces at which a line may end (not U+00A0, which
#: holds a number to its unit), a word or its part up to a hyphen.
_PIECE = re.compile(rf"\d[\d.,]*(?:公里|分钟|米|人|级|号)|[{_CHINESE}]|[ \t]+|"
                    rf"[^ \t{_CHINESE}]+?(?<=[A-Za-z])-(?=[A-Za-z])|[^ \t{_CHINESE}]+")


def wrap(text: str, font: str, size: float, room: float, *, most: int = 0) -> list[str]:
    """The lines of a text that is `room` points wide; an English word that is wider is cut. `most` lines at the most (0: all),
    the last then ending in an ellipsis."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += _paragraph(paragraph, font, size, room)
    if most and len(lines) > most:
        kept = lines[: most - 1]
        return [*kept, shorten(" ".join(lines[most - 1 :]), font, size, room, force=True)]
    return lines


def shorten(text: str, font: str, size: float, room: float, *, force: bool = False) -> str:
    """The text on one line, cut with an ellipsis where it does not fit (or where `force` says that something follows)."""
    if not force and fonts.width(text, font, size) <= room:
        return text
    room -= fonts.width("…", font, size)
    while text and fonts.width(text, font, size) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def _paragraph(text: str, font: str, size: float, room: float) -> list[str]:
    lines: list[str] = []
    line, used = "", 0.0
    for piece in _joined(_PIECE.findall(text)):
        needs = fonts.width(piece, font, size)
        if used + fonts.width(piece.rstrip(), font, size) <= room + 0.01:
            line, used = line + piece, used + needs
            continue
        if line.strip():
            lines.append(line.strip())
        line = piece.lstrip()
        used = fonts.width(line, font, size)
        while used > room and len(line) > 1:
            at = _fitting(line, font, size, room)
            lines.append(line[:at])
            line = line[at:]
            used = fonts.width(line, font, size)
    if line.strip() or not lines:
        lines.append(line.strip())
    return lines


def _fitting(text: str, font: str, size: float, room: float) -> int:
    """How many characters of an unbreakable text fit; one at least."""
    used = 0.0
    for at, character in enumerate(text):
        used += fonts.width(character, font, size)
        if used > room:
            return max(1, at)
    return len(text)


def _joined(pieces: list[str]) -> list[str]:
    """Pieces that may not be parted from the one before or after are joined to it."""
    found: list[str] = []
    for piece in pieces:
        if found and (piece[0] in _NEVER_FIRST or found[-1][-1] in _NEVER_LAST):
            found[-1] += piece
        else:
            found.append(piece)
    return found
