"""Text messages aside from any dispatch: a one-time code, a call to a shelter's staff. A few at a time, through the same
carrier, each call with an end: the carrier's own timeout, and a limit for all together. Whoever has told the carrier to stop
has told us."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from datetime import datetime

from flask import Flask, current_app

from portal import current_settings
from portal.channels.sms.provider import ACCEPTED, INVALID, OPTED_OUT, Message, Provider, Result
from portal.channels.sms.registry import make_provider
from portal.core.phones import PhoneBook
from portal.subscribers import wishes

_making = threading.Lock()


def signed(body: str, language: str) -> str:
    """The body as carriers of Chinese text messages want it: with the sender's signature in front."""
    signature = current_settings().sms_signature
    return f"【{signature}】{body}" if language == "zh" and signature else body


#: What became of a message: the carrier took it, or did not, or its answer was lost and it may have, or it carries nothing to
#: this phone (whose holder told it to stop, or which does not exist), which says nothing of other phones.
TAKEN, NOT_TAKEN, UNSURE, CLOSED = "taken", "not_taken", "unsure", "closed"
_SAID = {ACCEPTED: TAKEN, OPTED_OUT: CLOSED, INVALID: CLOSED}


def send(body: str, numbers: Mapping[str, str], *, expires_at: datetime, seconds: float = 30) -> dict[str, str]:
    """Hand one body over to the phones in `numbers` (a key of the caller's → E.164); TAKEN, NOT_TAKEN, UNSURE or CLOSED by key.

    Outside any transaction. What was not handed over after `seconds` is not begun any more, and counts as not taken.
    """
    told = dict.fromkeys(numbers, NOT_TAKEN)
    for key, result in hand_over(body, numbers, expires_at=expires_at, seconds=seconds).items():
        told[key] = _SAID.get(result.status, UNSURE if result.unsure else NOT_TAKEN)
    return told


def hand_over(body: str, numbers: Mapping[str, str], *, expires_at: datetime, seconds: float) -> dict[str, Result]:
    """As :func:`send`: what the carrier said, by key. What was not begun has no result."""
    told: dict[str, Result] = {}
    refs = {f"aside/{uuid.uuid4()}": key for key in numbers}
    until = time.monotonic() + seconds

    def hear(result: Result) -> None:
        told[refs[result.ref]] = result

    messages = [Message(ref, numbers[key]) for ref, key in refs.items()]
    _provider(current_app._get_current_object()).send(  # type: ignore[attr-defined]
        body, messages, expires_at=expires_at, callback_url=None, on_result=hear, halted=lambda: time.monotonic() > until)
    book: PhoneBook = current_app.extensions["phones"]
    for number in [numbers[key] for key, result in told.items() if result.status == OPTED_OUT]:
        wishes.leave(book.index(number), "carrier", book.seal(number))
    return told


def _provider(app: Flask) -> Provider:
    with _making:
        if "sms_aside" not in app.extensions:
            app.extensions["sms_aside"] = make_provider(app.extensions["anlan"])
        return app.extensions["sms_aside"]
