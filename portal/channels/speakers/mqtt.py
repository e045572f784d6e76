"""The bridge to horns on an MQTT broker.

Each device has a topic of its own for commands and one for its answers; a command is never retained (a retained start
would sound again whenever a device comes back) and goes out with QoS 1. The broker's receipt of it proves nothing, so
what counts is the device's own `heard`; whoever stays silent is sent it again.

Every connection gets a fresh client: what the old one still held when the link broke is thrown away with it. The
caller was told `retry` for it, and may have cancelled it by the time the link is back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paho.mqtt import client as paho

from portal.channels.speakers import protocol
from portal.channels.speakers.bridge import ANSWERS, EXPIRED, REFUSED, RETRY, Answer, Command, Device, Result, State
from portal.channels.speakers.link import KEEPALIVE_SECONDS, Broker, make_client
from portal.channels.speakers.rounds import Round, Rounds
from portal.core.clock import utcnow

log = logging.getLogger(__name__)

ACCEPTED, FAILED = "accepted", "failed"
#: Publications without an answer yet, at most; a slot is free again after the answer or SLOT_SECONDS, so that absent
#: devices hold up the others by no more than that.
WINDOW = 250
SLOT_SECONDS = 0.5
#: How often one call sends to a silent device before it returns `retry`.
TRIES = 3
#: How long a device that is known to be offline may still take to prove the contrary.
OFFLINE_SECONDS = 1.0
#: How long a call waits for the link before all of it is `retry`.
LINK_SECONDS = 2.0
MOST_DEVICES = 20_000  # whose last answer is remembered
BACKOFF_SECONDS = (0.5, 15.0)
_POLL = 0.1


class MqttBridge:
    """Keeps :class:`portal.channels.speakers.bridge.Bridge`; safe for several simultaneous commands.

    `on_answer` and `on_state` are called from the bridge's own thread for every word of every device (also answers
    to commands of another process), and must return quickly. The codes of `retry` are broker, silent, offline,
    halted, expired, or refused:… with the device's reason.
    """

    name = "mqtt"

    def __init__(self, url: str, topic: str, private_key: Ed25519PrivateKey, *, on_answer: Callable[[Answer], None],
                 on_state: Callable[[State], None], client_id: str, ack_seconds: float = 10.0) -> None:
        self._broker = Broker.parse(url)
        self._topic, self._key, self._client_id = topic, private_key, client_id
        self._on_answer, self._on_state = on_answer, on_state
        self._ack_seconds = ack_seconds
        self._numbers = protocol.Numbers()
        self._rounds = Rounds()
        self._offline: set[str] = set()
        self._told: dict[str, tuple[str, str]] = {}
        self._client: paho.Client | None = None
        self._linked = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    # -- the link ----------------------------------------------------------------------------------
    @property
    def connected(self) -> bool:
        """Whether the broker is there and sends us the devices' answers."""
        return self._linked.is_set()

    def wait_connected(self, seconds: float) -> bool:
        """Wait for the link, at most so long; whether it is there."""
        return self._linked.wait(seconds)

    def start(self) -> None:
        """Begin to connect, and keep connecting until :meth:`close`. Returns at once."""
        if self._thread is not None:
            raise RuntimeError("the bridge was started already")
        self._thread = threading.Thread(target=self._keep_linked, name="mqtt-bridge", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Disconnect; calls in progress return their open devices as `retry`."""
        self._closing.set()
        if (client := self._client) is not None:
            client.disconnect()
        self._unlink()
        if self._thread is not None:
            self._thread.join(10)

    def _keep_linked(self) -> None:
        pause = BACKOFF_SECONDS[0]
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                self._one_connection()
            except OSError as error:  # ssl.SSLError is one too
                log.warning("no link to the horns' broker %s: %s", self._broker, error)
            except Exception:  # whatever came over the link: without this thread no horn could be told anything any more
                log.exception("the link to the horns' broker %s broke", self._broker)
            self._unlink()
            pause = BACKOFF_SECONDS[0] if time.monotonic() - began > 30 else min(pause * 2, BACKOFF_SECONDS[1])
            self._closing.wait(pause)

    def _one_connection(self) -> None:
        client = make_client(self._broker, self._client_id, clean=True, reconnect=False, in_flight=2 * WINDOW)
        client.on_connect, client.on_subscribe = self._connected, self._subscribed
        client.on_disconnect, client.on_message = self._disconnected, self._message
        client.connect(self._broker.host, self._broker.port, KEEPALIVE_SECONDS)
        self._client = client
        try:
            if not self._closing.is_set():
                client.loop_forever(timeout=0.5)
        finally:
            self._client = None

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: object, _props: object) -> None:
        if getattr(reason, "is_failure", False):
            log.warning("the horns' broker %s refuses us: %s", self._broker, reason)
            client.disconnect()
            return
        client.subscribe([(protocol.topic_of(self._topic, "+", kind), 1) for kind in ("answer", "state")])

    def _subscribed(self, _client: paho.Client, _data: object, _mid: int, codes: list, _props: object) -> None:
        if any(getattr(code, "is_failure", False) for code in codes):
            log.error("the broker %s does not let us read the horns' answers", self._broker)
            return
        log.info("linked to the horns' broker %s", self._broker)
        self._linked.set()

    def _disconnected(self, *_: object) -> None:
        self._unlink()

    def _unlink(self) -> None:
        if self._linked.is_set() and not self._closing.is_set():
            log.warning("the link to the horns' broker %s is gone", self._broker)
        self._linked.clear()
        self._rounds.wake()

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        # An exception here would end the link's thread: whatever a device or a callback does, the link stays.
        try:
            self._hear(message.topic, bytes(message.payload))
        except Exception:  # the topic is not told: it may be what cannot be read
            log.exception("a word of a horn could not be taken up")

    def _hear(self, topic: str, payload: bytes) -> None:
        place = protocol.address_in(self._topic, topic)
        if place is None or not payload:
            return
        address, kind = place
        try:
            said = (protocol.decode_answer if kind == "answer" else protocol.decode_state)(payload, address)
        except ValueError:
            log.warning("unreadable %s of horn %s", kind, address)
            return
        if isinstance(said, State):
            (self._offline.add if said.state == "offline" else self._offline.discard)(address)
            self._on_state(said)
            word = (said.last_command, said.last_status)
            if said.last_command and said.last_status in ANSWERS and self._told.get(address) != word:
                # Each state repeats the last answer: what nobody heard while the broker was away comes with it.
                self._learn(Answer(said.last_command, address, said.last_status, said.last_code, said.at))
        else:
            self._learn(said)

    def _learn(self, said: Answer) -> None:
        if said.address in self._told or len(self._told) < MOST_DEVICES:
            self._told[said.address] = (said.command_id, said.status)
        self._rounds.heard(said)
        if said.command_id:
            self._on_answer(said)

    # -- commands ----------------------------------------------------------------------------------
    def command(self, command: Command, devices: Sequence[Device], *, on_result: Callable[[Result], None],
                halted: Callable[[], bool]) -> None:
        """See :class:`Bridge`. Raises ValueError for a command that no device would take; a device whose address cannot
        be part of a topic fails for good (`address`)."""
        protocol.encode(command, 1, "any", self._key)
        for device in devices:
            if not protocol.is_address(device.address):
                on_result(Result(device.ref, FAILED, "address"))
        devices = [device for device in devices if protocol.is_address(device.address)]
        if not self._linked.wait(min(LINK_SECONDS, self._ack_seconds)):
            for device in devices:
                on_result(Result(device.ref, RETRY, "broker"))
            return
        with self._rounds.open(command.id, devices) as round_:
            why = self._try(command, round_, on_result, halted)
            answered, silent = round_.close()
            for device, answer in answered:
                on_result(_result_of(device, answer))
            for device in silent:
                reason = why or self._reason(device, round_)
                on_result(Result(device.ref, RETRY, reason, unsure=device.address in round_.published))

    def _reason(self, device: Device, round_: Round) -> str:
        if reason := round_.refusals.get(device.address):
            return f"refused:{reason}"
        return "offline" if device.address in self._offline else "silent"

    def _try(self, command: Command, round_: Round, on_result: Callable[[Result], None],
             halted: Callable[[], bool]) -> str:
        """Publish and wait; the code that stands for everyone left, or empty."""
        def why() -> str:
            if halted():
                return "halted"
            if utcnow() >= command.expires_at.astimezone(UTC):
                return "expired"
            return "" if self._linked.is_set() else "broker"

        def settle() -> bool:
            for device, answer in round_.settle():
                on_result(_result_of(device, answer))
            return not round_.waiting

        for attempt in range(TRIES):
            present = [d for d in round_.remaining() if d.address not in self._offline]
            absent = [] if attempt else [d for d in round_.remaining() if d.address in self._offline]
            if not present and not absent:
                break
            for device in present + absent:
                if code := why() or self._publish(command, device):
                    return code
                round_.published.add(device.address)
                self._hold_window(round_, settle, why)
            until = time.monotonic() + (self._ack_seconds if present else min(OFFLINE_SECONDS, self._ack_seconds))
            while time.monotonic() < until:
                if settle():
                    return ""
                if code := why():
                    return code
                if present and not round_.any_of(present):
                    # Only devices known to be away are left: they get a moment, not the whole time.
                    until, present = min(until, time.monotonic() + OFFLINE_SECONDS), []
                round_.wait(_POLL)
        return ""

    def _hold_window(self, round_: Round, settle: Callable[[], bool], why: Callable[[], str]) -> None:
        round_.sent(time.monotonic())
        while round_.outstanding(time.monotonic() - SLOT_SECONDS) >= WINDOW and not settle() and not why():
            round_.wait(_POLL)

    def _publish(self, command: Command, device: Device) -> str:
        payload = protocol.encode(command, self._numbers.next(), device.address, self._key)
        client = self._client
        if client is None:
            return "broker"
        info = client.publish(protocol.topic_of(self._topic, device.address, "command"), payload, qos=1, retain=False)
        return "broker" if info.rc != paho.MQTT_ERR_SUCCESS else ""


def _result_of(device: Device, answer: Answer) -> Result:
    if answer.status == EXPIRED and answer.code == "late":
        return Result(device.ref, FAILED, EXPIRED)
    return Result(device.ref, ACCEPTED, "" if answer.status != REFUSED else answer.code)
