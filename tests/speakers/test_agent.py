"""`anlan speaker` as a real child process on a real broker."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from click.testing import CliRunner

from portal.channels.speakers.bridge import STOP
from portal.cli import main
from tests.speakers.conftest import order
from tests.waiting import until

LONG = "请立即转移到安全的地方。" * 20


def test_it_hears_plays_finishes_and_says_goodbye(mosquitto, portal, speaker) -> None:
    desk, device, command = portal(mosquitto.url), speaker(mosquitto.url, "agent-1"), order()
    until(lambda: desk.state("agent-1") == "online", "its heartbeat")
    assert desk.command(command, ["agent-1"])["agent-1"].status == "accepted"
    desk.wait_for(command, "finished")
    assert desk.said(command) == ["heard", "playing", "finished"]
    assert command.text in device.log.read_text()
    until(lambda: desk.states["agent-1"].last_command == command.id, "the last command in its heartbeat")
    device.process.send_signal(signal.SIGTERM)
    assert device.process.wait(10) == 0
    until(lambda: desk.state("agent-1") == "offline", "its goodbye")


def test_a_captured_command_is_refused_after_the_process_was_killed_and_restarted(mosquitto, portal, speaker) -> None:
    desk, device, command = portal(mosquitto.url), speaker(mosquitto.url, "agent-2"), order()
    captured, listening = [], threading.Event()
    thief = paho.Client(paho.CallbackAPIVersion.VERSION2)
    thief.on_message = lambda _c, _d, message: captured.append(message.payload)
    thief.on_subscribe = lambda *_: listening.set()
    thief.on_connect = lambda client, *_: client.subscribe("anlan/speaker/agent-2/command", 1)
    thief.connect("127.0.0.1", mosquitto.port)
    thief.loop_start()
    try:
        until(lambda: desk.state("agent-2") == "online", "its heartbeat")
        assert listening.wait(10)
        desk.command(command, ["agent-2"])
        desk.wait_for(command, "finished")
        until(lambda: captured, "the thief has it")
        device.kill()
        until(lambda: desk.state("agent-2") == "offline", "its last will")
        device.start()
        until(lambda: desk.state("agent-2") == "online", "it is back")
        thief.publish("anlan/speaker/agent-2/command", captured[0], 1)
        until(lambda: desk.said(command).count("heard") == 2, "it answers that it knows this one")
    finally:
        thief.loop_stop()
    marker = order()
    desk.command(marker, ["agent-2"])
    desk.wait_for(marker, "finished")
    assert device.spoken() == 2, "the replayed command was not spoken again"


def test_red_cuts_blue_off_and_blue_is_played_again(mosquitto, portal, speaker) -> None:
    desk = portal(mosquitto.url)
    speaker(mosquitto.url, "agent-3", pace=20)
    until(lambda: desk.state("agent-3") == "online", "its heartbeat")
    blue, red = order(tier="blue", text=LONG), order(tier="red", text="立即转移。")
    desk.command(blue, ["agent-3"])
    desk.wait_for(blue, "playing")
    desk.command(red, ["agent-3"])
    desk.wait_for(red, "finished")
    desk.wait_for(blue, "finished")
    assert desk.said(blue) == ["heard", "playing", "preempted", "playing", "finished"]
    whole = [(a.command_id == red.id, a.status) for a in desk.answers if a.command_id in (red.id, blue.id)]
    assert whole.index((True, "finished")) < whole.index((False, "finished"))


def test_it_falls_silent_at_expiry_with_the_link_cut(own_mosquitto, portal, speaker) -> None:
    desk, device = portal(own_mosquitto.url), speaker(own_mosquitto.url, "agent-4", pace=1)
    until(lambda: desk.state("agent-4") == "online", "its heartbeat")
    command = order(text=LONG, lasts=10)
    desk.command(command, ["agent-4"])
    desk.wait_for(command, "playing")
    own_mosquitto.kill()
    until(lambda: f"expired {command.id}" in device.log.read_text(), "it ends by its own clock")
    own_mosquitto.start()
    desk.wait_for(command, "expired")  # and tells of it when the link is back
    assert device.process.poll() is None


def test_a_stop_that_overtakes_is_kept_over_a_restart(mosquitto, portal, speaker) -> None:
    desk, device, command = portal(mosquitto.url, ack_seconds=1.0), speaker(mosquitto.url, "agent-5"), order()
    until(lambda: desk.state("agent-5") == "online", "its heartbeat")
    desk.command(order(action=STOP, stops=(command.id,)), ["agent-5"])
    device.kill()
    device.start()
    until(lambda: desk.command(command, ["agent-5"])["agent-5"].status == "accepted", "it has heard")
    desk.wait_for(command, "stopped")
    assert device.spoken() == 0


def test_a_warning_survives_a_power_cut_of_the_device(mosquitto, portal, speaker) -> None:
    desk, command = portal(mosquitto.url), order(text=LONG)
    device = speaker(mosquitto.url, "agent-6", pace=25)
    until(lambda: desk.state("agent-6") == "online", "its heartbeat")
    desk.command(command, ["agent-6"])
    desk.wait_for(command, "playing")
    device.kill()
    assert json.loads(device.log.with_suffix(".json").read_text())["taken"][command.id]["payload"]
    device.start()
    desk.wait_for(command, "finished")
    assert desk.said(command).count("playing") == 2


@pytest.mark.parametrize(("option", "value"), [("--broker", "http://x"), ("--address", "a/b"), ("--public-key", "zz"),
                                               ("--heartbeat", "600"), ("--volume", "0")])
def test_a_wrong_option_is_named(tmp_path: Path, option: str, value: str) -> None:
    given = {"--broker": "mqtt://127.0.0.1:1", "--address": "a", "--public-key": "ab" * 32, "--state": str(tmp_path / "s")}
    done = CliRunner().invoke(main, ["speaker", *[word for pair in (given | {option: value}).items() for word in pair]])
    assert done.exit_code == 2
    assert option in done.output


def test_who_was_not_there_when_a_horn_answered_learns_it_from_its_state(mosquitto, portal, speaker) -> None:
    desk, command = portal(mosquitto.url), order(lasts=60)
    speaker(mosquitto.url, "agent-late", pace=200)
    until(lambda: desk.state("agent-late") == "online", "its heartbeat")
    desk.command(command, ["agent-late"])
    desk.wait_for(command, "finished")
    late = portal(mosquitto.url, name="late")
    late.wait_for(command, "finished")
    assert late.said(command) == ["finished"]
