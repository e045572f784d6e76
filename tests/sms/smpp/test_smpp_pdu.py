"""Units of SMPP: read back by smpplib, and cut from a stream however it comes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import command, smpp

from portal.channels.sms.lines import smpp_pdu
from portal.channels.sms.lines.line import Letter
from portal.channels.sms.lines.smpp_options import SmppOptions

EXPIRES = datetime(2026, 7, 1, 12, 30, 5, tzinfo=UTC)
LONG = "暴雨红色预警，请转移。" * 12


def options(**values) -> SmppOptions:
    return SmppOptions(**{"name": "b", "host": "h", "system_id": "anlan", "password": "secret", "source": "12379"} | values)


def read(form: smpp_pdu.Form, part: int, number: bytes = b"8613800000000") -> command.SubmitSM:
    """What smpplib reads of the unit that a session would write."""
    body = form.head + number + form.tails[part]
    unit = command.SubmitSM("submit_sm", sequence=1)
    unit.parse(smpp_pdu.HEADER.pack(smpp_pdu.HEADER.size + len(body), smpp_pdu.SUBMIT, 0, 7) + body)
    return unit


def test_a_text_is_told_with_number_sender_validity_and_a_wish_for_a_receipt():
    unit = read(smpp_pdu.form(Letter("Flood: leave now", EXPIRES), options(service_type="WARN")), 0)
    assert (unit.destination_addr, unit.dest_addr_ton, unit.dest_addr_npi) == (b"8613800000000", 1, 1)
    assert (unit.source_addr, unit.source_addr_ton, unit.source_addr_npi) == (b"12379", 3, 0)
    assert (unit.short_message, unit.data_coding, unit.esm_class) == (b"Flood: leave now", 0, 0)
    assert (unit.validity_period, unit.registered_delivery, unit.service_type) == (b"260701123005000+", 1, b"WARN")


def test_parts_are_joined_by_headers_or_parameters_or_told_whole():
    total = len(smpp_pdu.form(Letter(LONG, EXPIRES), options()).tails)
    by_header = [read(smpp_pdu.form(Letter(LONG, EXPIRES), options()), n) for n in range(total)]
    assert [unit.short_message[:3] + unit.short_message[4:6] for unit in by_header] == [
        b"\x05\x00\x03" + bytes([total, n + 1]) for n in range(total)]
    assert {unit.esm_class for unit in by_header} == {0x40}
    assert b"".join(unit.short_message[6:] for unit in by_header).decode("utf-16-be") == LONG

    by_parameter = [read(smpp_pdu.form(Letter(LONG, EXPIRES), options(long="sar")), n) for n in range(total)]
    assert [(u.sar_total_segments, u.sar_segment_seqnum) for u in by_parameter] == [(total, n + 1) for n in range(total)]
    assert len({u.sar_msg_ref_num for u in by_parameter}) == 1
    assert b"".join(u.short_message for u in by_parameter).decode("utf-16-be") == LONG

    whole = smpp_pdu.form(Letter(LONG, EXPIRES), options(long="payload"))
    assert len(whole.tails) == 1
    assert LONG.encode("utf-16-be") in whole.tails[0]


def test_one_receipt_is_asked_for_each_message_and_none_where_none_is_wanted():
    form = smpp_pdu.form(Letter(LONG, EXPIRES), options())
    wishes = [read(form, n).registered_delivery for n in range(len(form.tails))]
    assert wishes == [0] * (len(wishes) - 1) + [1]
    assert read(smpp_pdu.form(Letter("x", EXPIRES), options(receipts=False)), 0).registered_delivery == 0


def test_what_is_left_of_the_validity_is_told_anew_as_time_passes():
    form = smpp_pdu.form(Letter(LONG, EXPIRES), options(validity="relative"))
    now = EXPIRES.timestamp() - 93_784
    smpp_pdu.renew(form, now)
    assert {read(form, n).validity_period for n in range(len(form.tails))} == {b"000001020304000R"}
    smpp_pdu.renew(form, now + 0.5)
    assert read(form, 0).validity_period == b"000001020304000R"
    smpp_pdu.renew(form, now + 93_780)
    assert read(form, 0).validity_period == b"000000000004000R"
    assert read(form, 0).short_message[6:10] == LONG.encode("utf-16-be")[:4]
    assert read(smpp_pdu.form(Letter("x", EXPIRES), options(validity="none")), 0).validity_period == b""


def test_a_bind_says_who_we_are_in_version_3_4():
    unit = smpp.parse_pdu(smpp_pdu.bind(options(system_type="x"), 5), sequence=1)
    assert (unit.command, unit.sequence, unit.system_id, unit.password) == ("bind_transceiver", 5, b"anlan", b"secret")
    assert (unit.interface_version, unit.system_type) == (0x34, b"x")
    assert smpp.parse_pdu(smpp_pdu.bind(options(receipts=False), 5), sequence=1).command == "bind_transmitter"


def test_small_units_are_what_they_say():
    for name in ("enquire_link", "enquire_link_resp", "unbind", "generic_nack"):
        code = smpp_pdu._CODES[name]
        unit = smpp.parse_pdu(smpp_pdu.small(code, 9, 3), sequence=1)
        assert (unit.command, unit.sequence, unit.status) == (name, 9, 3)
    assert smpp_pdu.small(smpp_pdu.DELIVER | smpp_pdu.RESPONSE, 2)[16:] == b"\0"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_units_are_cut_the_same_however_the_stream_is(bodies: list[bytes], pieces: list[int]):
    stream = b"".join(smpp_pdu.HEADER.pack(16 + len(body), 4, 0, n) + body for n, body in enumerate(bodies))
    reader, units, at = smpp_pdu.Reader(), [], 0
    for piece in [*pieces, len(stream)]:
        units += reader.feed(stream[at : at + piece])
        at += piece
    assert units == [(4, 0, n, body) for n, body in enumerate(bodies)]


@pytest.mark.parametrize("length", [0, 15, smpp_pdu.LARGEST + 1, 0x48545450])
def test_what_is_no_smpp_is_not_waited_for(length: int):
    with pytest.raises(smpp_pdu.Broken):
        list(smpp_pdu.Reader().feed(smpp_pdu.HEADER.pack(length, 4, 0, 1)))
