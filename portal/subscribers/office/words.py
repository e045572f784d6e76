"""What is stored as keys, as people say it."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.subscribers.models import ACTIVE, INVALID, OPTED_OUT

STATUSES = {ACTIVE: _l("Active"), OPTED_OUT: _l("Wants no texts"), INVALID: _l("No such number, says the carrier")}
LANGUAGES = {"zh": _l("Chinese"), "en": _l("English")}
SOURCES = {"demo": _l("demonstration"), "roster": _l("list"), "web": _l("web"), "sms": _l("text message"), "course": _l("course"),
           "desk": _l("desk, on request"), "carrier": _l("carrier"), "twilio": _l("carrier (Twilio)"), "sandbox": _l("sandbox")}
EVENTS = {"subscribed": _l("Agreed to get texts"), "changed": _l("Changed what they get"), "withdrawn": _l("Lost what was lent"),
          "opted_out": _l("Wants no more texts"), "invalid": _l("The carrier knows no such number"), "erased": _l("Was erased")}
STATES = {"reading": _l("Being read"), "ready": _l("Waits for a yes"), "refused": _l("Could not be read"),
          "writing": _l("Being taken in"), "done": _l("Taken in"), "undoing": _l("Being taken back"), "undone": _l("Taken back"),
          "dropped": _l("Thrown away"), "cut_off": _l("Cut off: nothing of it came in")}
MARKS = {"reading": "…", "ready": "?", "refused": "✕", "writing": "…", "done": "✓", "undoing": "…", "undone": "↶", "dropped": "–",
         "cut_off": "✕"}


def source(key: str) -> Any:
    return SOURCES.get(key, key)


def event(key: str) -> Any:
    return EVENTS.get(key, key)
