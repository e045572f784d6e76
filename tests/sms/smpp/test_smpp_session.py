"""A carrier that brings and never reads, or is gone without a word, is left in time."""

from __future__ import annotations

import time
from typing import Any

from portal.channels.sms.lines import address, smpp_pdu, smpp_session
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.lines.smpp_session import Session
from portal.channels.sms.provider import ACCEPTED
from tests.sms.smpp.conftest import letter, numbers

OPTIONS = SmppOptions(name="b", host="127.0.0.1", system_id="anlan", source="12379", answer_seconds=10)


class Ears:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *said: self.heard.append((name, *said[1 if name in ("bound", "brought", "ended") else 0 :]))


class Transport:
    """Keeps what is written, since nobody reads it."""

    def __init__(self, session: Session) -> None:
        self.session, self.kept, self.closed = session, b"", False

    def write(self, data: bytes) -> None:
        self.kept += data
        if len(self.kept) > 65_536:
            self.session.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True
        self.session.connection_lost(None)


def bound() -> tuple[Session, Transport, Ears]:
    ears = Ears()
    session = Session(OPTIONS, ears)
    transport = Transport(session)
    session.connection_made(transport)  # type: ignore[arg-type]
    session.data_received(smpp_pdu.small(smpp_pdu.BIND_TRANSCEIVER | smpp_pdu.RESPONSE, 1))
    assert session.usable
    return session, transport, ears


def test_who_asks_and_asks_and_never_reads_is_left(monkeypatch):
    monkeypatch.setattr(smpp_session, "MOST_UNREAD", 100_000, raising=False)
    session, transport, ears = bound()
    for n in range(20_000):
        session.data_received(smpp_pdu.small(smpp_pdu.ENQUIRE, n + 1))
        if transport.closed:
            break
    assert transport.closed
    assert len(transport.kept) < 110_000
    assert ears.heard[-1] == ("ended", "unreadable", 0)


def test_where_an_answer_is_late_and_nothing_at_all_came_the_link_is_asked_at_once():
    session, transport, ears = bound()
    session.submit(smpp_pdu.form(letter(), OPTIONS), 0, b"8613800000000", "one")
    before = len(transport.kept)
    session.sweep(time.monotonic() + 11)
    assert ears.heard[-1] == ("unanswered", "one", "timeout")
    assert smpp_pdu.HEADER.unpack(transport.kept[before:])[1] == smpp_pdu.ENQUIRE
    session.sweep(time.monotonic() + 22)
    assert ears.heard[-1] == ("ended", "timeout", 0)


def test_an_address_that_cannot_be_reached_gives_way_to_the_carriers_next(drive, smsc, monkeypatch):
    async def addresses(_dialler: Any) -> list[tuple[str, int]]:
        return [("127.0.0.1", 1), ("127.0.0.1", smsc.port)]

    monkeypatch.setattr(address.Dialler, "_addresses", addresses)
    driver = drive(port=1).bound()
    assert [told.status for told in driver.send(letter(), numbers(1))] == [ACCEPTED]
