"""The bridge over a real broker, to simulated horns that really speak the protocol."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from portal.channels.speakers.bridge import STOP
from portal.channels.speakers.link import Broker
from portal.channels.speakers.mqtt import TRIES, MqttBridge
from portal.channels.speakers.simulator import Simulator
from tests.mosquitto import Mosquitto
from tests.speakers.conftest import KEY, STRANGER, order
from tests.waiting import until


def test_every_horn_hears_plays_and_finishes(mosquitto, portal, horns) -> None:
    desk, addresses, command = portal(mosquitto.url), horns(mosquitto.url, 20), order()
    results = desk.command(command, addresses)
    assert {(r.status, r.code) for r in results.values()} == {("accepted", "")}
    assert set(results) == set(addresses)
    until(lambda: desk.said(command).count("finished") == 20, "all 20 finish")
    assert all(desk.said(command, address) == ["heard", "playing", "finished"] for address in addresses)


def test_a_horn_that_cannot_sound_says_so(mosquitto, portal, horns) -> None:
    desk, command = portal(mosquitto.url), order()
    [address] = horns(mosquitto.url, 1, failing=lambda all_: all_)
    assert desk.command(command, [address])[address].status == "accepted"
    desk.wait_for(command, "failed")
    assert [a.code for a in desk.answers if a.command_id == command.id][-1] == "amplifier"
    until(lambda: desk.state(address) == "fault", "the fault shows in its state")


def test_a_silent_horn_is_asked_again_and_does_not_hold_up_the_others(mosquitto, portal, horns) -> None:
    desk, command = portal(mosquitto.url, ack_seconds=0.5), order()
    addresses = horns(mosquitto.url, 10, silent=lambda all_: all_[:1])
    asked, listening = [], threading.Event()
    spy = paho.Client(paho.CallbackAPIVersion.VERSION2)
    spy.on_message = lambda _c, _d, message: asked.append(message.retain)
    spy.on_connect = lambda client, *_: client.subscribe(f"anlan/speaker/{addresses[0]}/command", 1)
    spy.on_subscribe = lambda *_: listening.set()
    spy.connect("127.0.0.1", mosquitto.port)
    spy.loop_start()
    try:
        assert listening.wait(30), "the spy listens"
        order_of_results = list(desk.command(command, addresses).items())
        until(lambda: len(asked) >= TRIES, "the spy heard every try")
    finally:
        spy.loop_stop()
    assert [a for a, r in order_of_results if r.status == "accepted"] == [a for a, _ in order_of_results[:9]]
    assert (order_of_results[-1][0], order_of_results[-1][1].status, order_of_results[-1][1].code) == (
        addresses[0], "retry", "silent")
    assert asked == [False] * TRIES


def test_nothing_is_retained_for_horns_that_come_later(mosquitto, portal) -> None:
    desk, address = portal(mosquitto.url, ack_seconds=0.2), "latecomer-1"
    assert desk.command(order(), [address])[address].code == "silent"
    kept = []
    late = paho.Client(paho.CallbackAPIVersion.VERSION2)
    late.on_message = lambda _c, _d, message: kept.append(message)
    ready = threading.Event()
    late.on_connect = lambda client, *_: client.subscribe([("anlan/speaker/latecomer-1/command", 1), ("anlan/marker", 1)])
    late.on_subscribe = lambda client, *_: client.publish("anlan/marker", b"x", 1)
    late.on_message = lambda _c, _d, message: (kept.append(message.topic), ready.set())
    late.connect("127.0.0.1", mosquitto.port)
    late.loop_start()
    try:
        assert ready.wait(10)
    finally:
        late.loop_stop()
    assert kept == ["anlan/marker"]


def test_horns_refuse_a_portal_with_another_key(mosquitto, portal, horns) -> None:
    desk = portal(mosquitto.url, key=STRANGER, ack_seconds=0.3)
    [address], command = horns(mosquitto.url, 1), order()
    result = desk.command(command, [address])[address]
    assert (result.status, result.code) == ("retry", "refused:signature")
    assert desk.said(command) == []


def test_a_replayed_command_is_not_obeyed(mosquitto, portal, horns) -> None:
    desk, [address], command = portal(mosquitto.url), horns(mosquitto.url, 1), order()
    captured = []
    thief = paho.Client(paho.CallbackAPIVersion.VERSION2)
    thief.on_message = lambda _c, _d, message: captured.append(message.payload)
    thief.on_subscribe = lambda *_: listening.set()
    listening = threading.Event()
    thief.on_connect = lambda client, *_: client.subscribe(f"anlan/speaker/{address}/command", 1)
    thief.connect("127.0.0.1", mosquitto.port)
    thief.loop_start()
    try:
        assert listening.wait(10)
        desk.command(command, [address])
        desk.wait_for(command, "finished")
        until(lambda: captured, "the thief has it")
        thief.publish(f"anlan/speaker/{address}/command", captured[0], 1)
        until(lambda: desk.said(command).count("heard") == 2, "it is answered again")
    finally:
        thief.loop_stop()
    # The next command is played, and the replayed one was not: the horn was free at once.
    following = order()
    desk.command(following, [address])
    desk.wait_for(following, "finished")
    playing = [a for a in desk.answers if a.command_id == command.id and a.status == "playing"]
    assert len(playing) == 1


def test_a_broker_that_is_not_there_is_told_quickly() -> None:
    bridge = MqttBridge("mqtt://127.0.0.1:1", "anlan", KEY, on_answer=print, on_state=print, client_id="x", ack_seconds=0.3)
    bridge.start()
    results = []
    try:
        from portal.channels.speakers.bridge import Device

        bridge.command(order(), [Device("1", "a"), Device("2", "b")], on_result=results.append, halted=lambda: False)
    finally:
        bridge.close()
    assert [(r.ref, r.status, r.code) for r in results] == [("1", "retry", "broker"), ("2", "retry", "broker")]
    assert not bridge.connected


def test_a_broker_killed_in_the_middle_leaves_nothing_waiting_and_the_link_comes_back(own_mosquitto, portal, horns) -> None:
    desk, command = portal(own_mosquitto.url, ack_seconds=5), order()
    addresses = horns(own_mosquitto.url, 6, silent=lambda all_: all_[:2])

    def kill_in_the_middle() -> None:
        until(lambda: len({a.address for a in desk.answers if a.command_id == command.id}) == 4, "four have heard")
        own_mosquitto.kill()
    middle = threading.Thread(target=kill_in_the_middle)
    middle.start()
    results = desk.command(command, addresses)
    middle.join()
    assert {results[a].status for a in addresses[2:]} == {"accepted"}
    assert {(results[a].status, results[a].code) for a in addresses[:2]} == {("retry", "broker")}
    own_mosquitto.start()
    assert desk.bridge.wait_connected(30), "the bridge comes back by itself"
    until(lambda: all(desk.command(order(), [a])[a].status == "accepted" for a in addresses[2:]), "and so do the horns", 30)


def test_what_was_in_flight_at_a_broken_link_is_not_sent_when_it_is_back(own_mosquitto, portal) -> None:
    desk, command = portal(own_mosquitto.url, ack_seconds=30), order()
    threading.Timer(0.3, own_mosquitto.kill).start()
    assert desk.command(command, ["nobody-1"])["nobody-1"].code == "broker"
    own_mosquitto.start()
    later = []
    spy = paho.Client(paho.CallbackAPIVersion.VERSION2)
    listening = threading.Event()
    spy.on_message = lambda _c, _d, message: later.append(message.topic)
    spy.on_connect = lambda client, *_: client.subscribe("anlan/speaker/+/command", 1)
    spy.on_subscribe = lambda *_: listening.set()
    spy.connect("127.0.0.1", own_mosquitto.port)
    spy.loop_start()
    try:
        assert listening.wait(30), "the spy listens"
        assert desk.bridge.wait_connected(30)
        desk.bridge._ack_seconds = 0.2
        desk.command(order(), ["somebody-2"])
        until(lambda: later, "the new command")
    finally:
        spy.loop_stop()
    assert set(later) == {"anlan/speaker/somebody-2/command"}


def test_a_horn_without_power_shows_as_offline_and_costs_a_moment_only(mosquitto, portal, horns) -> None:
    desk = portal(mosquitto.url, ack_seconds=30)
    addresses = horns(mosquitto.url, 5, absent=1, offline=lambda all_: all_[:1])
    until(lambda: desk.state(addresses[0]) == "offline", "its last will")
    results = desk.command(order(), addresses)
    assert (results[addresses[0]].status, results[addresses[0]].code) == ("retry", "offline")
    assert {results[a].status for a in addresses[1:]} == {"accepted"}


def test_a_halted_command_is_begun_for_nobody_else(mosquitto, portal, horns) -> None:
    desk, addresses, command = portal(mosquitto.url), horns(mosquitto.url, 3), order()
    results = desk.command(command, addresses, halted=lambda: True)
    assert {(r.status, r.code) for r in results.values()} == {("retry", "halted")}
    assert desk.said(command) == []


def test_an_expired_command_is_not_sent(mosquitto, portal, horns) -> None:
    desk, addresses = portal(mosquitto.url), horns(mosquitto.url, 2)
    results = desk.command(order(lasts=-1), addresses)
    assert {(r.status, r.code) for r in results.values()} == {("retry", "expired")}


def test_several_commands_at_once_keep_their_answers_apart(mosquitto, portal, horns) -> None:
    desk, addresses = portal(mosquitto.url), horns(mosquitto.url, 30)
    same = order()
    jobs = [(same, addresses[:15]), (same, addresses[15:]), (order(tier="blue"), addresses), (order(tier="orange"), addresses)]
    results: list[dict] = [{} for _ in jobs]

    def work(i: int) -> None:
        results[i] = desk.command(*jobs[i])
    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [set(r) for r in results] == [set(job[1]) for job in jobs]
    assert {r.status for each in results for r in each.values()} == {"accepted"}


def test_a_stop_silences_what_is_playing(mosquitto, portal, horns) -> None:
    desk, addresses, command = portal(mosquitto.url), horns(mosquitto.url, 3, pace=0.5), order()
    desk.command(command, addresses)
    until(lambda: desk.said(command).count("playing") == 3, "all play")
    desk.command(order(action=STOP, stops=(command.id,)), addresses)
    until(lambda: desk.said(command).count("stopped") == 3, "all are silent")


def test_simulated_horns_come_back_after_the_broker(own_mosquitto) -> None:
    simulator = Simulator(own_mosquitto.url, "anlan", KEY.public_key(), [f"h{i}" for i in range(30)])
    simulator.start()
    try:
        assert simulator.wait_connected(30, 20)
        own_mosquitto.kill()
        until(lambda: simulator.connected == 0, "all are cut off")
        own_mosquitto.start()
        assert simulator.wait_connected(30, 30)
    finally:
        simulator.stop()


def test_the_account_in_the_url_is_used_and_needed() -> None:
    broker = Mosquitto(user="portal", password="p@ss:word")
    try:
        broker.start()
        bridges = [MqttBridge(url, "anlan", KEY, on_answer=print, on_state=print, client_id=f"c{i}") for i, url in enumerate(
            (f"mqtt://portal:p%40ss%3Aword@127.0.0.1:{broker.port}", f"mqtt://portal:wrong@127.0.0.1:{broker.port}"))]
        for bridge in bridges:
            bridge.start()
        try:
            assert bridges[0].wait_connected(10)
            assert not bridges[1].wait_connected(0.5)
        finally:
            for bridge in bridges:
                bridge.close()
    finally:
        broker.close()


def test_a_broker_url_is_read_and_its_password_never_shown() -> None:
    broker = Broker.parse("mqtts://horns:s%3Acret@mqtt.example:8884")
    assert (broker.host, broker.port, broker.tls, broker.user, broker.password) == ("mqtt.example", 8884, True, "horns", "s:cret")
    assert "cret" not in f"{broker} {broker!r}"
    assert Broker.parse("mqtts://h").port == 8883
    for wrong in ("http://h", "mqtt://", "h:1883", ""):
        with pytest.raises(ValueError, match="a broker is given as"):
            Broker.parse(wrong)


def test_closing_the_bridge_ends_a_command_in_progress(mosquitto, portal) -> None:
    desk = portal(mosquitto.url, ack_seconds=60)
    threading.Timer(0.3, desk.bridge.close).start()
    began = time.monotonic()
    assert desk.command(order(), ["nobody-3"])["nobody-3"].code == "broker"
    assert time.monotonic() - began < 30, "it would have waited three minutes"


def test_a_tls_broker_is_believed_only_with_a_known_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Mosquitto(tls=tmp_path)
    url = f"mqtts://127.0.0.1:{broker.port}"

    def linked(name: str, seconds: float) -> bool:
        bridge = MqttBridge(url, "anlan", KEY, on_answer=print, on_state=print, client_id=name)
        bridge.start()
        try:
            return bridge.wait_connected(seconds)
        finally:
            bridge.close()
    try:
        broker.start()
        assert not linked("unknown", 0.5)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert linked("known", 10)
    finally:
        broker.close()


def test_one_impossible_address_does_not_keep_the_others_silent(mosquitto, portal, horns) -> None:
    desk, [address] = portal(mosquitto.url), horns(mosquitto.url, 1)
    results = desk.command(order(), ["a/+", address])
    assert (results["a/+"].status, results["a/+"].code, results[address].status) == ("failed", "address", "accepted")
