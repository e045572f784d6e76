"""What carriers' statuses, receipts and texts mean, and what the settings of a line may say."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from portal.channels.sms import smpp_delivered, smpp_errors
from portal.channels.sms.lines.line import NOT_TAKEN
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.provider import ACCEPTED, DELIVERED, FAILED, INVALID, OPTED_OUT, RETRY, SENT, UNDELIVERED, Receipt
from portal.channels.sms.smpp_delivered import Unreadable, Written

RECEIPT, TEXT = 0x04, 0x00
STAT = "id:{} sub:001 dlvrd:001 submit date:2611250001 done date:2611250002 stat:{} err:{} text:".format


def deliver(message: bytes, esm_class: int = TEXT, *, source: bytes = b"8613800000000", ton: int = 1, coding: int = 0,
            more: bytes = b"") -> bytes:
    return (b"\0" + bytes([ton, 1]) + source + b"\0" + b"\0\x00" + b"12379\0" + bytes([esm_class, 0, 0]) + b"\0\0"
            + bytes([0, 0, coding, 0, len(message)]) + message + more)


def tlv(tag: int, value: bytes) -> bytes:
    return struct.pack(">HH", tag, len(value)) + value


@pytest.mark.parametrize(("status", "expected", "code"), [
    (0x00, ACCEPTED, ""), (0x0B, INVALID, "ESME_RINVDSTADR"), (0x58, NOT_TAKEN, "ESME_RTHROTTLED"),
    (0x14, NOT_TAKEN, "ESME_RMSGQFUL"), (0x08, NOT_TAKEN, "ESME_RSYSERR"), (0x0E, NOT_TAKEN, "ESME_RINVPASWD"),
    (0x0A, NOT_TAKEN, "ESME_RINVSRCADR"), (0x65, FAILED, "ESME_RX_P_APPN"), (0x45, RETRY, "ESME_RSUBMITFAIL"),
    (0x62, RETRY, "ESME_RINVEXPIRY"), (0x4FF, RETRY, "smpp_0x4ff"), (0xFF, RETRY, "ESME_RUNKNOWNERR"),
])
def test_a_status_is_told_apart_by_whom_it_is_about(status: int, expected: str, code: str):
    answer = smpp_errors.classify(status)
    assert (answer.status, answer.code) == (expected, code)
    assert answer.busy == (status in (0x58, 0x14))
    assert answer.ours == (status in (0x0E, 0x0A))
    assert answer.trouble == (status in (0x08, 0x45, 0x62, 0x4FF, 0xFF))


def test_the_settings_say_what_a_carriers_own_codes_mean():
    meanings = SmppOptions(name="b", host="h", system_id="a",
                           meanings={"0x401": "opted_out", "1026": "invalid", 1027: "throttled"}).meanings
    assert smpp_errors.classify(0x401, meanings).status == OPTED_OUT
    assert smpp_errors.classify(1026, meanings).status == INVALID
    assert smpp_errors.classify(1027, meanings).busy


@pytest.mark.parametrize(("stat", "err", "status", "code"), [
    ("DELIVRD", "000", DELIVERED, ""), ("ACCEPTD", "000", SENT, ""), ("ENROUTE", "000", SENT, ""),
    ("UNDELIV", "011", UNDELIVERED, "UNDELIV.011"), ("EXPIRED", "000", UNDELIVERED, "EXPIRED"),
    ("DELETED", "", UNDELIVERED, "DELETED"), ("REJECTD", "69", FAILED, "REJECTD.69"), ("delivrd", "0", DELIVERED, ""),
])
def test_a_receipt_tells_how_it_ended_and_why(stat: str, err: str, status: str, code: str):
    said = smpp_delivered.read(deliver(STAT("0A1b", stat, err).encode(), RECEIPT))
    assert said == Receipt("", status, code, "0A1b")


def test_a_receipt_may_name_its_message_in_words_or_in_a_parameter_that_nobody_ended():
    words = STAT("", "DELIVRD", "000").encode()
    assert smpp_delivered.read(deliver(words, RECEIPT, more=tlv(0x1E, b"42\0"))).carrier_id == "42"
    assert smpp_delivered.read(deliver(words, RECEIPT, more=tlv(0x1403, b"??") + tlv(0x1E, b"42"))).carrier_id == "42"
    bare = smpp_delivered.read(deliver(b"", RECEIPT, more=tlv(0x1E, b"42\0") + tlv(0x427, b"\x05")))
    assert bare == Receipt("", UNDELIVERED, "UNDELIV", "42")
    in_payload = smpp_delivered.read(deliver(b"", RECEIPT, more=tlv(0x424, STAT("7", "DELIVRD", "000").encode())))
    assert in_payload == Receipt("", DELIVERED, "", "7")


def test_a_number_told_in_two_bases_is_one_number():
    answered = smpp_delivered.number(b"000B26B1", "hex")
    said = smpp_delivered.read(deliver(STAT("0000730801", "DELIVRD", "000").encode(), RECEIPT), "decimal")
    assert said.carrier_id == answered == "730801"
    assert smpp_delivered.number(b"no-number", "hex") == "no-number"
    assert len(smpp_delivered.number(b"9" * 90, "decimal")) <= 64


def test_a_state_that_says_nothing_is_no_news_and_a_receipt_for_nothing_is_refused():
    assert smpp_delivered.read(deliver(STAT("1", "UNKNOWN", "000").encode(), RECEIPT)) is None
    assert smpp_delivered.read(deliver(b"read by hand", 0x08)) is None
    with pytest.raises(Unreadable):
        smpp_delivered.read(deliver(STAT("", "DELIVRD", "000").encode(), RECEIPT))


def test_a_text_of_a_phone_is_read_in_its_coding_and_its_later_parts_are_known():
    assert smpp_delivered.read(deliver("退订".encode("utf-16-be"), coding=8)) == Written("+8613800000000", "退订", 1)
    assert smpp_delivered.read(deliver(b"STOP\x00")) == Written("+8613800000000", "STOP@", 1)
    part = deliver(b"\x05\x00\x03\x07\x02\x02rest", 0x40)
    assert smpp_delivered.read(part) == Written("+8613800000000", "rest", 2)
    assert smpp_delivered.read(deliver(b"rest", more=tlv(0x20F, b"\x02"))) == Written("+8613800000000", "rest", 2)


@pytest.mark.parametrize(("source", "ton", "phone"), [
    (b"8613800000000", 1, "+8613800000000"), (b"+8613800000000", 1, "+8613800000000"), (b"8613800000000", 0, "+8613800000000"),
    (b"13800000000", 0, "+8613800000000"), (b"13800000000", 2, "+8613800000000"), (b"85291234567", 0, "+85291234567"),
    (b"85291234567", 1, "+85291234567"), (b"8612900000001", 1, "+8612900000001"),
])
def test_a_phone_is_known_however_its_number_is_told(source: bytes, ton: int, phone: str):
    assert smpp_delivered.read(deliver(b"STOP", source=source, ton=ton)) == Written(phone, "STOP", 1)


@pytest.mark.parametrize(("source", "ton"), [(b"106", 3), (b"BANK", 5), (b"", 0), (b"12", 1)])
def test_who_is_no_phone_is_not_answered(source: bytes, ton: int):
    assert smpp_delivered.read(deliver(b"STOP", source=source, ton=ton)) is None


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=80))
def test_whatever_a_carrier_brings_is_read_or_refused(body: bytes):
    for content in (body, deliver(body[:60], RECEIPT), deliver(body[:60], 0x40, more=body)):
        with contextlib.suppress(Unreadable):
            smpp_delivered.read(content, "hex")


@pytest.mark.parametrize(("source", "told"), [
    ("12379", (3, 0, "12379")), ("10690000123456", (1, 1, "10690000123456")), ("+861069", (1, 1, "861069")),
    ("ANLAN", (5, 0, "ANLAN")), ("", (0, 0, "")),
])
def test_the_kind_of_sender_is_told_by_the_sender_where_the_settings_leave_it_open(source: str, told: tuple[int, int, str]):
    assert SmppOptions(name="b", host="h", system_id="a", source=source).source_address == told
    assert SmppOptions(name="b", host="h", system_id="a", source=source, source_ton=0, source_npi=9).source_address[:2] == (0, 9)


@pytest.mark.parametrize(("field", "value"), [
    ("password", "longer-than-8"), ("system_id", "sixteen-letters-"), ("port", 0), ("long", "cut"),
    ("meanings", {"0x401": "bad"}),
    ("meanings", {"x": "failed"}), ("tls_ca", "/no/such/file"), ("colour", "red"), ("system_id", "安澜"), ("max_in_flight", 0),
])
def test_an_option_that_cannot_be_is_named_without_its_value(field: str, value: object):
    with pytest.raises(ValidationError) as error:
        SmppOptions(**{"name": "b", "host": "h", "system_id": "a", "password": "right"} | {field: value})
    assert field in str(error.value)
    assert "longer-than-8" not in str(error.value)
    assert "right" not in str(error.value)


def test_the_desk_says_in_words_what_carriers_say_in_names(context):
    from flask_babel import force_locale

    from portal.desk import labels

    with force_locale("en"):
        assert labels.error("ESME_RTHROTTLED") == "too many messages at once; the carrier asks us to slow down (ESME_RTHROTTLED)"
        assert labels.error("UNDELIV.011") == "this number cannot be reached (UNDELIV.011)"
        assert labels.error("smpp_0x4ff") == "smpp_0x4ff"
    with force_locale("zh"):
        assert labels.error("ESME_RINVPASWD").endswith("（ESME_RINVPASWD）")
