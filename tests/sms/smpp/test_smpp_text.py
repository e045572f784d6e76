"""Texts as SMPP carriers take them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.channels.sms import segments, smpp_text

_GSM = "".join(segments._BASIC | segments._EXTENSION)
_ANY = st.text(st.sampled_from("aZ0 水暴雨€[^\U0001f6a8"), min_size=1, max_size=400)
_ONLY_GSM = st.text(st.sampled_from(_GSM), min_size=1, max_size=700)


@settings(max_examples=40, deadline=None)
@given(st.one_of(_ANY, _ONLY_GSM))
def test_a_text_has_as_many_parts_as_were_counted_and_they_join_to_it(body: str):
    counted, text = segments.count(body), smpp_text.encode(body)
    assert len(text.parts) == counted.segments
    assert (text.coding == smpp_text.GSM) == (counted.encoding == segments.GSM_7)
    longest = counted.per_segment * (1 if text.coding == smpp_text.GSM else 2)
    assert all(0 < len(part) <= longest for part in text.parts)
    # Each part is read by itself: no character is cut in two.
    assert "".join(smpp_text.decode(text.coding, part) for part in text.parts) == body


def test_every_character_of_the_gsm_alphabet_has_its_own_octets():
    octets = {c: smpp_text.encode(c).parts[0] for c in _GSM}
    assert len(set(octets.values())) == len(_GSM) == 137
    assert octets["@"] == b"\x00"
    assert octets["§"] == b"\x5f"
    assert octets["€"] == b"\x1b\x65"
    assert octets["é"] == b"\x05"


def test_a_text_sent_again_has_the_same_reference_and_another_text_another():
    long = "暴雨红色预警" * 20
    assert smpp_text.encode(long).reference == smpp_text.encode(long).reference
    assert smpp_text.encode(long).reference != smpp_text.encode(long + "！").reference


def test_a_text_that_cannot_be_joined_is_refused():
    with pytest.raises(ValueError, match="more parts"):
        smpp_text.encode("水" * 67 * 256)


def test_ucs2_alone_is_used_where_the_settings_say_so():
    text = smpp_text.encode("Flood", only_ucs2=True)
    assert (text.coding, text.parts) == (smpp_text.UCS_2, ("Flood".encode("utf-16-be"),))


def test_the_header_of_a_part_is_taken_off_and_told():
    octets = smpp_text.header(0x1234, 3, 2) + b"rest"
    assert smpp_text.without_header(octets) == (2, b"rest")
    assert smpp_text.without_header(b"\x06\x08\x04\x12\x34\x03\x03rest") == (3, b"rest")
    assert smpp_text.without_header(b"\x05") == (1, b"\x05")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 255))
def test_whatever_octets_come_a_text_is_read_from_them(octets: bytes, coding: int):
    assert isinstance(smpp_text.decode(coding, smpp_text.without_header(octets)[1]), str)
