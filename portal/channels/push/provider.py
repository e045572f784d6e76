"""What is asked of whoever carries notifications. It gets an address, a payload and an end, and knows nothing of warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from portal.channels.push.encryption import Keys

#: What the push service said of one hand-over.
ACCEPTED = "accepted"  # it took it; whether the browser showed it, it does not say
GONE = "gone"  # 404 or 410: the browser has given the subscription up
FAILED = "failed"  # refused for good
RETRY = "retry"  # a passing error


@dataclass(frozen=True, slots=True)
class Note:
    """One device. `ref` comes back in the result."""

    ref: int
    url: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class Result:
    """`code` is an HTTP status or a word of ours; `retry_after` in seconds; `unsure`: it may have been taken."""

    ref: int
    status: str
    code: str = ""
    retry_after: float | None = None
    unsure: bool = False


class Provider(Protocol):
    """Safe to call from several threads."""

    def send(
        self,
        payload: bytes,
        notes: Sequence[Note],
        *,
        expires_at: datetime,
        urgent: bool,
        topic: str,
        on_result: Callable[[Result], None],
        halted: Callable[[], bool],
    ) -> None:
        """Hand `payload` over to each of `notes`, many at a time, and call `on_result` in the caller's thread, once for each one
        tried. Returns when all answers are in, or those missing were given up as RETRY. Begins none once `halted()` is true, and
        none after `expires_at`, which the service is told as TTL. `topic` (32 characters of base64url at most): of several
        messages that wait for one browser only the last of a topic is kept."""

    def close(self) -> None: ...
