"""Serials: no single mistake of a reader or typist makes another serial, and nobody guesses one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.certificates import serial

SERIALS = st.text(serial.ALPHABET, min_size=11, max_size=11).map(lambda body: body + serial.check(body))


@settings(max_examples=40)
@given(SERIALS)
def test_every_wrong_character_is_noticed(whole):
    assert serial.is_whole(whole)
    for at in range(serial.LENGTH):
        for sign in set(serial.ALPHABET) - {whole[at]}:
            assert not serial.is_whole(whole[:at] + sign + whole[at + 1:])


@settings(max_examples=40)
@given(SERIALS)
def test_every_exchange_of_two_characters_is_noticed_neighbours_or_not(whole):
    for one in range(serial.LENGTH):
        for other in range(one + 1, serial.LENGTH):
            signs = list(whole)
            signs[one], signs[other] = signs[other], signs[one]
            assert serial.is_whole("".join(signs)) == (whole[one] == whole[other])


@settings(max_examples=40)
@given(SERIALS, st.sampled_from(serial.ALPHABET), st.integers(0, 12))
def test_a_character_too_many_or_too_few_is_noticed(whole, sign, at):
    assert not serial.is_whole(whole[:at] + sign + whole[at:])
    assert not serial.is_whole(whole[:at] + whole[at + 1:]) or at == 12


def test_a_serial_is_typed_as_people_type():
    whole = serial.new()
    shown = serial.shown(whole)
    wide = "".join(chr(ord(c) + 0xFEE0) for c in whole)
    for text in (shown, shown.lower(), whole, f" {shown} ", wide, shown.replace("-", " "), shown.replace("-", "—")):
        assert serial.typed(text) == whole
    assert len(shown) == 14
    assert shown.count("-") == 2


def test_what_is_read_aloud_has_no_characters_that_look_like_others():
    assert not set("01OIL") & set(serial.ALPHABET)
    assert len(set(serial.ALPHABET)) == 31


def test_no_serial_tells_the_next_one():
    made = [serial.new() for _one in range(200)]
    assert len(set(made)) == 200
    assert all(serial.is_whole(one) for one in made)
    for at in range(serial.LENGTH):
        assert len({one[at] for one in made}) > 15


def test_a_book_is_no_serial():
    assert serial.typed("2" * 10_000) == ""
    assert not serial.is_whole("")
    assert not serial.is_whole("〓" * 12)
