"""The fake push service as a process of its own, and what a test does with it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

from portal.channels.push.encryption import Keys
from portal.channels.push.provider import Note
from portal.config import ROOT
from portal.core.keys import from_base64url


class PushService:
    """`url` is what `push_services` names."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def new(self, count: int = 1) -> list[dict[str, Any]]:
        """Subscriptions as browsers have them."""
        return self._ask("/_new", {"count": count})

    def behave(self, subscription: dict[str, Any] | str, how: str) -> None:
        """`subscription` may be "*": whoever has no behaviour of their own."""
        name = subscription if isinstance(subscription, str) else name_of(subscription)
        self._ask("/_behave", {name: how})

    def told(self, subscription: dict[str, Any]) -> list[dict[str, Any]]:
        """The messages that this browser got."""
        return [m for m in self.all()["taken"] if m["id"] == name_of(subscription)]

    def all(self) -> dict[str, Any]:
        return self._ask("/_messages")

    def _ask(self, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def name_of(subscription: dict[str, Any]) -> str:
    return subscription["endpoint"].rpartition("/")[2]


def note(ref: int, subscription: dict[str, Any]) -> Note:
    keys = subscription["keys"]
    return Note(ref, subscription["endpoint"], Keys(from_base64url(keys["p256dh"]), from_base64url(keys["auth"])))


@contextlib.contextmanager
def running() -> Iterator[PushService]:
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.push_service", "--port", "0"], cwd=ROOT, text=True,
                               stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield PushService(int(process.stdout.readline().split()[1]))
    finally:
        process.terminate()
        process.wait(10)
