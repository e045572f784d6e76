"""Sealed texts open for their key, purpose and place, and for nothing else."""

import pytest
from cryptography.exceptions import InvalidTag

from portal.core.phones import PhoneBook
from portal.core.sealing import OVERHEAD, TextSeal

KEY = bytes(range(32))


def test_what_was_sealed_opens_again_and_shows_nothing():
    seal = TextSeal(KEY, "people")
    sealed = seal.seal("刘某 坪山街道", "name:1")
    assert seal.open(sealed, "name:1") == "刘某 坪山街道"
    assert "刘某".encode() not in sealed
    assert len(sealed) == len("刘某 坪山街道".encode()) + OVERHEAD


def test_the_same_text_looks_different_each_time():
    seal = TextSeal(KEY, "people")
    assert seal.seal("刘某", "name:1") != seal.seal("刘某", "name:1")


@pytest.mark.parametrize(("key", "purpose", "place"), [
    (bytes(32), "people", "name:1"), (KEY, "other", "name:1"), (KEY, "people", "name:2"), (KEY, "people", "address:1")])
def test_another_key_purpose_or_place_opens_nothing(key, purpose, place):
    sealed = TextSeal(KEY, "people").seal("刘某", "name:1")
    with pytest.raises(InvalidTag):
        TextSeal(key, purpose).open(sealed, place)


def test_a_changed_byte_is_noticed():
    sealed = bytearray(TextSeal(KEY, "people").seal("刘某", "name:1"))
    sealed[-1] ^= 1
    with pytest.raises(InvalidTag):
        TextSeal(KEY, "people").open(bytes(sealed), "name:1")


def test_the_key_of_phones_and_that_of_texts_do_not_open_each_other():
    with pytest.raises(InvalidTag):
        PhoneBook(KEY).open(TextSeal(KEY, "people").seal("+8613800000000", ""))


def test_a_short_key_and_a_seal_without_purpose_are_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        TextSeal(b"short", "people")
    with pytest.raises(ValueError, match="what the seal is for"):
        TextSeal(KEY, "")
