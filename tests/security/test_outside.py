"""What files, brokers and carriers bring: a broken one is named and stops nothing else."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask

from portal.channels.speakers import importer, protocol
from portal.channels.speakers.bridge import State
from portal.channels.speakers.broker import HOST
from portal.channels.speakers.mqtt import MqttBridge
from portal.regions.importer import import_files
from tests import district

SECONDS = 20


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 16384
    return bytes([kind, len(body) % 128 | 0x80, len(body) // 128]) + body


def _publish(topic: bytes, payload: bytes) -> bytes:
    return _packet(0x30, len(topic).to_bytes(2) + topic + payload)


class BrokenBroker:
    """Takes whoever connects and subscribes, and then says to the first what no broker should."""

    def __init__(self, first: bytes, then: bytes) -> None:
        self._sayings = [first, then]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for said in self._sayings:
            try:
                connection, _address = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            self._open.append(connection)
            connection.settimeout(SECONDS)
            connection.recv(500)  # CONNECT
            connection.sendall(b"\x20\x02\x00\x00")
            asked = connection.recv(500)  # SUBSCRIBE; its number follows the two bytes of the head
            connection.sendall(_packet(0x90, asked[2:4] + b"\x01\x01") + said)

    def close(self) -> None:
        for one in (self._listener, *self._open):
            one.close()


@pytest.fixture
def heard() -> Iterator[Callable[[bytes, bytes], State]]:
    """The first state that a bridge hears from a broker that says `first`, and `then` at the next connection."""
    running: list[MqttBridge | BrokenBroker] = []

    def hear(first: bytes, then: bytes) -> State:
        states: queue.Queue[State] = queue.Queue()
        broker = BrokenBroker(first, then)
        bridge = MqttBridge(broker.url, "anlan", Ed25519PrivateKey.generate(), on_answer=lambda _answer: None,
                            on_state=states.put, client_id="test")
        running.extend((bridge, broker))
        bridge.start()
        return states.get(timeout=SECONDS)

    yield hear
    for one in running:
        one.close()


def _state(address: str) -> bytes:
    payload = protocol.encode_state(State(address, "offline"))
    return _publish(protocol.topic_of("anlan", address, "state").encode(), payload)


@pytest.mark.parametrize(
    "junk",
    [
        _publish(b"anlan/speaker/\xff\xfe/answer", b"{}"),
        _publish(b"anlan/speaker/a/b/c", b"{}"),
        _publish(b"anlan/speaker/horn-1/answer", b"[" * 5000),
        _publish(b"anlan/speaker/horn-1/answer", b'{"status":"heard","id":7,"code":{},"at":"x"}'),
        _publish(b"anlan/speaker/horn-1/state", b"\xff\x00"),
        _publish(b"", b""),
    ],
    ids=["topic", "path", "nested", "types", "bytes", "empty"],
)
def test_what_a_broker_should_not_say_silences_no_horn(heard: Callable[[bytes, bytes], State], junk: bytes) -> None:
    assert heard(junk + _state("horn-1"), _state("horn-1")).address == "horn-1"


@pytest.mark.parametrize("junk", [b"\x30\xff\xff\xff\xff\xff", b"\x30\x01\x00", b"\xf0\x00", b"\x20\x00", b"\x90\x00"])
def test_a_broken_packet_ends_the_connection_and_not_the_link(heard: Callable[[bytes, bytes], State], junk: bytes) -> None:
    assert heard(junk, _state("horn-2")).address == "horn-2"


@pytest.mark.parametrize("address", ["a/b", "+", "#", "a b", "a\x00", "", "a" * 65, "a\nb", "喇叭", "$SYS"])
def test_no_address_leads_into_another_topic(context: Flask, tmp_path: Path, address: str) -> None:
    district.settle_regions()
    file = tmp_path / "horns.csv"
    file.write_text(f'address,name_zh,name_en,region_code,longitude,latitude\n"{address}",x,x,{district.LIULIAN},114.3,22.6\n')
    report = importer.import_csv(file)
    assert (report.added, report.bad) == (0, 1)


def test_a_group_with_signs_that_no_database_takes_is_refused(context: Flask, tmp_path: Path) -> None:
    district.settle_regions()
    file = tmp_path / "horns.csv"
    file.write_text("address,name_zh,name_en,region_code,longitude,latitude,groups\n"
                    f"horn-9,x,x,{district.LIULIAN},114.3,22.6,school\x00s\n")
    report = importer.import_csv(file)
    assert "groups" in report.problems[0]


def test_what_an_import_tells_commands_no_terminal(context: Flask, tmp_path: Path) -> None:
    file = tmp_path / "b.geojson"
    file.write_bytes(rb'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"\ud800\u001b[31m"},'
                     rb'"geometry":null}]}')
    (fault,) = import_files([file], check=True).faults
    assert str(fault).isprintable()


def test_the_embedded_broker_listens_to_this_machine_alone() -> None:
    assert HOST == "127.0.0.1"
