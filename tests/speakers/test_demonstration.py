"""The demonstration's broker and all its horns in one process."""

from __future__ import annotations

import logging
import threading
from collections import Counter

import pytest

from portal.channels.speakers import demo
from portal.channels.speakers.broker import EmbeddedBroker
from portal.channels.speakers.simulator import Simulator
from tests.postgres import free_port
from tests.speakers.conftest import KEY, order
from tests.waiting import until


def test_195_horns_hear_a_command_and_show_the_truth_about_the_five_that_cannot(portal, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "amqtt")
    addresses = [f"440310001001-{i:03d}" for i in range(195)]
    offline, failing = demo.faults(addresses)
    assert (len(offline), len(failing)) == (demo.OFFLINE, demo.FAILING)
    broker = EmbeddedBroker()
    url = broker.start()
    simulator = Simulator(url, "anlan", KEY.public_key(), addresses, pace=200, offline=offline, failing=failing)
    try:
        desk, command = portal(url, ack_seconds=10), order()
        simulator.start()
        assert simulator.wait_connected(192, 60)
        until(lambda: len(desk.states) == 195, "everybody has been heard of")
        until(lambda: Counter(s.state for s in desk.states.values()) == {"online": 190, "offline": 3, "fault": 2}, "their states")
        results = desk.command(command, addresses)
        assert Counter((r.status, r.code) for r in results.values()) == {("accepted", ""): 192, ("retry", "offline"): 3}
        assert {a for a, r in results.items() if r.code == "offline"} == offline
        until(lambda: desk.said(command).count("finished") == 190, "they finish")
        assert {a.address for a in desk.answers if a.status == "failed"} == failing
    finally:
        simulator.stop()
        broker.stop()
    assert not [t.name for t in threading.enumerate() if t.name in ("mqtt-broker", "simulated-horns")]
    assert [r.getMessage() for r in caplog.records if r.name.startswith(("amqtt", "asyncio", "transitions"))] == []


def test_a_port_that_is_taken_is_said_plainly() -> None:
    port = free_port()
    first = EmbeddedBroker(port)
    assert first.start() == f"mqtt://127.0.0.1:{port}"
    try:
        with pytest.raises(RuntimeError, match=f"cannot listen on 127.0.0.1:{port}"):
            EmbeddedBroker(port).start()
    finally:
        first.stop()
    again = EmbeddedBroker(port)
    assert again.start().endswith(str(port))
    again.stop()
