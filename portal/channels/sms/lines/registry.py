"""Which lines there are: those of the file that the settings name, or else the one that the settings describe.

A new kind is a module beside this one with `Options` (a `LineOptions`) and `make(options, settings, ears)`, and a line here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
from flask import Flask
from pydantic import ValidationError

from portal.channels.sms.lines.line import Line
from portal.channels.sms.lines.options import Ears, LineOptions, OnReceipts, OnText
from portal.config import Settings

MODULES = {
    "sandbox": "portal.channels.sms.lines.sandbox_line",
    "smpp": "portal.channels.sms.lines.smpp_line",
    "twilio": "portal.channels.sms.lines.twilio_line",
}
MOST_LINES = 50


class Unusable(click.ClickException, ValueError):
    """The file of lines cannot be used; the message says in which line and field, and what is wrong, without its value. A command
    that meets it says so and ends."""

    exit_code = 2


def make_lines(
    settings: Settings, *, on_receipts: OnReceipts | None = None, on_text: OnText | None = None, app: Flask | None = None
) -> list[Line]:
    """The lines, not yet open. `app`: for the sandbox, which keeps its messages in the portal's database. Raises Unusable."""
    ears = Ears(on_receipts, on_text, app)
    return [import_module(MODULES[options.kind]).make(options, settings, ears) for options in configured(settings)]


def configured(settings: Settings) -> list[LineOptions]:
    """What each line is set to. Raises Unusable."""
    if settings.sms_lines is None:
        return [_the_one(settings)]
    try:
        content = tomllib.loads(settings.sms_lines.read_text("utf-8"))
    except OSError as error:
        raise Unusable(f"{settings.sms_lines}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unusable(f"{settings.sms_lines}: {error}") from None
    entries = content.pop("line", None)
    if content or not isinstance(entries, list) or not 0 < len(entries) <= MOST_LINES:
        raise Unusable(f"{settings.sms_lines}: it holds one to {MOST_LINES} tables [[line]] and nothing else")
    lines = [_options(number, entry) for number, entry in enumerate(entries, 1)]
    _unique([line.name for line in lines])
    return lines


def _options(number: int, entry: Any) -> LineOptions:
    if not isinstance(entry, dict):
        raise Unusable(f"line {number}: it is no table")
    name, kind = entry.get("name"), entry.get("kind")
    where = f"line {number} ({name})" if isinstance(name, str) else f"line {number}"
    if not isinstance(kind, str) or kind not in MODULES:
        raise Unusable(f"{where}: kind: one of {', '.join(sorted(MODULES))}")
    try:
        return import_module(MODULES[kind]).Options.model_validate(entry)
    except ValidationError as error:
        faults = error.errors(include_input=False)
        said = [": ".join(filter(None, (".".join(map(str, e["loc"])), _words(e["msg"])))) for e in faults]
        raise Unusable("\n".join(f"{where}: {words}" for words in said)) from None


def _words(said: str) -> str:
    said = said.removeprefix("Value error, ")
    return said[:1].lower() + said[1:]


def _unique(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise Unusable(f"two lines are called {name}")


def _the_one(settings: Settings) -> LineOptions:
    """The line of the settings that begin with `sms_` and `twilio_`."""
    values: dict[str, Any] = {"name": settings.sms_provider, "kind": settings.sms_provider, "rate": settings.sms_rate}
    if settings.sms_provider == "twilio":
        values |= {
            "account_sid": settings.twilio_account_sid,
            "auth_token": settings.twilio_auth_token,
            "messaging_service_sid": settings.twilio_messaging_service_sid,
            "sender": settings.twilio_from,
            "timeout": settings.twilio_timeout,
            "answers_keywords": settings.twilio_answers_keywords,
        }
        if settings.twilio_api_url:
            values["api_url"] = settings.twilio_api_url
    return _options(1, values)
