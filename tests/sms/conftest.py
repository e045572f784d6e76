"""The fake carrier as a process of its own, and a provider that talks to it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from portal.channels.sms.provider import Message, Result
from portal.channels.sms.twilio import TwilioProvider
from portal.config import ROOT, Settings
from portal.core.clock import utcnow

ACCOUNT, TOKEN, SERVICE = "AC" + "0" * 32, "test-token", "MG" + "1" * 32
BODY = "【坪山应急】暴雨红色预警：请立即转移到安全地带。"


class CarrierProcess:
    """What a test does with the carrier: set faults, read counts."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def faults(self, **faults: Any) -> None:
        self._ask("/_control", faults)

    def reset(self) -> None:
        self._ask("/_reset", {})

    def summary(self) -> dict[str, Any]:
        return self._ask("/_control")

    def messages(self) -> list[dict[str, Any]]:
        return self._ask("/_messages")

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(self.url + path, data=data, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def carrier_process() -> Iterator[CarrierProcess]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.carrier", "--port", "0"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield CarrierProcess(int(process.stdout.readline().split()[1]))
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def carrier(carrier_process: CarrierProcess) -> CarrierProcess:
    carrier_process.reset()
    return carrier_process


def twilio_settings(url: str, **overrides: Any) -> Settings:
    values: dict[str, Any] = {
        "sms_provider": "twilio",
        "twilio_account_sid": ACCOUNT,
        "twilio_auth_token": TOKEN,
        "twilio_messaging_service_sid": SERVICE,
        "twilio_api_url": url,
        "twilio_timeout": 5,
        "max_in_flight": 8,
        "public_url": "https://warn.example",
    }
    return Settings(**(values | overrides))


@pytest.fixture
def make_provider(carrier: CarrierProcess) -> Iterator[Callable[..., TwilioProvider]]:
    made: list[TwilioProvider] = []

    def make(**overrides: Any) -> TwilioProvider:
        made.append(TwilioProvider(twilio_settings(overrides.pop("url", carrier.url), **overrides)))
        return made[-1]

    yield make
    for provider in made:
        provider.close()


def messages(count: int) -> list[Message]:
    return [Message(f"1/{n}", f"+86129{n:08d}") for n in range(1, count + 1)]


def send(
    provider: Any,
    to: list[Message],
    *,
    body: str = BODY,
    seconds: float = 3600,
    halted: Callable[[], bool] = lambda: False,
    callback_url: Callable[[str], str] | None = None,
) -> list[Result]:
    """All results of one call, in the order in which they came."""
    results: list[Result] = []
    provider.send(
        body,
        to,
        expires_at=utcnow() + timedelta(seconds=seconds),
        callback_url=callback_url,
        on_result=results.append,
        halted=halted,
    )
    return results


def by_ref(results: list[Result]) -> dict[str, Result]:
    found = {result.ref: result for result in results}
    assert len(found) == len(results), "a message had more than one result"
    return found
