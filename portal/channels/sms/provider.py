"""What the portal asks of a carrier of text messages. A new carrier is one file beside this one that keeps it.

A provider gets numbers and a body, never a warning: it knows nothing of who is warned of what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

#: What the carrier said of one hand-over.
ACCEPTED = "accepted"  # the carrier took it; nothing is known yet of the phone
FAILED = "failed"  # refused for good: `code` says why
OPTED_OUT = "opted_out"  # the person told the carrier to stop (Twilio 21610)
INVALID = "invalid"  # no such number: not to be tried again
RETRY = "retry"  # a passing error: try again later

#: What a carrier later says of one message.
SENT, DELIVERED, UNDELIVERED = "sent", "delivered", "undelivered"


@dataclass(frozen=True, slots=True)
class Message:
    """One recipient of a body. `ref` is the sender's own delivery id, which comes back in results and receipts."""

    ref: str
    to: str  # E.164


@dataclass(frozen=True, slots=True)
class Result:
    """The carrier's answer to one hand-over. `code` is the carrier's error code, or a word of ours such as `timeout`."""

    ref: str
    status: str
    code: str = ""
    carrier_id: str = ""
    retry_after: float | None = None  # seconds
    unsure: bool = False  # with RETRY: the carrier may have taken it, its answer was lost


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the carrier later says of one message: `status` is SENT, DELIVERED, UNDELIVERED or FAILED."""

    ref: str
    status: str
    code: str = ""
    carrier_id: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A text that a phone sent to us. `message_id` is the carrier's own number of it; with `answered` the carrier has answered by
    itself already, and another answer would come on top of it or be refused."""

    message_id: str
    phone: str  # E.164
    body: str
    answered: bool = False


class Rejected(Exception):
    """A callback that is not the carrier's (bad signature) or cannot be read."""


class Forged(Rejected):
    """A callback without the carrier's own signature."""


class Provider(Protocol):
    """A carrier. Safe to call from several threads."""

    name: str

    def send(
        self,
        body: str,
        messages: Sequence[Message],
        *,
        expires_at: datetime,
        callback_url: Callable[[str], str] | None,
        on_result: Callable[[Result], None],
        halted: Callable[[], bool],
    ) -> None:
        """Hand `body` over to each of `messages`, many at a time, and call `on_result` once for each one tried.

        Returns when all answers are in. Asks `halted()` before each new request and begins none once it is true;
        begins none after `expires_at`; tells the carrier the validity period. Messages without a result were never
        handed over. `callback_url(ref)` is where the carrier reports later, None when it cannot reach us.
        """
