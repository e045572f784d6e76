"""Simulated horns: many devices in one thread, each with its own connection to the broker and the same mind as the
reference device. They speak the real protocol; only the speaking itself is the passing of (shortened) time.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from paho.mqtt import client as paho

from portal.channels.speakers import protocol, speech
from portal.channels.speakers.bridge import FAILED, FINISHED, State
from portal.channels.speakers.horn import Effect, Horn, Play, Say
from portal.channels.speakers.link import Broker, make_client
from portal.channels.speakers.memory import Memory
from portal.core.clock import utcnow

log = logging.getLogger(__name__)
FIRMWARE = "simulated"
#: Connections begun at once; the rest follow as these come through.
CONNECT_BATCH = 40
_KEEPALIVE = 60
_RETRY_SECONDS = 2.0


class Simulator:
    """Devices at `addresses`. `pace`: so many times faster than speech. Faults: `offline` come and are then cut off,
    `silent` never answer, `failing` hear but cannot sound."""

    def __init__(self, url: str, topic: str, key: Ed25519PublicKey, addresses: Sequence[str], *, pace: float = 10.0,
                 offline: Collection[str] = (), silent: Collection[str] = (), failing: Collection[str] = (),
                 heartbeat: float = 30.0) -> None:
        self.broker, self.topic, self.pace, self.heartbeat = Broker.parse(url), topic, pace, heartbeat
        self._devices = [_Device(self, address, key, offline=address in offline, silent=address in silent,
                                 failing=address in failing) for address in addresses]
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._up = 0
        self._connecting = 0
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread: threading.Thread | None = None

    # -- for the owner, from any thread --------------------------------------------------------------
    def start(self) -> None:
        """Begin to connect all devices. Returns at once."""
        self._thread = threading.Thread(target=self._run, name="simulated-horns", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cut all connections (the broker then tells that the devices are gone) and end the thread."""
        self._stopping.set()
        self._wake_write.send(b"\0")
        if self._thread is not None:
            self._thread.join(10)
        self._wake_read.close()
        self._wake_write.close()

    @property
    def connected(self) -> int:
        """Devices that listen to their commands right now."""
        return self._up

    def wait_connected(self, count: int, seconds: float) -> bool:
        """Wait until so many devices listen, at most so long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._up >= count, seconds)

    # -- for the devices, in the one thread ----------------------------------------------------------
    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (time.monotonic() + max(seconds, 0.0), next(self._order), action))

    def count_up(self, change: int) -> None:
        with self._changed:
            self._up += change
            self._changed.notify_all()

    def watch(self, sock: Any, device: _Device, *, writing: bool) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if sock.fileno() in self._selector.get_map():
            self._selector.modify(sock, events, device)
        else:
            self._selector.register(sock, events, device)

    def unwatch(self, sock: Any) -> None:
        if sock.fileno() in self._selector.get_map():
            self._selector.unregister(sock)

    def connection_settled(self) -> None:
        self._connecting -= 1

    def _run(self) -> None:
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        waiting = list(self._devices)
        waiting.reverse()
        self._care()
        try:
            while not self._stopping.is_set():
                while waiting and self._connecting < CONNECT_BATCH:
                    self._connecting += 1
                    waiting.pop().connect()
                due = self._timers[0][0] - time.monotonic() if self._timers else 1.0
                for key, events in self._selector.select(0 if waiting else min(max(due, 0.0), 1.0)):
                    if key.data is not None:
                        key.data.ready(events)
                self._run_timers()
        except Exception:
            log.exception("the simulated horns have failed")
        finally:
            for device in self._devices:
                device.cut()
            self._selector.close()

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    def _care(self) -> None:
        for device in self._devices:
            device.care()
        self.later(5.0, self._care)


class _Device:
    """One simulated horn."""

    def __init__(self, owner: Simulator, address: str, key: Ed25519PublicKey, *, offline: bool, silent: bool,
                 failing: bool) -> None:
        self._owner, self._address = owner, address
        self._offline, self._silent, self._failing = offline, silent, failing
        self._horn = Horn(address, key, Memory(), utcnow())
        self._due: datetime | None = None
        self._up = self._settled = False
        self._client = make_client(owner.broker, f"sim-{address}", clean=True, reconnect=False, in_flight=20)
        self._client.will_set(self._name("state"), protocol.encode_state(State(address, "offline")), qos=1, retain=True)
        self._client.on_connect, self._client.on_subscribe = self._connected, self._subscribed
        self._client.on_message, self._client.on_disconnect = self._message, self._disconnected
        self._client.on_socket_open = lambda _c, _d, sock: owner.watch(sock, self, writing=False)
        self._client.on_socket_close = lambda _c, _d, sock: owner.unwatch(sock)
        self._client.on_socket_register_write = lambda _c, _d, sock: owner.watch(sock, self, writing=True)
        self._client.on_socket_unregister_write = lambda _c, _d, sock: owner.watch(sock, self, writing=False)

    def _name(self, kind: str) -> str:
        return protocol.topic_of(self._owner.topic, self._address, kind)

    # -- the link ------------------------------------------------------------------------------------
    def connect(self) -> None:
        try:
            self._client.connect(self._owner.broker.host, self._owner.broker.port, _KEEPALIVE)
        except OSError:
            self._settle()
            self._owner.later(_RETRY_SECONDS * random.uniform(1, 2), self.connect)  # noqa: S311 - spreads the load

    def ready(self, events: int) -> None:
        if events & selectors.EVENT_READ:
            self._client.loop_read(20)
        if events & selectors.EVENT_WRITE:
            self._client.loop_write()

    def care(self) -> None:
        """Keep the connection alive."""
        if self._client.socket() is not None:
            self._client.loop_misc()

    def cut(self) -> None:
        """As if the power had gone: no goodbye."""
        client = self._client
        client.on_socket_open = client.on_socket_close = None
        client.on_socket_register_write = client.on_socket_unregister_write = None
        if (sock := client.socket()) is not None:
            sock.close()

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self._owner.connection_settled()

    def _connected(self, client: paho.Client, _data: object, _flags: object, reason: object, _props: object) -> None:
        if not getattr(reason, "is_failure", False):
            client.subscribe(self._name("command"), 1)

    def _subscribed(self, *_: object) -> None:
        self._settle()
        if self._offline:
            self._owner.later(0.1, self._power_cut)
            return
        self._up = True
        self._owner.count_up(1)
        self._tell()
        self._owner.later(self._owner.heartbeat * random.uniform(0.5, 1.0), self._beat)  # noqa: S311 - spreads the load

    def _power_cut(self) -> None:
        sock: Any = self._client.socket()  # typed as less than the socket that it is
        if sock is not None:
            sock.shutdown(socket.SHUT_RDWR)

    def _disconnected(self, *_: object) -> None:
        self._settle()
        if self._up:
            self._up = False
            self._owner.count_up(-1)
        if not self._offline:
            self._owner.later(_RETRY_SECONDS * random.uniform(0.5, 1.5), self.connect)  # noqa: S311 - spreads the load

    def _message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        if not message.retain and not self._silent:
            self._carry_out(self._horn.receive(bytes(message.payload), utcnow()))

    # -- the mind --------------------------------------------------------------------------------------
    def _carry_out(self, effects: list[Effect]) -> None:
        self._horn.memory.dirty = False  # a simulated horn has no disk
        changed = False
        for effect in effects:
            if isinstance(effect, Say):
                self._client.publish(self._name("answer"), protocol.encode_answer(effect.answer), qos=1)
                changed |= effect.answer.status in (FINISHED, FAILED)
            else:
                changed = True
                if isinstance(effect, Play):
                    self._play(effect)
        if changed:
            self._tell()
        self._schedule()

    def _play(self, effect: Play) -> None:
        command = effect.command
        seconds = speech.spoken_seconds(command.text, command.language, command.repeats, command.tone) / self._owner.pace
        code = "amplifier" if self._failing else ""
        self._owner.later(0.05 if code else seconds, lambda: self._carry_out(
            self._horn.ended(effect.token, code, utcnow())))

    def _schedule(self) -> None:
        now = utcnow()
        due = self._horn.next_due(now)
        if due is None or (self._due is not None and now < self._due <= due):
            return
        self._due = due

        def tick() -> None:
            if self._due == due:
                self._due = None
            self._carry_out(self._horn.tick(max(utcnow(), due)))
        self._owner.later((due - now).total_seconds(), tick)

    def _beat(self) -> None:
        if self._up:
            self._tell()
            self._owner.later(self._owner.heartbeat, self._beat)

    def _tell(self) -> None:
        last = self._horn.last_word
        state = "playing" if self._horn.playing else "fault" if self._failing else "online"
        said = State(self._address, state, at=datetime.now(UTC), firmware=FIRMWARE, volume=80,
                     last_command=last[0], last_status=last[1], last_code=last[2], refused=self._horn.refused)
        self._client.publish(self._name("state"), protocol.encode_state(said), qos=1, retain=True)
