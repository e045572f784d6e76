"""Telling others: alarms by POST, and the heartbeat that is asked as long as all is well.

Addresses may hold keys: neither they nor what libraries say of them comes into the log, only what kind of error it was.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)

TIMEOUT = 5.0  # seconds, for each step of a request
PAUSES = (0.0, 2.0, 8.0)  # seconds before each try
MOST_WAITING = 100


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET, and nobody would have been told anything."""

    def redirect_request(self, *_: Any) -> None:
        return None


_posting = urllib.request.build_opener(_NoRedirect)


def post(url: str, payload: dict[str, Any]) -> str:
    """POST as JSON, once. Empty when it was taken, else the kind of error."""
    return _ask(_posting, url, json.dumps(payload, ensure_ascii=False).encode())


def beat(url: str) -> str:
    """Ask the heartbeat address, once. Empty when it answered, else the kind of error."""
    return _ask(urllib.request.build_opener(), url, None)


def _ask(opener: urllib.request.OpenerDirector, url: str, body: bytes | None) -> str:
    if not url.startswith(("http://", "https://")):
        return "no http address"
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})  # noqa: S310
        with opener.open(request, timeout=TIMEOUT):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"HTTP {error.code}"
    except Exception as error:
        return type(getattr(error, "reason", error)).__name__


class Teller:
    """Posts in a thread of its own, each message a few times at most; what finds no room to wait is dropped, and said."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._queue: queue.Queue[tuple[dict[str, Any], Callable[[], None]]] = queue.Queue(MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch-tell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, seconds: float) -> None:
        self._stopping.set()
        self._thread.join(seconds)

    def tell(self, payload: dict[str, Any], taken: Callable[[], None] = lambda: None) -> None:
        """`taken` is called, in the teller's thread, once somebody has it. Without an address nothing is told."""
        if not self._url:
            return
        try:
            self._queue.put_nowait((payload, taken))
        except queue.Full:
            log.error("an alarm could not be told: too many wait")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                payload, taken = self._queue.get(timeout=0.5)
            except queue.Empty:
                continue
            if self._told(payload):
                try:
                    taken()
                except Exception:
                    log.exception("it could not be written that an alarm was told")

    def _told(self, payload: dict[str, Any]) -> bool:
        for pause in PAUSES:
            if self._stopping.wait(pause):
                return False
            if not (error := post(self._url, payload)):
                return True
            log.error("the alarm's address did not take it: %s", error)
        return False
