"""The typeface of all paper and of certificates: Noto Sans SC, which the product ships, read once per process, embedded in part.

A character that it lacks is drawn as □ and told of, never dropped in silence.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.pdfbase.ttfonts import TTFont

from portal.web import STATIC

REGULAR, BOLD = "Anlan", "Anlan-Bold"
_FILES = {REGULAR: "NotoSansSC_400Regular.ttf", BOLD: "NotoSansSC_700Bold.ttf"}
_FOLDER: Path = STATIC / "vendor" / "noto-sans-sc"
MISSING_SIGN = "□"
#: Signs without a shape of their own: they ask for a variant, join, or mark a direction.
_SHAPELESS = {*range(0xFE00, 0xFE10), *range(0x200B, 0x2010), 0x2060, 0xFEFF, *range(0xE0100, 0xE01F0)}
_guard = threading.Lock()


def ready() -> None:
    """Register both weights; some 0.2 s for each, the first time. Raises OSError when the font is not there: `make setup`."""
    with _guard:
        ttfonts.makeToUnicodeCMap = _to_unicode
        known = set(pdfmetrics.getRegisteredFontNames())
        for name, file in _FILES.items():
            if name not in known:
                pdfmetrics.registerFont(TTFont(name, str(_FOLDER / file)))


def another(path: str) -> str:
    """Register one more TrueType font; its name. Raises OSError where the file is not there, ValueError where it is none."""
    ready()
    name = f"Anlan-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    with _guard:
        if name not in pdfmetrics.getRegisteredFontNames():
            try:
                font = TTFont(name, path)
                font.face.name = name.encode()  # the library takes two fonts whose faces have one name for one font
                pdfmetrics.registerFont(font)
            except ttfonts.TTFError as error:
                raise ValueError(f"{path} is no TrueType font: {error}") from error
    return name


def _to_unicode(name: str, subset: Sequence[int]) -> str:
    """What a reader copies and searches. The library writes characters beyond U+FFFF as one number of five digits, where the
    format wants UTF-16, so that rare names could be read and not found."""
    rows = [f"<{at:02X}> <{chr(point).encode('utf-16-be', 'replace').hex().upper()}>" for at, point in enumerate(subset)]
    blocks = [rows[at:at + 100] for at in range(0, len(rows), 100)]
    return "\n".join([
        "/CIDInit /ProcSet findresource begin", "12 dict begin", "begincmap",
        f"/CIDSystemInfo << /Registry ({name}) /Ordering ({name}) /Supplement 0 >> def",
        f"/CMapName /{name} def", "/CMapType 2 def",
        "1 begincodespacerange", f"<00> <{len(subset) - 1:02X}>", "endcodespacerange",
        *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
        "endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"])


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    ready()
    both = [set(pdfmetrics.getFont(name).face.charToGlyph) for name in _FILES]
    return frozenset(both[0] & both[1])


def has(character: str, font: str) -> bool:
    """Whether a registered font has a shape for it."""
    return ord(character) in pdfmetrics.getFont(font).face.charToGlyph


def printable(text: str) -> tuple[str, list[str]]:
    """The text as it can be drawn, and the characters that had to be replaced by □, each once."""
    known, lacking, drawn = _glyphs(), [], []
    for character in text:
        point = ord(character)
        if point in _SHAPELESS:
            continue
        if character in "\n\t\r\u2028\u2029" or point < 0x20:
            drawn.append(" ")
        elif point in known:
            drawn.append(character)
        else:
            drawn.append(MISSING_SIGN)
            if character not in lacking:
                lacking.append(character)
    return "".join(drawn), lacking


@lru_cache(maxsize=60_000)
def _advance(character: str, font: str) -> float:
    ready()
    return pdfmetrics.stringWidth(character, font, 1000) / 1000


def width(text: str, font: str, size: float) -> float:
    """Points that a text takes. Every character has its own advance; the font is set without kerning."""
    return size * sum(_advance(c, font) for c in text)


def named(characters: Iterable[str]) -> str:
    """Characters by their code points: `U+20BB7`, for messages that may not be able to show them either."""
    return ", ".join(f"U+{ord(c):04X}" for c in characters)
