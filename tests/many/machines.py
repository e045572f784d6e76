"""Machines on one network: namespaces with a cable each to a switch, on which the servers listen.

Where namespaces cannot be made (no root, no `ip`), machines are wires to the servers that can be frozen, at loopback addresses of
their own: what a pulled cable does is imitated then, not done.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Protocol

from portal.core.leader import MISSED_SECONDS
from tests.many.wire import Wire


class Machine(Protocol):
    """`namespace`: what its processes enter; "" for none."""

    namespace: str

    def door(self, port: int) -> tuple[str, int]:
        """Where its processes find the server that listens on `port`."""

    def unplug(self) -> None: ...
    def plug(self) -> None: ...


class Namespaced:
    """A machine whose network is its own."""

    def __init__(self, namespace: str, cable: str, switch: str) -> None:
        self.namespace, self._cable, self._switch = namespace, cable, switch

    def door(self, port: int) -> tuple[str, int]:
        return self._switch, port

    def unplug(self) -> None:
        _ip("link", "set", self._cable, "down")

    def plug(self) -> None:
        _ip("link", "set", self._cable, "up")


class Wired:
    """A machine in name: it shares the network, and its ways to the servers can be frozen."""

    namespace = ""

    def __init__(self, address: str, servers: str) -> None:
        self._address, self._servers = address, servers
        self._wires: dict[int, Wire] = {}
        self._missed: threading.Timer | None = None

    def door(self, port: int) -> tuple[str, int]:
        if port not in self._wires:
            self._wires[port] = Wire(self._servers, port, self._address)
        return self._address, self._wires[port].port

    def unplug(self) -> None:
        for wire in self._wires.values():
            wire.freeze()
        self._missed = threading.Timer(MISSED_SECONDS, self._cut)  # a server asks after who is silent, and gives it up
        self._missed.daemon = True
        self._missed.start()

    def plug(self) -> None:
        if self._missed:
            self._missed.cancel()
        for wire in self._wires.values():
            wire.thaw()

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    def _cut(self) -> None:
        for wire in self._wires.values():
            wire.cut()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def can_make_namespaces() -> bool:
    if os.geteuid() or not shutil.which("ip"):
        return False
    name = f"an{secrets.token_hex(3)}"
    try:
        _ip("netns", "add", name)
        _ip("link", "add", name, "type", "bridge")
    except (subprocess.SubprocessError, OSError):
        return False
    finally:
        for words in (("link", "delete", name), ("netns", "delete", name)):
            with contextlib.suppress(subprocess.SubprocessError, OSError):
                _ip(*words)
    return True


@contextlib.contextmanager
def network(count: int) -> Iterator[tuple[str, Sequence[Machine]]]:
    """The address on which servers listen, and the machines."""
    if can_make_namespaces():
        with _namespaces(count) as made:
            yield made
        return
    warnings.warn("no network namespaces can be made here: pulled cables are imitated", stacklevel=1)
    machines = [Wired(f"127.0.0.{2 + n}", "127.0.0.1") for n in range(count)]
    try:
        yield "127.0.0.1", machines
    finally:
        for machine in machines:
            machine.close()


@contextlib.contextmanager
def _namespaces(count: int) -> Iterator[tuple[str, Sequence[Machine]]]:
    run = secrets.token_hex(3)
    net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
    switch, address = f"an{run}", f"{net}.1"
    machines: list[Namespaced] = []
    try:
        _ip("link", "add", switch, "type", "bridge")
        _ip("address", "add", f"{address}/24", "dev", switch)
        _ip("link", "set", switch, "up")
        for n in range(count):
            space, cable = f"an{run}-{n}", f"an{run}{n}"
            machines.append(Namespaced(space, cable, address))
            _ip("netns", "add", space)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", cable, "master", switch, "up")
            _ip("-n", space, "address", "add", f"{net}.{10 + n}/24", "dev", "eth0")
            _ip("-n", space, "link", "set", "eth0", "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield address, machines
    finally:
        for machine in machines:
            with contextlib.suppress(subprocess.SubprocessError):
                _ip("netns", "delete", machine.namespace)
        with contextlib.suppress(subprocess.SubprocessError):
            _ip("link", "delete", switch)
