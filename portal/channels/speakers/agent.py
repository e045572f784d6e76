"""The reference device: the mind of a horn on a real link, with a real mouth. `anlan speaker` runs it on any Linux box.

One thread owns the mind; the link and the player only put what happens into its queue, so nothing is obeyed twice at
once, and the expiry is kept by this thread's own clock, link or no link.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from paho.mqtt import client as paho

from portal.channels.speakers import protocol
from portal.channels.speakers.bridge import State
from portal.channels.speakers.horn import Effect, Horn, Play, Say, Silence
from portal.channels.speakers.link import KEEPALIVE_SECONDS, Broker, make_client
from portal.channels.speakers.memory import MemoryFile
from portal.channels.speakers.player import Player
from portal.core.clock import utcnow

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 30.0
MAX_EVENTS = 1000
_SESSION_BACKOFF = (1, 30)


def firmware() -> str:
    """What a device says that it runs."""
    try:
        return f"anlan {version('anlan')}"
    except PackageNotFoundError:
        return "anlan"


class Agent:
    """A device. `run()` works until `stop()`; `volume` is the loudest that it plays, per cent."""

    def __init__(self, broker_url: str, topic: str, address: str, key: Ed25519PublicKey, memory: MemoryFile,
                 player: Player, *, volume: int = 100, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        self._broker = Broker.parse(broker_url)
        self._topic, self._address = topic, address
        self._file, self._player = memory, player
        self._volume, self._heartbeat = volume, heartbeat
        self._events: queue.Queue[Callable[[], list[Effect]]] = queue.Queue(MAX_EVENTS)
        self._stopping = threading.Event()
        self._fault = False
        self._horn = Horn(address, key, memory.load(utcnow()), utcnow())
        self._client = self._make_client()

    def _make_client(self) -> paho.Client:
        # Not a clean session: the broker keeps commands for a horn whose link is down for a moment. They expire.
        client = make_client(self._broker, f"horn-{self._address}", clean=False, reconnect=True, in_flight=20)
        client.reconnect_delay_set(*_SESSION_BACKOFF)
        client.max_queued_messages_set(MAX_EVENTS)
        client.will_set(self._name("state"), protocol.encode_state(State(self._address, "offline")), qos=1, retain=True)
        client.on_connect, client.on_message = self._connected, self._message
        client.on_disconnect = self._disconnected
        return client

    def _name(self, kind: str) -> str:
        return protocol.topic_of(self._topic, self._address, kind)

    # -- the link's thread -------------------------------------------------------------------------
    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: object, _props: object) -> None:
        if getattr(reason, "is_failure", False):
            log.error("the broker %s refuses this device: %s", self._broker, reason)
            return
        log.info("linked to %s as %s", self._broker, self._address)
        client.subscribe(self._name("command"), 1)
        self._put(lambda: self._tell() or [])

    def _disconnected(self, _client: paho.Client, _data: object, _flags: object, reason: object,
                      _props: object) -> None:
        if not self._stopping.is_set():
            log.warning("the link to %s is gone (%s)", self._broker, reason)

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if message.retain:  # the portal never retains a command, so this is not its doing
            log.warning("a retained command was ignored")
            return
        self._put(lambda: self._horn.receive(bytes(message.payload), utcnow()))

    def _put(self, event: Callable[[], list[Effect]]) -> None:
        try:
            self._events.put_nowait(event)
        except queue.Full:  # a flood: the portal repeats what is not answered
            log.error("too much at once: something was dropped")

    # -- the mind's thread -------------------------------------------------------------------------
    def run(self) -> None:
        """Work until :meth:`stop`; then fall silent, say goodbye and return."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_SECONDS)
        self._client.loop_start()
        next_beat = utcnow()
        try:
            while not self._stopping.is_set():
                self._carry_out(self._horn.tick(utcnow()))
                now = utcnow()
                if (now - next_beat).total_seconds() >= 0 or (next_beat - now).total_seconds() > self._heartbeat:
                    self._tell()
                    next_beat = now + self._pause()
                due = self._horn.next_due(now)
                wait = (min(next_beat, due) if due else next_beat) - now
                try:
                    event = self._events.get(timeout=min(max(wait.total_seconds(), 0.0), 0.5))
                except queue.Empty:
                    continue
                self._carry_out(event())
        finally:
            self._player.stop()
            self._say_goodbye()

    def _pause(self) -> timedelta:
        return timedelta(seconds=self._heartbeat * random.uniform(0.85, 1.0))  # noqa: S311 - spreads the load

    def stop(self) -> None:
        """Safe from any thread and from a signal handler (so it takes no lock: `run` looks every half second)."""
        self._stopping.set()

    def _say_goodbye(self) -> None:
        if self._client.is_connected():
            state = protocol.encode_state(State(self._address, "offline", at=utcnow(), firmware=firmware()))
            try:
                self._client.publish(self._name("state"), state, qos=1, retain=True).wait_for_publish(2)
            except (RuntimeError, ValueError) as error:
                log.warning("no goodbye: %s", error)
        self._client.disconnect()
        self._client.loop_stop()

    def _carry_out(self, effects: list[Effect]) -> None:
        if self._horn.memory.dirty:
            self._save()
        for effect in effects:
            if isinstance(effect, Say):
                answer = effect.answer
                log.info("%s %s %s", answer.status, answer.command_id or "-", answer.code)
                self._client.publish(self._name("answer"), protocol.encode_answer(answer), qos=1)
            elif isinstance(effect, Silence):
                self._player.stop()
            else:
                self._play(effect)
        if any(not isinstance(effect, Say) or effect.answer.status in ("finished", "failed") for effect in effects):
            self._tell()

    def _play(self, effect: Play) -> None:
        token, command = effect.token, effect.command
        capped = replace(command, volume=min(command.volume, self._volume))
        self._player.play(capped, lambda code: self._put(lambda: self._horn.ended(token, code, utcnow())))

    def _save(self) -> None:
        try:
            self._file.save(self._horn.memory)
            self._fault = False
        except OSError as error:
            # To stay silent in an emergency because a disk is full would be worse than a weaker memory.
            log.error("the state file cannot be written: %s", error)
            self._fault = True

    def _tell(self) -> None:
        last = self._horn.last_word
        state = "playing" if self._horn.playing else "fault" if self._fault else "online"
        if self._client.is_connected():
            said = State(self._address, state, at=utcnow(), firmware=firmware(), volume=self._volume,
                         last_command=last[0], last_status=last[1], last_code=last[2], refused=self._horn.refused)
            self._client.publish(self._name("state"), protocol.encode_state(said), qos=1, retain=True)
