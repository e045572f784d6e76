"""A text that Twilio hands on: its webhook's form, and TwiML as the answer.

By itself Twilio answers a text that is nothing but STOP, START or HELP (and the words beside them), blocks or unblocks the
number, and then calls the webhook all the same: to answer once more would double the answer, or be refused with 21610. Where
Advanced Opt-Out is set up for a Messaging Service, the words are the service's own, and the form has OptOutType.
https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from twilio.twiml.messaging_response import MessagingResponse

from portal.channels.sms.provider import Inbound, Rejected

#: Words that Twilio answers where nothing else is set: leaving, coming back, help. Only as the whole text, in any case.
KEYWORDS = frozenset(
    ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT", "START", "YES", "UNSTOP", "HELP", "INFO"))
_SID = re.compile(r"[A-Za-z0-9]{1,64}\Z", re.ASCII)
_NUMBER = re.compile(r"\+[1-9]\d{6,14}\Z", re.ASCII)


def parse(form: Mapping[str, str], account: str, *, answers_keywords: bool) -> Inbound | None:
    """The text in a form whose signature was right. None for one from no telephone (a short code, a name, another network).
    Raises Rejected for what is none of this account's."""
    sid, body = form.get("MessageSid", ""), form.get("Body", "")
    if form.get("AccountSid", account) != account or not _SID.match(sid):
        raise Rejected("the call names no text of this account")
    if not _NUMBER.match(form.get("From", "")):
        return None
    kind = form.get("OptOutType", "").strip().upper()
    answered = bool(kind) or (answers_keywords and body.strip().upper() in KEYWORDS)
    if kind == "STOP":  # a word of the service's own, which need not be one of ours: the number is blocked there, so it has left
        body = kind
    return Inbound(sid, form["From"], body, answered)


def twiml(words: str) -> tuple[str, str]:
    """The answer to the call, and its media type."""
    response = MessagingResponse()
    if words:
        response.message(words)
    return str(response), "text/xml; charset=utf-8"
