"""How long a text message is for the network: its encoding and its segments (3GPP TS 23.038, 23.040).

A text of GSM-7 characters only has 160 units in one segment and 153 in each of several (a header takes 7);
anything else is sent as UCS-2 with 70 and 67. A character of two units is never cut: the unit that is left
over at the end of a segment stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass

GSM_7, UCS_2 = "GSM-7", "UCS-2"

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # an escape and a character: two units
_LIMITS = {GSM_7: (160, 153), UCS_2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (GSM-7) or 16-bit units (UCS-2); `left` are those still free in the last segment."""

    encoding: str
    units: int
    segments: int
    per_segment: int
    left: int


def first_non_gsm(text: str) -> str | None:
    """The first character that makes the whole text UCS-2; None when all of it is GSM-7."""
    return next((c for c in text if c not in _BASIC and c not in _EXTENSION), None)


def count(text: str) -> Segments:
    """Encoding, units and segments of `text`. An empty text has no segments."""
    encoding = GSM_7 if first_non_gsm(text) is None else UCS_2
    sizes = [_size(character, encoding) for character in text]
    alone, joined = _LIMITS[encoding]
    units = sum(sizes)
    if units <= alone:
        return Segments(encoding, units, 1 if units else 0, alone, alone - units)
    segments, used = 1, 0
    for size in sizes:
        if used + size > joined:
            segments, used = segments + 1, 0
        used += size
    return Segments(encoding, units, segments, joined, joined - used)


def _size(character: str, encoding: str) -> int:
    if encoding == GSM_7:
        return 2 if character in _EXTENSION else 1
    return 2 if character > "\uffff" else 1
