"""What the portal asks of a kind of loudspeaker. A new kind is one file beside this one that keeps it.

A bridge gets words, times and devices, never a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

START, STOP, TEST = "start", "stop", "test"
#: Of a result: it did not come to an end, and is tried again.
RETRY = "retry"

#: Answers of a device to one command, in the order in which they come. `heard`: it has verified and taken the command.
HEARD, PLAYING, FINISHED = "heard", "playing", "finished"
FAILED, PREEMPTED, EXPIRED, REFUSED, STOPPED = "failed", "preempted", "expired", "refused", "stopped"
ANSWERS = (HEARD, PLAYING, FINISHED, FAILED, PREEMPTED, EXPIRED, REFUSED, STOPPED)


@dataclass(frozen=True, slots=True)
class Command:
    """One order to horns. `id` is the same for all devices and all repetitions, so a device obeys it once.

    `stops` names earlier commands that end when this one begins (what an all-clear or an update replaces).
    """

    id: str
    action: str
    exercise: bool
    tier: str
    event_code: str
    language: str
    text: str
    issued_at: datetime
    start_at: datetime
    expires_at: datetime
    repeats: int = 3
    volume: int = 80  # per cent
    tone: str = "attention"
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Device:
    """`ref` comes back in results and answers; `address` is what the bridge knows the device by."""

    ref: str
    address: str


@dataclass(frozen=True, slots=True)
class Result:
    """`status`: accepted (handed to the link for this device), failed for good, or retry; `unsure`: with retry, the
    command was published and may still reach the device."""

    ref: str
    status: str
    code: str = ""
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device said of a command: `status` is one of the answers above, with the device's own clock."""

    command_id: str
    address: str
    status: str
    code: str = ""
    device_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a device last said of itself: `state` is online, offline, playing or fault; `at` is the device's own clock,
    None in a last will. `last_command`, `last_status` and `last_code`: its newest order and what became of it. `refused`
    counts the commands that it refused since it started."""

    address: str
    state: str
    at: datetime | None = None
    firmware: str = ""
    volume: int | None = None
    battery: int | None = None
    last_command: str = ""
    last_status: str = ""
    last_code: str = ""
    refused: int = 0


class Bridge(Protocol):
    """A kind of loudspeaker. Safe to call from several threads."""

    name: str

    def command(self, command: Command, devices: Sequence[Device], *, on_result: Callable[[Result], None],
                halted: Callable[[], bool]) -> None:
        """Hand `command` to the devices, window the publishing, and repeat to those that do not answer until
        they do, `halted()`, or it expires. `accepted` only once the device itself has answered `heard`; devices
        that stay silent until the end of the call get `retry`."""
