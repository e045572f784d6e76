"""A text is counted in the segments that the network makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.channels.sms.segments import GSM_7, UCS_2, Segments, count, first_non_gsm

# Written down anew from 3GPP TS 23.038, by code points, so that a slip in one table shows against the other.
GSM_TABLE = [
    0x40,
    0xA3,
    0x24,
    0xA5,
    0xE8,
    0xE9,
    0xF9,
    0xEC,
    0xF2,
    0xC7,
    0x0A,
    0xD8,
    0xF8,
    0x0D,
    0xC5,
    0xE5,
    0x394,
    0x5F,
    0x3A6,
    0x393,
    0x39B,
    0x3A9,
    0x3A0,
    0x3A8,
    0x3A3,
    0x398,
    0x39E,
    0xC6,
    0xE6,
    0xDF,
    0xC9,
    *range(0x20, 0x24),
    0xA4,
    *range(0x25, 0x40),
    0xA1,
    *range(0x41, 0x5B),
    0xC4,
    0xD6,
    0xD1,
    0xDC,
    0xA7,
    0xBF,
    *range(0x61, 0x7B),
    0xE4,
    0xF6,
    0xF1,
    0xFC,
    0xE0,
]
GSM_EXTENSION = [0x0C, 0x5E, 0x7B, 0x7D, 0x5C, 0x5B, 0x7E, 0x5D, 0x7C, 0x20AC]

gsm_text = st.text(st.sampled_from([chr(c) for c in GSM_TABLE + GSM_EXTENSION]), max_size=700)
any_text = st.text(st.sampled_from("警报请转移ab1\n€[😀🚨𠮷"), max_size=350) | st.text(max_size=300)


def as_sent(text: str) -> tuple[str, list[list[int]]]:
    """The units of every segment, by cutting the encoded text itself: bytes in, segments out."""
    if all(ord(c) in GSM_TABLE or ord(c) in GSM_EXTENSION for c in text):
        units = [u for c in text for u in ([0x1B, ord(c)] if ord(c) in GSM_EXTENSION else [ord(c)])]
        whole, part, encoding = 160, 153, GSM_7
    else:
        data = text.encode("utf-16-be", "surrogatepass")
        units = [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]
        whole, part, encoding = 70, 67, UCS_2
    if len(units) <= whole:
        return encoding, [units] if units else []
    segments = []
    while units:
        cut = min(part, len(units))
        first_of_two = units[cut - 1] == 0x1B if encoding == GSM_7 else 0xD800 <= units[cut - 1] < 0xDC00
        if cut < len(units) and first_of_two:
            cut -= 1
        segments.append(units[:cut])
        units = units[cut:]
    return encoding, segments


def agrees(text: str) -> None:
    counted, (encoding, segments) = count(text), as_sent(text)
    last = len(segments[-1]) if segments else 0
    limit = {GSM_7: (160, 153), UCS_2: (70, 67)}[encoding][len(segments) > 1]
    assert counted == Segments(encoding, sum(map(len, segments)), len(segments), limit, limit - last)


def test_the_alphabet_has_127_characters_and_ten_more_behind_the_escape() -> None:
    assert len(set(GSM_TABLE)) == 127
    assert len(set(GSM_EXTENSION)) == 10
    singles = [
        c for c in map(chr, range(0x10000)) if not 0xD800 <= ord(c) < 0xE000 and first_non_gsm(c) is None
    ]
    assert sorted(map(ord, singles)) == sorted(GSM_TABLE + GSM_EXTENSION)


@given(gsm_text)
def test_gsm_text_is_cut_as_the_network_cuts_it(text: str) -> None:
    agrees(text)


@given(any_text)
def test_any_text_is_cut_as_the_network_cuts_it(text: str) -> None:
    agrees(text)


@pytest.mark.parametrize(
    ("text", "segments", "left"),
    [
        ("", 0, 160),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 145),
        ("€" * 80, 1, 0),
        ("a" * 152 + "€" + "a" * 10, 2, 141),
        ("雨" * 70, 1, 0),
        ("雨" * 71, 2, 63),
        ("雨" * 66 + "😀" + "雨" * 10, 2, 55),
        ("雨" * 670, 10, 0),
        ("雨" * 671, 11, 66),
    ],
)
def test_known_lengths(text: str, segments: int, left: int) -> None:
    counted = count(text)
    assert (counted.segments, counted.left) == (segments, left)
    agrees(text)


def test_the_character_that_makes_a_text_dear_is_named() -> None:
    assert first_non_gsm("Rain warning: stay inside.") is None
    assert first_non_gsm("Rain warning – stay ‘inside’.") == "–"
    assert first_non_gsm("暴雨") == "暴"
