"""Names on paper: which font has which character, and what stands where none has.

Noto Sans SC has the characters of everyday names and some 220 of the extensions (U+20000 and beyond); tens of thousands it lacks.
The operator may give a second font for those. What neither has is printed as 〓, the printers' sign for a character that the
type case lacks, with the code point under the name: the certificate is granted and valid, its credential vouches for the true
name, and the desk is told, so that somebody writes the character in.
"""

from __future__ import annotations

import logging
import unicodedata
from dataclasses import dataclass

from portal.web import fonts

log = logging.getLogger(__name__)

MISSING = "〓"
#: Signs without a shape of their own, as variants are asked for with.
_SHAPELESS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x200C, 0x200D}


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be drawn: pieces of (font, text), and the characters of which 〓 stands for each."""

    pieces: tuple[tuple[str, str], ...]
    lacking: tuple[str, ...]

    def width(self, size: float) -> float:
        return sum(fonts.width(text, font, size) for font, text in self.pieces)

    @property
    def note(self) -> str:
        """``〓 = U+20BB7``, or nothing."""
        return f"{MISSING} = {fonts.named(self.lacking)}" if self.lacking else ""


def line(text: str, font: str = fonts.BOLD, rare: str = "") -> Line:
    """`text` in `font`, with characters that it lacks from the font file `rare`, where that is given."""
    fonts.ready()
    second = _second(rare)
    pieces: list[tuple[str, str]] = []
    lacking: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        if ord(character) in _SHAPELESS:
            continue
        chosen, drawn = font, character
        if not fonts.has(character, font):
            if second and fonts.has(character, second):
                chosen = second
            else:
                drawn = MISSING
                lacking.append(character)
        if pieces and pieces[-1][0] == chosen:
            pieces[-1] = (chosen, pieces[-1][1] + drawn)
        else:
            pieces.append((chosen, drawn))
    return Line(tuple(pieces), tuple(dict.fromkeys(lacking)))


def lacking(text: str, rare: str = "") -> tuple[str, ...]:
    """The characters of a name that would be printed as 〓."""
    return line(text, rare=rare).lacking


def _second(path: str) -> str:
    if not path:
        return ""
    try:
        return fonts.another(path)
    except (OSError, ValueError) as error:  # a certificate with 〓 is better than none
        log.error("the font for rare characters cannot be used: %s", error)
        return ""
