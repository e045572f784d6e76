"""What an SMPP carrier brings: receipts for messages, and texts that phones wrote (SMPP 3.4, 4.6 and appendix B).

Read by hand, since carriers are free with it: parameters that nobody knows, numbers that do not end in a zero octet, receipts
that tell their message in the words alone or in a parameter alone.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Literal

from portal.channels.sms import smpp_text
from portal.channels.sms.provider import DELIVERED, FAILED, SENT, UNDELIVERED, Receipt
from portal.core import phones

#: How a carrier writes its numbers of messages: as they are, or as a number in one of these bases.
Numbers = Literal["text", "hex", "decimal"]

_RECEIPTED_ID, _PAYLOAD, _STATE, _SAR_NUMBER = 0x001E, 0x0424, 0x0427, 0x020F
_HEADER_INDICATOR = 0x40  # esm_class
_INTERNATIONAL = 1  # type of number
_KIND, _RECEIPT, _INTERMEDIATE = 0x3C, 0x04, 0x20  # esm_class: bits of its kind
_STATES = {1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD"}
#: UNKNOWN and what carriers invent are no news: the message stays without a receipt, which is shown as such.
_MEANS = {
    "ENROUTE": SENT,
    "ACCEPTD": SENT,
    "BUFFERED": SENT,
    "DELIVRD": DELIVERED,
    "EXPIRED": UNDELIVERED,
    "DELETED": UNDELIVERED,
    "UNDELIV": UNDELIVERED,
    "REJECTD": FAILED,
}
# Each value stands alone: where one is empty, the next name is not taken for it.
_ID = re.compile(rb"\bid:\s*([^\s:]{1,64})(?!\S)", re.I)
_STAT = re.compile(rb"\bstat:\s*([A-Za-z]{1,10})(?!\S)", re.I)
_ERR = re.compile(rb"\berr:\s*([0-9A-Za-z]{1,6})(?!\S)", re.I)
_NOTHING = re.compile(rb"0*")


class Unreadable(ValueError):
    """A message of the carrier's that is none."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a phone wrote. `phone`: E.164; `part` above 1: it goes on from an earlier one."""

    phone: str
    body: str
    part: int


@dataclass(frozen=True, slots=True)
class _Fields:
    source: bytes
    source_ton: int
    esm_class: int
    coding: int
    message: bytes
    more: dict[int, bytes]


def read(body: bytes, numbers: Numbers = "text") -> Receipt | Written | None:
    """What the body of a deliver_sm says; None where it is nothing new, or comes from no telephone that could be answered. Raises
    Unreadable."""
    fields = _fields(body)
    message = fields.message or fields.more.get(_PAYLOAD, b"")
    if fields.esm_class & _KIND in (_RECEIPT, _INTERMEDIATE) or _RECEIPTED_ID in fields.more:
        return _receipt(fields, message, numbers)
    if fields.esm_class & _KIND:
        return None  # acknowledgements by hand and the like
    part = (fields.more.get(_SAR_NUMBER) or b"\x01")[0]
    if fields.esm_class & _HEADER_INDICATOR:
        part, message = smpp_text.without_header(message)
    phone = _phone(fields)
    return Written(phone, smpp_text.decode(fields.coding, message), part) if phone else None


def number(text: bytes, numbers: Numbers) -> str:
    """A carrier's number of a message in the one form in which we keep it: at most 64 printable characters."""
    plain = "".join(c for c in text.decode("ascii", "ignore").strip() if c.isprintable())[:64]
    try:
        if numbers == "hex":
            return str(int(plain, 16))[:64]
        return str(int(plain)) if numbers == "decimal" else plain
    except ValueError:
        return plain


def _receipt(fields: _Fields, message: bytes, numbers: Numbers) -> Receipt | None:
    named = fields.more.get(_RECEIPTED_ID, b"").split(b"\0")[0]
    found = _ID.search(message)
    carrier_id = number(named or (found.group(1) if found else b""), numbers)
    said = _STAT.search(message)
    state = said.group(1).decode().upper() if said else _STATES.get((fields.more.get(_STATE) or b"\0")[0], "")
    if not carrier_id:
        raise Unreadable("a receipt for no message")
    if (status := _MEANS.get(state)) is None:
        return None
    error = _ERR.search(message)
    cause = "" if error is None or _NOTHING.fullmatch(error.group(1)) else "." + error.group(1).decode()
    return Receipt("", status, f"{state}{cause}" if status in (UNDELIVERED, FAILED) else "", carrier_id)


def _phone(fields: _Fields) -> str:
    """E.164, empty where it is none: carriers tell numbers with the country's code or as at home, and do not always say which."""
    text = fields.source.decode("ascii", "ignore").removeprefix("+")
    for written in (f"+{text}",) if fields.source_ton == _INTERNATIONAL else (text, f"+{text}"):
        try:
            return phones.parse(written)
        except ValueError:
            continue
    return ""


def _fields(body: bytes) -> _Fields:
    try:
        at = _after(body, 0)  # service_type
        source_ton, end = body[at], _after(body, at + 2)
        source = body[at + 2 : end - 1]
        at = _after(body, end + 2)  # destination
        esm_class = body[at]
        at = _after(body, _after(body, at + 3))  # when to deliver, how long it is valid
        coding, length = body[at + 2], body[at + 4]
        message, rest = body[at + 5 : at + 5 + length], at + 5 + length
        return _Fields(source, source_ton, esm_class, coding, message, _more(body, rest))
    except (IndexError, ValueError, struct.error) as error:
        raise Unreadable("a message that cannot be read") from error


def _after(body: bytes, at: int) -> int:
    """Where the text that begins at `at` has ended, behind its zero octet."""
    return body.index(b"\0", at) + 1


def _more(body: bytes, at: int) -> dict[int, bytes]:
    more: dict[int, bytes] = {}
    while at + 4 <= len(body):
        tag, length = struct.unpack_from(">HH", body, at)
        more.setdefault(tag, body[at + 4 : at + 4 + length])
        at += 4 + length
    return more
