"""The end of an application that a test has put on a port, in a thread of its own."""

from __future__ import annotations

import threading
from typing import Any

from waitress import wasyncore


def end(server: Any, thread: threading.Thread) -> None:
    """End waitress's server and the thread that runs it, at once.

    Its own `close` leaves open connections to themselves: the thread looks after those that a browser keeps until they have been
    idle for minutes, and whoever waits for it waits in vain. They are closed in the thread itself, which a word wakes.
    """
    server.task_dispatcher.shutdown(timeout=2)
    server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
    thread.join(10)
    assert not thread.is_alive(), "a server that was closed is still at work"
