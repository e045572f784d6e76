"""Phones of the fake carrier that write: it does with their texts what Twilio does by default.

A text that is nothing but one of Twilio's words is answered by the carrier, which blocks or unblocks the number, and is handed on
all the same. The webhook is called as often as asked for; each message in its TwiML goes to the phone, or is refused with 21610.
"""

from __future__ import annotations

import asyncio
from typing import Any
from xml.etree import ElementTree

STOPS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT")
STARTS, HELPS = ("START", "YES", "UNSTOP"), ("HELP", "INFO")


def write(connection: Any, text: dict[str, Any]) -> None:
    """`text`: from, body, url (of the webhook), and how many times it is called. Answers with what the phone gets."""
    task = asyncio.ensure_future(_write(connection, text))
    task.add_done_callback(lambda done: done.exception())


async def _write(connection: Any, text: dict[str, Any]) -> None:
    carrier, phone, got = connection.carrier, text["from"], list[str]()
    word, blocked = text["body"].strip().upper(), carrier.faults.opted_out
    if word in STOPS:
        got.append("(carrier) You have been unsubscribed.")
        carrier.faults.opted_out = [*blocked, phone]
    elif word in STARTS:
        got.append("(carrier) You have been re-subscribed.")
        carrier.faults.opted_out = [number for number in blocked if number != phone]
    elif word in HELPS:
        got.append("(carrier) Reply STOP to unsubscribe.")
    sid = f"SM{next(carrier.serial):032x}"
    values = {"AccountSid": carrier.account, "ApiVersion": "2010-04-01", "MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid,
              "From": phone, "To": "+15005550006", "Body": text["body"], "NumMedia": "0", "NumSegments": "1"}
    statuses = []
    for _time in range(text.get("times", 1)):
        headers = {"X-Twilio-Signature": carrier.signature(text["url"], values)}
        async with carrier.http.post(text["url"], data=values, headers=headers) as answer:
            statuses.append(answer.status)
            root = ElementTree.fromstring(await answer.text())
            for message in root.iter("Message"):
                refused = phone in carrier.faults.opted_out
                carrier.counts["21610"] += refused
                got += [] if refused else ["".join(message.itertext())]
    connection.answer(200, {"got": got, "statuses": statuses})
