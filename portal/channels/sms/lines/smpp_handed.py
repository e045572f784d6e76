"""A message on its way to an SMPP carrier: as many units as its text has parts, and one answer made of theirs."""

from __future__ import annotations

import time
from typing import Any

from portal.channels.sms.lines.line import NOT_TAKEN
from portal.channels.sms.lines.smpp_pdu import Form
from portal.channels.sms.provider import ACCEPTED, RETRY

_PASSING = (NOT_TAKEN, RETRY)


class Handed:
    """`left`: parts without an answer; `written`: those that the carrier may have; `taken`: those that it accepted. `tries`: how
    often a part that the carrier has no room for may be brought again. `carrier_id`: its number of the last part."""

    __slots__ = (
        "began", "carrier_id", "code", "form", "left", "number", "status", "taken", "token", "tries", "unsure", "written",
    )

    def __init__(self, form: Form, number: bytes, token: Any, tries: int) -> None:
        self.form, self.number, self.token, self.tries = form, number, token, tries
        self.began = time.monotonic()
        self.left = len(form.tails)
        self.written = self.taken = 0
        self.status, self.code, self.carrier_id, self.unsure = ACCEPTED, "", "", False

    def is_last(self, part: int) -> bool:
        return part == len(self.form.tails) - 1

    def fail(self, status: str, code: str, *, unsure: bool = False) -> None:
        """One part has failed. The first error counts, and a final one more than a passing one."""
        self.unsure = self.unsure or unsure
        if self.status == ACCEPTED or (self.status in _PASSING and status not in _PASSING):
            self.status, self.code = status, code

    def outcome(self) -> tuple[str, str, str, bool]:
        """(status, code, carrier's number, unsure) when no part is left. Of a message that has failed in passing some parts may
        be on their way."""
        if self.status in _PASSING:
            unsure = self.unsure or bool(self.taken)
            return RETRY if unsure else self.status, self.code, "", unsure
        return self.status, self.code, self.carrier_id if self.status == ACCEPTED else "", False
