"""Protocol data units of SMPP 3.4: small ones and those of a letter are made by smpplib, a message's own octets are put between.

What comes back is cut at its lengths and read where it is needed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from smpplib import command_codes, consts, smpp

from portal.channels.sms import smpp_text
from portal.channels.sms.lines.line import Letter
from portal.channels.sms.lines.smpp_options import SmppOptions

HEADER = struct.Struct(">IIII")  # length, command, status, sequence number
LARGEST = 64 * 1024
LAST_SEQUENCE = 0x7FFFFFFF
RESPONSE = 0x80000000
VERSION_3_4 = 0x34

_CODES = command_codes.commands
BIND_TRANSCEIVER, BIND_TRANSMITTER = _CODES["bind_transceiver"], _CODES["bind_transmitter"]
SUBMIT, DELIVER, UNBIND, ENQUIRE, NACK = (
    _CODES[name] for name in ("submit_sm", "deliver_sm", "unbind", "enquire_link", "generic_nack")
)
ALERT, OUTBIND = _CODES["alert_notification"], _CODES["outbind"]

#: (command, status, sequence number, body).
Unit = tuple[int, int, int, bytes]


class Broken(Exception):
    """What comes is no SMPP."""


class Reader:
    """Cuts a stream into units, however it comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Unit]:
        """The units that are whole with this. Raises Broken."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        while end - at >= HEADER.size:
            length, command, status, sequence = HEADER.unpack_from(data, at)
            if not HEADER.size <= length <= LARGEST:
                raise Broken(f"a unit of {length} octets")
            if at + length > end:
                break
            yield command, status, sequence, data[at + HEADER.size : at + length]
            at += length
            self._rest = b""  # should whoever reads stop here
        self._rest = data[at:]


def bind(options: SmppOptions, sequence: int) -> bytes:
    """Asks to send, and to hear receipts and texts of phones where those are wanted."""
    name = "bind_transceiver" if options.receipts else "bind_transmitter"
    unit = smpp.make_pdu(
        name,
        sequence=sequence,
        system_id=options.system_id,
        password=options.password.get_secret_value(),
        system_type=options.system_type,
        interface_version=VERSION_3_4,
    )
    unit.sequence = sequence  # of what it is made with it takes none
    return unit.generate()


def small(command: int, sequence: int, status: int = consts.SMPP_ESME_ROK) -> bytes:
    """A unit without a body, or the answer to a deliver_sm, whose body is one zero octet."""
    body = b"\0" if command == DELIVER | RESPONSE and not status else b""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def message_id(body: bytes) -> bytes:
    """The carrier's number in the body of an answer to submit_sm."""
    end = body.find(b"\0")
    return body if end < 0 else body[:end]


@dataclass(slots=True)
class Form:
    """A letter as this carrier takes it. A unit is the header, `head`, the number that it goes to, and a tail for each part;
    `tails` are renewed as time passes where the validity is told as what is left of it. `ends`, `renewed`: unix times."""

    head: bytes
    tails: tuple[bytes, ...]
    ends: float
    renewed: float = 0.0


def form(letter: Letter, options: SmppOptions, *, reported: bool = True) -> Form:
    """`reported`: whether a receipt is asked for, where the settings want any. Raises ValueError where the text is too long to
    be joined."""
    reported = reported and options.receipts
    text = smpp_text.encode(letter.body, only_ucs2=options.only_ucs2)
    total = len(text.parts)
    if total > 1 and options.long == "payload":
        whole = b"".join(text.parts)
        return _form(letter, options, [{"message_payload": whole}], text.coding, reported)
    parts: list[dict[str, object]] = []
    for number, octets in enumerate(text.parts, 1):
        if total == 1:
            parts.append({"short_message": octets})
        elif options.long == "sar":
            parts.append({"short_message": octets, "sar_msg_ref_num": text.reference, "sar_total_segments": total,
                          "sar_segment_seqnum": number})
        else:
            parts.append({"short_message": smpp_text.header(text.reference, total, number) + octets,
                          "esm_class": consts.SMPP_GSMFEAT_UDHI})
    return _form(letter, options, parts, text.coding, reported)


def _form(letter: Letter, options: SmppOptions, parts: list[dict[str, object]], coding: int, reported: bool) -> Form:
    head, tails = b"", []
    validity = "" if options.validity == "none" else absolute(letter.expires_at)
    ton, npi, source = options.source_address
    for part in parts:
        # A carrier reports each part that asks for it; the last stands for the message, since phones show it when all have come.
        wants_receipt = reported and part is parts[-1]
        unit = smpp.make_pdu(
            "submit_sm", sequence=1, service_type=options.service_type, source_addr_ton=ton, source_addr_npi=npi,
            source_addr=source, dest_addr_ton=options.destination_ton, dest_addr_npi=options.destination_npi, destination_addr="",
            validity_period=validity, registered_delivery=int(wants_receipt), data_coding=coding, **part,
        ).generate()
        cut = HEADER.size + len(options.service_type) + 1 + 2 + len(source) + 1 + 2
        head = unit[HEADER.size : cut]
        tails.append(unit[cut:])
    return Form(head, tuple(tails), letter.expires_at.timestamp())


#: Where the validity stands in a tail: behind the end of the number, three single octets and an empty time of delivery.
_VALIDITY = slice(5, 21)


def renew(form: Form, now: float) -> None:
    """Tell what is left of the validity (SMPP 3.4, 7.1.1), where that was last told a second ago or more."""
    if abs(now - form.renewed) < 1:
        return
    form.renewed = now
    left = relative(int(form.ends - now)).encode()
    form.tails = tuple(tail[: _VALIDITY.start] + left + tail[_VALIDITY.stop :] for tail in form.tails)


def absolute(at: datetime) -> str:
    """SMPP's form of a time, in UTC, to the second below."""
    return f"{at.astimezone(UTC):%y%m%d%H%M%S}000+"


def relative(seconds: int) -> str:
    minutes, seconds = divmod(max(1, min(seconds, 30 * 86_400)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02}{hours:02}{minutes:02}{seconds:02}000R"
