"""How a process tells its log: a line of words for people, or a line of JSON for what gathers logs.

Whatever is written, by whichever library, passes the same last door: what looks like a telephone number is masked there.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

Format = Literal["text", "json"]
MASKED = "[number]"
#: International form, also as a URL writes it; and Chinese mobile numbers with or without the country's code. Identifiers, times
#: and region codes (12 digits) are none.
_NUMBER = re.compile(r"(?:\+|%2[Bb])\d(?:[ -]?\d){6,14}(?!\d)|(?<![\w.])(?:(?:00)?86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?!\w)")
#: Libraries that tell much which nobody needs.
_NOISY = ("waitress.queue", "apscheduler", "amqtt", "transitions", "twilio.http_client")
_SHARED: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]

structlog.configure(
    processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def events(name: str) -> Any:
    """A logger of events: `log.info("dispatch.first", dispatch=…, seconds=…)`. The event's name is fixed."""
    return structlog.stdlib.get_logger(name)


def set_up(form: Format, *, detailed: bool, stream: TextIO | None = None) -> None:
    """Let the process log to `stream` (standard error). `detailed`: what happens in the ordinary course too; JSON always has it,
    since machines read that."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Masking(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("portal").setLevel(logging.INFO if detailed or form == "json" else logging.WARNING)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)


def masked(text: str) -> str:
    """`text` without anything that looks like a telephone number."""
    return _NUMBER.sub(MASKED, text)


class _Masking(structlog.stdlib.ProcessorFormatter):
    def __init__(self, form: Format) -> None:
        last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info]
        last.append(structlog.processors.JSONRenderer(ensure_ascii=False, default=str) if form == "json" else _words)
        super().__init__(foreign_pre_chain=_SHARED, processors=last)

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _words(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """`2026-11-25T20:15:01Z INFO portal.dispatch: dispatch.first seconds=0.2`."""
    at, level, logger, what = (event.pop(key, "") for key in ("at", "level", "logger", "event"))
    trace = event.pop("exception", "")
    said = "".join(f" {key}={value}" for key, value in event.items())
    return f"{at} {str(level).upper()} {logger}: {what}{said}" + (f"\n{trace}" if trace else "")
