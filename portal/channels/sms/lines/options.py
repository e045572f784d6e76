"""What a line's settings are, whatever its kind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from flask import Flask
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from portal.channels.sms.provider import Inbound, Receipt

#: Hears receipts that a line brings by itself: the line's name and what is said, each with the message's ref, or with the
#: carrier's number alone. Returns once they are durable; called in a thread of the line's own.
OnReceipts = Callable[[str, Sequence[Receipt]], None]
#: Hears a text that a phone wrote; returns the words that answer it, or none.
OnText = Callable[[str, Inbound], str]


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what lines bring by themselves. `app`: in whose context the line works that keeps what it sends."""

    on_receipts: OnReceipts | None = None
    on_text: OnText | None = None
    app: Flask | None = None


def _from_environment(value: object) -> object:
    """`$NAME` stands for what the environment holds under this name, so that a file need hold no secret."""
    if isinstance(value, str) and re.fullmatch(r"\$[A-Z_][A-Z0-9_]*", value):
        found = os.environ.get(value[1:])
        if not found:
            raise ValueError(f"the environment has no {value[1:]}")
        return found
    return value


#: A text, or `$NAME` of the environment.
Text = Annotated[str, BeforeValidator(_from_environment)]
Secret = Annotated[SecretStr, BeforeValidator(_from_environment)]


class LineOptions(BaseModel):
    """One line. A kind's own options are a class of its module, called `Options`, that says which `kind` it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9-]{1,20}$")
    kind: str
    weight: float = Field(1.0, gt=0, le=1000)
    rate: float = Field(0.0, ge=0, le=100_000)  # a process and second, 0 for no limit
    unit: Literal["messages", "segments"] = "messages"
    max_in_flight: int | None = Field(None, ge=1, le=4000)  # None: as the settings say
