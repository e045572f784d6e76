"""One connection to an SMPP carrier, from its bind to its end: submit_sm in flight by their sequence numbers, and what the
carrier brings. It opens nothing and repeats nothing; its line does."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from smpplib import consts

from portal.channels.sms.lines import smpp_pdu
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.lines.smpp_pdu import HEADER, RESPONSE, Form

#: Why a session ended, beside the carrier's own words for a bind that it refused.
CONNECTION, TIMEOUT, UNREADABLE, UNBOUND, LEFT = "connection", "timeout", "unreadable", "unbound", "left"

#: Octets of ours that the carrier may leave unread: whoever brings and brings and reads nothing is left.
MOST_UNREAD = 1 << 20

_BINDING, _BOUND, _LEAVING, _ENDED = range(4)


class Hears(Protocol):
    """Who is told what becomes of a session. Called in the loop's thread."""

    def bound(self, session: Session) -> None: ...

    def answered(self, token: Any, status: int, carrier_id: bytes, seconds: float) -> None: ...

    def unanswered(self, token: Any, word: str) -> None:
        """The carrier may or may not have taken it."""

    def brought(self, session: Session, sequence: int, body: bytes) -> None:
        """A deliver_sm; to be answered by :meth:`Session.answer` when it is safe with us."""

    def room_again(self) -> None: ...

    def ended(self, session: Session, word: str, refused: int) -> None:
        """`refused`: the status by which the carrier refused the bind; 0 where it did not. Nothing more comes of this one."""


class Session(asyncio.Protocol):
    """`in_flight`: by sequence number, what was submitted and when."""

    def __init__(self, options: SmppOptions, hears: Hears) -> None:
        self._options, self._hears = options, hears
        self._state = _BINDING
        self._reader = smpp_pdu.Reader()
        self._sequence = 0
        self._writable = True
        self._word, self._refused = CONNECTION, 0
        self._began = self._read_at = time.monotonic()
        self._enquired_at = 0.0
        self._bind = self._left = 0
        self.in_flight: dict[int, tuple[Any, float]] = {}
        self.transport: asyncio.Transport | None = None

    @property
    def usable(self) -> bool:
        """Whether something may be submitted now."""
        return self._state == _BOUND and self._writable

    # -- what the line asks -----------------------------------------------------------------------

    def submit(self, form: Form, part: int, number: bytes, token: Any) -> None:
        """One part to one number, where the session is usable."""
        sequence, tail = self._next(), form.tails[part]
        self.in_flight[sequence] = token, time.monotonic()
        length = HEADER.size + len(form.head) + len(number) + len(tail)
        self._write(b"".join((HEADER.pack(length, smpp_pdu.SUBMIT, 0, sequence), form.head, number, tail)))

    def answer(self, sequence: int, status: int = consts.SMPP_ESME_ROK) -> None:
        """Of what the carrier brought: that we have it, or why not."""
        self._write(smpp_pdu.small(smpp_pdu.DELIVER | RESPONSE, sequence, status))

    def leave(self) -> None:
        """Say good-bye; the session ends when that is answered, or is late."""
        if self._state == _BOUND:
            self._state, self._word, self._began = _LEAVING, LEFT, time.monotonic()
            self._left = self._next()
            self._write(smpp_pdu.small(smpp_pdu.UNBIND, self._left))
        else:
            self.drop(LEFT)

    def drop(self, word: str) -> None:
        if self._state != _ENDED and self.transport is not None:
            self._word = word
            self.transport.abort()

    def sweep(self, now: float) -> None:
        """What is overdue. To be called some times a second."""
        late = now - self._options.answer_seconds
        if self._state in (_BINDING, _LEAVING) and self._began < late:
            self.drop(TIMEOUT if self._state == _BINDING else LEFT)
            return
        overdue, mute = [], False
        for sequence, (_token, since) in self.in_flight.items():  # the oldest first
            if since > late:
                break
            overdue.append(sequence)
            mute = mute or self._read_at < since  # not a word since: perhaps nobody is there any more
        for sequence in overdue:
            if (entry := self.in_flight.pop(sequence, None)) is not None:
                self._hears.unanswered(entry[0], TIMEOUT)
        if self._read_at > self._enquired_at:
            self._enquired_at = 0.0
        if self._enquired_at and self._enquired_at < late:
            self.drop(TIMEOUT)
        elif not self._enquired_at and self._state == _BOUND and (mute or now - self._read_at > self._options.enquire_seconds):
            self._enquired_at = now
            self._write(smpp_pdu.small(smpp_pdu.ENQUIRE, self._next()))

    # -- what the network tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self._read_at = self._began = time.monotonic()
        self._bind = self._next()
        self._write(smpp_pdu.bind(self._options, self._bind))

    def data_received(self, data: bytes) -> None:
        self._read_at = time.monotonic()
        try:
            for command, status, sequence, body in self._reader.feed(data):
                if self._state == _ENDED:
                    return
                self._heard(command, status, sequence, body)
        except smpp_pdu.Broken:
            self.drop(UNREADABLE)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._hears.room_again()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state == _ENDED:
            return
        self._state = _ENDED
        entries, self.in_flight = list(self.in_flight.values()), {}
        for token, _since in entries:
            self._hears.unanswered(token, self._word if self._word in (TIMEOUT, UNREADABLE) else CONNECTION)
        self._hears.ended(self, self._word, self._refused)

    # ---------------------------------------------------------------------------------------------

    def _heard(self, command: int, status: int, sequence: int, body: bytes) -> None:
        if command == smpp_pdu.SUBMIT | RESPONSE or (command == smpp_pdu.NACK and sequence in self.in_flight):
            entry = self.in_flight.pop(sequence, None)
            if entry is not None:  # else it was given up, or the carrier says it twice
                status = status or (consts.SMPP_ESME_RUNKNOWNERR if command == smpp_pdu.NACK else status)
                carrier_id = b"" if status else smpp_pdu.message_id(body)
                self._hears.answered(entry[0], status, carrier_id, self._read_at - entry[1])
        elif command == smpp_pdu.DELIVER:
            self._hears.brought(self, sequence, body)
        elif command == smpp_pdu.ENQUIRE:
            self._write(smpp_pdu.small(command | RESPONSE, sequence))
        elif command == smpp_pdu.UNBIND:
            self._word = UNBOUND if self._state != _LEAVING else self._word
            self._state = _LEAVING
            self._write(smpp_pdu.small(command | RESPONSE, sequence))
            self._close()
        elif command & RESPONSE or command == smpp_pdu.NACK:
            self._heard_of_ours(status, sequence)
        elif command not in (smpp_pdu.ALERT, smpp_pdu.OUTBIND):
            self._write(smpp_pdu.small(smpp_pdu.NACK, sequence, consts.SMPP_ESME_RINVCMDID))

    def _heard_of_ours(self, status: int, sequence: int) -> None:
        """An answer to a bind, an unbind or an enquiry."""
        if sequence == self._bind and self._state == _BINDING:
            if status:
                self._refused = status
                self._close()
            else:
                self._state = _BOUND
                self._hears.bound(self)
        elif sequence == self._left and self._state == _LEAVING:
            self._close()
        elif sequence == 0:  # a generic_nack that names nothing: we and the carrier no longer understand each other
            self.drop(UNREADABLE)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _next(self) -> int:
        self._sequence = self._sequence % smpp_pdu.LAST_SEQUENCE + 1
        return self._sequence

    def _write(self, data: bytes) -> None:
        if self._state != _ENDED and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
            if not self._writable and self.transport.get_write_buffer_size() > MOST_UNREAD:
                self.drop(UNREADABLE)
