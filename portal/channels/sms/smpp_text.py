"""A text as SMPP carriers take it: in the GSM alphabet where every character is in it, else in UCS-2, cut into joined parts.

The cut is that of `segments.count`, so that what was counted before approval is what is sent. GSM characters travel one per octet
(the carrier packs them), as SMPP's default alphabet is on nearly all of them.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from smpplib import consts

from portal.channels.sms import segments

#: 3GPP TS 23.038, 6.2.1: by their place; at 0x1B stands the escape.
_TABLE = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_ESCAPE = 0x1B
_ESCAPED = {"\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65}
_OCTETS = {c: bytes([i]) for i, c in enumerate(_TABLE) if i != _ESCAPE} | {
    c: bytes([_ESCAPE, i]) for c, i in _ESCAPED.items()
}
_BEHIND_ESCAPE = {i: c for c, i in _ESCAPED.items()}

GSM, ASCII, LATIN_1, UCS_2 = (
    consts.SMPP_ENCODING_DEFAULT,
    consts.SMPP_ENCODING_IA5,
    consts.SMPP_ENCODING_ISO88591,
    consts.SMPP_ENCODING_ISO10646,
)
MOST_PARTS = 255
_CONCATENATED = (0x00, 0x08)  # information elements: 8-bit and 16-bit reference


@dataclass(frozen=True, slots=True)
class Text:
    """`coding`: SMPP's data_coding. `parts`: octets of each part, without a header. `reference`: what joins the parts."""

    coding: int
    parts: tuple[bytes, ...]
    reference: int


def encode(body: str, *, only_ucs2: bool = False) -> Text:
    """The parts of `body`. Its reference comes from the words: a part that is sent again joins its fellows, and another text
    does not. Raises ValueError where it is longer than a text can be."""
    gsm = not only_ucs2 and segments.first_non_gsm(body) is None
    alone, joined = (160, 153) if gsm else (140, 134)
    pieces = [_OCTETS[c] if gsm else c.encode("utf-16-be", "replace") for c in body]
    whole = b"".join(pieces)
    reference = zlib.crc32(whole) & 0xFFFF
    parts = (whole,) if len(whole) <= alone else tuple(_cut(pieces, joined))
    if len(parts) > MOST_PARTS:
        raise ValueError("the text has more parts than can be joined")
    return Text(GSM if gsm else UCS_2, parts, reference)


def _cut(pieces: list[bytes], limit: int) -> list[bytes]:
    parts, part = [], bytearray()
    for piece in pieces:
        if len(part) + len(piece) > limit:
            parts.append(bytes(part))
            part.clear()
        part += piece
    return [*parts, bytes(part)]


def header(reference: int, total: int, number: int) -> bytes:
    """User data header of part `number` (from 1) of `total` (3GPP TS 23.040, 9.2.3.24.1)."""
    return bytes([5, 0, 3, reference & 0xFF, total, number])


def decode(coding: int, octets: bytes) -> str:
    """A text that a phone wrote; what cannot be read is left out, and a coding that nobody knows is taken for the default."""
    if coding == UCS_2:
        return octets[: len(octets) // 2 * 2].decode("utf-16-be", "ignore")
    if coding == LATIN_1:
        return octets.decode("latin-1")
    if coding == ASCII:
        return octets.decode("ascii", "ignore")
    out, behind = [], False
    for octet in octets:
        if behind:
            out.append(_BEHIND_ESCAPE.get(octet, " "))
            behind = False
        elif octet == _ESCAPE:
            behind = True
        elif octet < len(_TABLE):
            out.append(_TABLE[octet])
    return "".join(out)


def without_header(octets: bytes) -> tuple[int, bytes]:
    """(Number of the part, from 1; the text's octets) of user data that begins with a header."""
    if not octets or octets[0] + 1 > len(octets):
        return 1, octets
    number, at, end = 1, 1, octets[0] + 1
    while at + 2 <= end:
        element, length = octets[at], octets[at + 1]
        if element in _CONCATENATED and length >= 3 and at + 1 + length < end:
            number = octets[at + 1 + length]
        at += 2 + length
    return number, octets[end:]
