"""Who hears which carrier's calls: by the name that stands in their addresses, which is the line's.

A kind of line whose carrier calls us over HTTP has an ear here; the others tell their receipts on the way on which they take
messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from portal.channels.sms import twilio_ear
from portal.channels.sms.lines.registry import configured
from portal.channels.sms.provider import Inbound, Receipt
from portal.config import Settings


class Ear(Protocol):
    """Reads the calls of one carrier's account. `opt_out_codes`: codes of receipts that say that the person told the carrier to
    stop."""

    name: str
    opt_out_codes: frozenset[str]

    def parse_callback(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Receipt | None:
        """The receipt in a carrier's callback to `url` (its `ref` left empty: the URL holds it); None when it says nothing new.
        Raises Forged when the signature is not the carrier's, Rejected when it cannot be read."""

    def parse_inbound(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Inbound | None:
        """The text in a carrier's call to `url`; None when it comes from no telephone that could be answered. Raises as
        :meth:`parse_callback`."""

    def reply(self, words: str) -> tuple[str, str]:
        """What a call about a text is answered with so that the phone gets these words, and its media type. No words: no
        answer."""


def _twilio(options: Any) -> Ear:
    token = options.auth_token.get_secret_value()
    return twilio_ear.TwilioEar(options.name, options.account_sid, token, answers_keywords=options.answers_keywords)


#: Kind of line → its ear, from the line's options.
KINDS: dict[str, Callable[[Any], Ear]] = {"twilio": _twilio}


def make_ears(settings: Settings) -> dict[str, Ear]:
    """Name → ear, of all lines that have one. Raises as :func:`configured` when the file of lines cannot be used."""
    if settings.sms_lines is None:
        return {"twilio": twilio_ear.make(settings)} if settings.sms_provider == "twilio" else {}
    return {options.name: KINDS[options.kind](options) for options in configured(settings) if options.kind in KINDS}
