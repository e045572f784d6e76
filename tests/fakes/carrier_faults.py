"""What is to go wrong at the fake carrier."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """Shares are between 0 and 1 and drawn from `seed`; lists hold numbers in E.164."""

    too_many: float = 0.0  # share answered 429
    retry_after: int | None = None
    rate: float = 0.0  # messages a second above which 429 is answered; 0 for no limit
    server_error: float = 0.0  # share answered 500
    delay_ms: float = 0.0
    reset: float = 0.0  # share whose connection is reset after the message was read
    cut: float = 0.0  # share whose answer ends in the middle; the message was taken
    not_json: float = 0.0  # share answered 201 with a page instead of JSON; the message was taken
    down_until: float = 0.0  # unix time until which connections are closed at once
    opted_out: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    landline: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    wrong_sender: bool = False  # 21606 for everyone
    callbacks: bool = True
    callback_first: bool = False  # the status arrives before the answer to the request
    callback_twice: bool = False
    half_open: float = 0.0  # share of messages upon which the connection says nothing any more; they are not taken
    slow: float = 0.0  # share answered only after `slow_seconds`
    slow_seconds: float = 30.0
    chunked: bool = False  # answers come in chunks
    dribble: bool = False  # answers come in pieces of a few bytes
    say_close: float = 0.0  # share of answers with `Connection: close`
    close_idle: float = 0.0  # share of answers after which the connection is closed although nothing was said of it
    until_close: bool = False  # answers name no length and end with the connection
    seed: int = 1
