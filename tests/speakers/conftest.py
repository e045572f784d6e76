from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from portal.channels.speakers.bridge import START, Answer, Command, Device, Result, State
from portal.channels.speakers.mqtt import MqttBridge
from portal.channels.speakers.protocol import public_hex
from portal.channels.speakers.simulator import Simulator
from portal.core.clock import utcnow
from tests.mosquitto import Mosquitto
from tests.waiting import LONGEST, until

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def order(now: datetime | None = None, **overrides: object) -> Command:
    """A command of now; `lasts` seconds until it expires."""
    now = now or utcnow()
    lasts = overrides.pop("lasts", 60)
    values: dict = {"id": str(uuid.uuid4()), "action": START, "exercise": False, "tier": "red", "event_code": "11B03",
                    "language": "zh", "text": "坪山街道暴雨红色预警，请立即转移。", "issued_at": now, "start_at": now,
                    "expires_at": now + timedelta(seconds=lasts), "repeats": 1}
    return Command(**(values | overrides))


class Portal:
    """A bridge with all it heard."""

    def __init__(self, url: str, *, key: Ed25519PrivateKey = KEY, ack_seconds: float = 20.0, name: str = "portal") -> None:
        self.answers: list[Answer] = []
        self.states: dict[str, State] = {}
        self.bridge = MqttBridge(url, "anlan", key, on_answer=self.answers.append, on_state=self._state,
                                 client_id=f"{name}-{uuid.uuid4().hex[:8]}", ack_seconds=ack_seconds)

    def _state(self, state: State) -> None:
        self.states[state.address] = state

    def command(self, command: Command, addresses: list[str], halted: Callable[[], bool] = lambda: False) -> dict[str, Result]:
        results: dict[str, Result] = {}

        def on_result(result: Result) -> None:
            assert result.ref not in results, "a device got two results"
            results[result.ref] = result
        self.bridge.command(command, [Device(f"ref-{a}", a) for a in addresses], on_result=on_result, halted=halted)
        return {ref.removeprefix("ref-"): result for ref, result in results.items()}

    def said(self, command: Command, address: str | None = None) -> list[str]:
        return [a.status for a in self.answers if a.command_id == command.id and address in (None, a.address)]

    def wait_for(self, command: Command, status: str, address: str | None = None, seconds: float = LONGEST) -> None:
        until(lambda: status in self.said(command, address), f"{status} (heard: {self.said(command, address)})", seconds)

    def state(self, address: str) -> str:
        return self.states[address].state if address in self.states else ""


class SpeakerProcess:
    """`anlan speaker` as a child process."""

    def __init__(self, url: str, address: str, directory: Path, *, pace: float = 50, heartbeat: float = 1) -> None:
        self.log = directory / f"{address}.log"
        self._args = [sys.executable, "-m", "portal.cli", "speaker", "--broker", url, "--address", address,
                      "--public-key", public_hex(KEY), "--state", str(directory / f"{address}.json"), "--log-only",
                      "--pace", str(pace), "--heartbeat", str(heartbeat)]
        self.process: subprocess.Popen | None = None

    def start(self) -> SpeakerProcess:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._args, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def spoken(self) -> int:
        return self.log.read_text().count("would say")


@pytest.fixture(scope="session")
def mosquitto() -> Iterator[Mosquitto]:
    """One broker for the tests that leave it alone; each uses addresses of its own."""
    broker = Mosquitto()
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def own_mosquitto() -> Iterator[Mosquitto]:
    """A broker that the test may kill."""
    broker = Mosquitto()
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def portal(request: pytest.FixtureRequest) -> Iterator[Callable[..., Portal]]:
    made: list[Portal] = []

    def make(url: str, **options: object) -> Portal:
        made.append(Portal(url, **options))  # type: ignore[arg-type]
        made[-1].bridge.start()
        assert made[-1].bridge.wait_connected(10)
        return made[-1]
    yield make
    for each in made:
        each.bridge.close()


@pytest.fixture
def horns() -> Iterator[Callable[..., list[str]]]:
    """Simulated horns; gives their addresses once those that answer are there."""
    made: list[Simulator] = []

    def make(url: str, count: int, *, absent: int = 0, **options: object) -> list[str]:
        tag = uuid.uuid4().hex[:8]
        addresses = [f"{tag}-{i:03d}" for i in range(count)]
        options = {"pace": 100.0} | {k: v(addresses) if callable(v) else v for k, v in options.items()}
        made.append(Simulator(url, "anlan", KEY.public_key(), addresses, **options))  # type: ignore[arg-type]
        made[-1].start()
        assert made[-1].wait_connected(count - absent, 30)
        return addresses
    yield make
    for each in made:
        each.stop()


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Callable[..., SpeakerProcess]]:
    made: list[SpeakerProcess] = []

    def make(url: str, address: str, **options: object) -> SpeakerProcess:
        made.append(SpeakerProcess(url, address, tmp_path, **options))  # type: ignore[arg-type]
        return made[-1].start()
    yield make
    for each in made:
        each.kill()
