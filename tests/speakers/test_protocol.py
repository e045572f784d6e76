"""A horn obeys only us: what is signed is what is read, and nothing else is read at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.channels.speakers import protocol
from portal.channels.speakers.bridge import START, STOP, TEST, Answer, Command, State
from portal.channels.speakers.protocol import Refused, decode, encode
from tests.speakers.conftest import KEY, STRANGER, order

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
PRINTABLE = WORDS.map(lambda t: "".join(c for c in t if c.isprintable())[:40])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone follows
COMMANDS = st.builds(
    Command, id=st.text("abcdef0123456789-", min_size=1, max_size=40), action=st.sampled_from((START, STOP, TEST)),
    exercise=st.booleans(), tier=st.sampled_from(("white", "blue", "yellow", "orange", "red")), event_code=st.just("11B03"),
    language=st.sampled_from(("zh", "en", "yue")), text=WORDS, issued_at=MOMENTS, start_at=MOMENTS,
    expires_at=st.just(datetime(2000, 1, 1, tzinfo=UTC)), repeats=st.integers(1, 10), volume=st.integers(0, 100),
    tone=st.sampled_from(("attention", "none")), stops=st.lists(st.text("abc-", min_size=1), max_size=3).map(tuple),
).map(lambda c: replace(c, expires_at=c.issued_at + timedelta(hours=3)))


@given(COMMANDS, st.integers(1, 2**63 - 1))
def test_what_the_portal_writes_is_what_the_device_reads(command: Command, number: int) -> None:
    read = decode(encode(command, number, "horn-1", KEY), KEY.public_key())
    assert (read.command, read.number, read.address) == (command, number, "horn-1")


@given(COMMANDS, st.data())
def test_any_flipped_byte_is_refused(command: Command, data: st.DataObject) -> None:
    payload = bytearray(encode(command, 7, "horn-1", KEY))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Refused):
        decode(bytes(payload), KEY.public_key())


@given(st.binary(max_size=300))
def test_noise_is_refused_and_breaks_nothing(noise: bytes) -> None:
    with pytest.raises(Refused):
        decode(noise, KEY.public_key())


@pytest.mark.parametrize("noise", [b"null", b"[]", b'{"command":1,"signature":"zz"}', b"[" * 30_000, b" " * 100_000])
def test_hostile_json_is_refused(noise: bytes) -> None:
    with pytest.raises(Refused):
        decode(noise, KEY.public_key())


def test_a_strangers_signature_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        decode(encode(order(), 1, "horn-1", STRANGER), KEY.public_key())
    assert refusal.value.code == "signature"


def test_the_same_content_written_in_another_way_is_refused() -> None:
    payload = encode(order(), 1, "horn-1", KEY)
    with pytest.raises(Refused):
        decode(json.dumps(json.loads(payload), ensure_ascii=False).encode(), KEY.public_key())


@pytest.mark.parametrize("wrong", [
    {"repeats": 0}, {"repeats": 21}, {"volume": 101}, {"text": "水" * 4001}, {"tier": "purple"}, {"action": "shout"}, {"id": ""},
    {"lasts": 61 * 86400}, {"stops": ("x",) * 501}])
def test_the_portal_does_not_write_what_no_device_would_take(wrong: dict) -> None:
    with pytest.raises(ValueError, match="a horn cannot take this"):
        encode(order(**wrong), 1, "horn-1", KEY)


@pytest.mark.parametrize("address", ["", "a/b", "+", "#", "水", "a" * 65, "a b"])
def test_an_address_is_safe_in_a_topic(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        encode(order(), 1, address, KEY)


def test_numbers_grow_strictly() -> None:
    numbers = protocol.Numbers()
    given_out = [numbers.next() for _ in range(5000)]
    assert given_out == sorted(set(given_out))


@given(st.builds(Answer, command_id=PRINTABLE, address=st.just("horn-1"),
                 status=st.sampled_from(("heard", "failed")),
                 code=PRINTABLE, device_at=st.none() | MOMENTS))
def test_answers_survive_the_way(answer: Answer) -> None:
    assert protocol.decode_answer(protocol.encode_answer(answer), "horn-1") == answer


@given(st.builds(State, address=st.just("horn-1"), state=st.sampled_from(("online", "offline", "playing", "fault")),
                 at=st.none() | MOMENTS, firmware=st.just("1.2"), volume=st.none() | st.integers(0, 100),
                 battery=st.none() | st.integers(0, 100), refused=st.integers(0, 9)))
def test_states_survive_the_way(state: State) -> None:
    assert protocol.decode_state(protocol.encode_state(state), "horn-1") == state


@given(st.binary(max_size=100) | st.sampled_from([b"{}", b"[]", b"7", b'{"id":1}', b'{"state":[]}']))
def test_unreadable_words_of_devices_are_value_errors(noise: bytes) -> None:
    for read in (protocol.decode_answer, protocol.decode_state):
        with pytest.raises(ValueError):  # noqa: PT011 - any words will do
            read(noise, "horn-1")


def test_a_public_key_is_read_from_hex_file_and_pem(tmp_path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    (tmp_path / "hex").write_text(protocol.public_hex(KEY) + "\n")
    (tmp_path / "pem").write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for given_as in (protocol.public_hex(KEY), str(tmp_path / "hex"), str(tmp_path / "pem")):
        assert protocol.public_hex(protocol.read_public_key(given_as)) == protocol.public_hex(KEY)
    (tmp_path / "bad").write_text("not a key")
    with pytest.raises(ValueError, match="64 hexadecimal"):
        protocol.read_public_key(str(tmp_path / "bad"))


def test_the_free_words_of_a_broken_device_are_made_fit_for_a_table() -> None:
    noise = json.dumps("\x00a\ud800\n" + "b" * 200)
    answer = protocol.decode_answer(f'{{"id":"x","status":"failed","code":{noise},"at":null}}'.encode(), "horn-1")
    assert answer.code == "a" + "b" * 39
    words = f'"state":"online","at":null,"firmware":{noise},"volume":null,"battery":null,"last":{noise},"refused":0'
    state = protocol.decode_state(f"{{{words}}}".encode(), "horn-1")
    assert (state.firmware, state.last_command) == ("a" + "b" * 39, "a" + "b" * 99)
    with pytest.raises(ValueError, match="status"):
        protocol.decode_answer(b'{"id":"x","status":"accepted","code":"","at":null}', "horn-1")
