"""The credential is found in what carries it, and hostile files end in words."""

from __future__ import annotations

import re
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.training.certificates import carriers
from portal.training.certificates.carriers import NoCredential, baked, token_in

TOKEN = f"eyJ{'a' * 300}.eyJ{'b' * 300}.{'c' * 342}"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z"/></svg>'


def png(*chunks):
    body = b"\x89PNG\r\n\x1a\n"
    for kind, data in (*chunks, (b"IEND", b"")):
        body += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return body


def itxt(text, keyword=b"openbadgecredential", compressed=0):
    return b"iTXt", keyword + b"\0" + bytes([compressed, 0]) + b"\0\0" + text.encode()


def test_the_token_itself_and_as_mails_break_it():
    assert token_in(TOKEN.encode()) == TOKEN
    assert token_in(f"\n {TOKEN[:70]}\r\n{TOKEN[70:]}\n".encode()) == TOKEN


def test_a_baked_drawing_is_still_a_drawing_and_gives_the_token_back():
    made = baked(SVG, TOKEN)
    assert token_in(made.encode()) == TOKEN
    assert token_in(b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\n" + made.encode()) == TOKEN
    assert re.search(r'<svg xmlns:openbadges="https://purl.imsglobal.org/ob/v3p0"[^>]*>\s*<openbadges:credential ', made)


def test_a_picture_of_any_other_program():
    assert token_in(png((b"IHDR", bytes(13)), itxt("x", b"Comment"), itxt(TOKEN))) == TOKEN


@pytest.mark.parametrize("body", [
    b"", b"hello", b"%PDF-1.7\n%%EOF", SVG.encode(), b"<svg", b"<html><p>hello", b"\x89PNG\r\n\x1a\n",
    b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff",
    png((b"IHDR", bytes(13))), png(itxt(TOKEN, compressed=1)), png(itxt(TOKEN, b"openbadges")), b"PK\x03\x04" * 99,
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', b"eyJ" * 40_000, b"x" * (carriers.LARGEST + 1),
    b'<svg xmlns:o="https://purl.imsglobal.org/ob/v3p0"><o:credential verify="no"/></svg>', TOKEN.encode()[:-400],
    TOKEN.encode("utf-16")])
def test_what_holds_none_is_told_apart(body):
    with pytest.raises(NoCredential):
        token_in(body)


def test_a_drawing_that_grows_when_it_is_read_is_given_up():
    lots = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    with pytest.raises(NoCredential):
        token_in(f'<!DOCTYPE svg [<!ENTITY a0 "ha">{lots}]><svg>&a11;</svg>'.encode())


def test_a_document_that_was_saved_again_by_another_program():
    drawn, packed = zlib.compress(b"q Q" * 90), zlib.compress(TOKEN.encode())
    body = b"%PDF-1.5\n1 0 obj <</Filter/FlateDecode>> stream\r\n" + drawn + b"\nendstream\nstream\n" + packed
    assert token_in(body) == TOKEN


def test_a_document_with_two_different_ones_is_refused():
    body = f"%PDF-1.5\nstream\n{TOKEN}\nendstream stream\n{TOKEN.replace('a', 'x')}\nendstream".encode()
    with pytest.raises(NoCredential, match="several"):
        token_in(body)


def test_a_document_of_bombs_ends_soon():
    bomb = b"stream\n" + zlib.compress(bytes(20_000_000), 9) + b"\n"
    with pytest.raises(NoCredential):
        token_in(b"%PDF-1.5\n" + bomb * (1_400_000 // len(bomb)))


def test_a_token_is_looked_for_only_where_a_run_of_its_characters_begins():
    """A file of runs that are each one character too short is read once, not once from each of their characters."""
    assert not carriers._RUN.match(b"-" * 201, 1)
    assert carriers._RUN.findall(b" " + b"-" * 199 + b" " + b"_" * 200) == [b"_" * 200]


@settings(max_examples=40)
@given(st.binary(max_size=300), st.sampled_from([b"", b"%PDF-1.4\nstream\n", b"<", b"\x89PNG\r\n\x1a\n\0\0\0\x05iTXt"]))
def test_noise_never_breaks_it(noise, head):
    with pytest.raises(NoCredential):
        token_in(head + noise)
