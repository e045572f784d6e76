"""Waiting for what must happen: boundedly, and with a name for what did not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import create_engine, text

LONGEST = 90.0  # seconds for anything that is waited for
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.2  # seconds between two looks


def until(true: Callable[[], Any], what: str, seconds: float = LONGEST) -> Any:
    """What `true` returns once it is not false; fails with `what` when that takes too long.

    The longer it has taken, the longer the pauses, which stay a twentieth of it: whoever looks all the time takes the processor
    from what is waited for.
    """
    begun = time.monotonic()
    while not (found := true()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"after {seconds:.0f} s still not: {what}"
        time.sleep(min(max(SHORTEST_PAUSE, waited / 20), LONGEST_PAUSE))
    return found


def until_somebody_waits_for_a_lock(url: str) -> None:
    """Return once a session of this database waits for what another holds. On SQLite, where writers enter one by one, at once."""
    if not url.startswith("postgresql"):
        return
    engine = create_engine(url)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            until(lambda: connection.execute(waiting).scalar_one(), "somebody waits for a lock", 20)
    finally:
        engine.dispose()
