"""What Twilio tells us by itself: what became of a message, and what phones wrote. Needs no connection of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from portal.channels.sms import twilio_inbound, twilio_signature
from portal.channels.sms.provider import DELIVERED, FAILED, SENT, UNDELIVERED, Forged, Inbound, Receipt, Rejected
from portal.channels.sms.twilio_errors import OPTED_OUT_CODES
from portal.config import Settings

_STATUSES = {
    "sent": SENT,
    "delivered": DELIVERED,
    "read": DELIVERED,
    "undelivered": UNDELIVERED,
    "failed": FAILED,
    "canceled": FAILED,
}
_NO_NEWS = {"accepted", "scheduled", "queued", "sending"}
_CODE = re.compile(r"[0-9]{1,10}\Z")


class TwilioEar:
    """Hears one account: whoever signs with another account's token, or reports for another account, is refused."""

    opt_out_codes = frozenset(map(str, OPTED_OUT_CODES))  # a Messaging Service says it only afterwards

    def __init__(self, name: str, account: str, token: str, *, answers_keywords: bool = True) -> None:
        self.name = name
        self._account, self._token = account, token.encode()
        self._answers_keywords = answers_keywords

    def parse_callback(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Receipt | None:
        """The receipt in a status callback; `url` is exactly the one that Twilio was told, with its query."""
        self._verify(url, form, headers)
        sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "").lower()
        if form.get("AccountSid", self._account) != self._account or not 0 < len(sid) <= 64:
            raise Rejected("the callback names no message of this account")
        if status in _NO_NEWS:
            return None
        if status not in _STATUSES:
            raise Rejected("the callback tells no status that is known")
        code = form.get("ErrorCode", "")
        return Receipt("", _STATUSES[status], code if _CODE.match(code) else "", sid)

    def parse_inbound(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Inbound | None:
        """The text in a call of Twilio's messaging webhook; `url` is exactly the one that is set there."""
        self._verify(url, form, headers)
        return twilio_inbound.parse(form, self._account, answers_keywords=self._answers_keywords)

    def reply(self, words: str) -> tuple[str, str]:
        """TwiML."""
        return twilio_inbound.twiml(words)

    def _verify(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        pairs = getattr(form, "pairs", None)
        if pairs is None:
            several = getattr(form, "getlist", None)
            pairs = [(name, value) for name in form for value in (several(name) if several else [form[name]])]
        if not twilio_signature.is_signed(self._token, url, pairs, headers.get(twilio_signature.HEADER, "")):
            raise Forged("the signature is missing or not Twilio's")


def make(settings: Settings) -> TwilioEar:
    """For the one account that the settings name."""
    token = settings.twilio_auth_token.get_secret_value()
    return TwilioEar("twilio", settings.twilio_account_sid, token, answers_keywords=settings.twilio_answers_keywords)
