"""Twilio in bulk: one account and sender as a line. Requests are made once for each letter; only number, reference and lengths
change from message to message."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import ssl
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

from pydantic import Field, field_validator, model_validator

from portal.channels.retry_after import retry_after
from portal.channels.sms.lines.address import Address, address
from portal.channels.sms.lines.governor import LONGEST_PAUSE, Governor
from portal.channels.sms.lines.http_client import CLOSED, TIMEOUT, UNREADABLE, HttpClient, header
from portal.channels.sms.lines.line import NOT_TAKEN, Letter, LineState, OnAnswer
from portal.channels.sms.lines.options import Ears, LineOptions, Secret, Text
from portal.channels.sms.provider import ACCEPTED, RETRY
from portal.channels.sms.twilio_errors import classify
from portal.config import Settings
from portal.core.clock import utcnow

API = "https://api.twilio.com"
#: At the end of the address to which Twilio reports: how often it tries again within 15 seconds, and after what (5xx, no
#: connection, no answer). This part is neither sent nor signed. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
AGAIN = quote_plus("#rc=5&rp=5xx,ct,rt")
LONGEST_HOST = 253  # of a name (RFC 1035)
LARGEST_CODE = 1_000_000  # Twilio's have five digits
VALIDITY_SECONDS = (1, 36_000)  # what Twilio takes as ValidityPeriod

#: The number of a message in an answer. A text that looks alike stands there with its quotes escaped, and is not taken for it.
_SID = re.compile(rb'"sid"\s*:\s*"([A-Za-z0-9]{1,64})"')


class Options(LineOptions):
    kind: Literal["twilio"] = "twilio"
    account_sid: Text = Field(min_length=1, pattern=r"^[A-Za-z0-9]+$")
    auth_token: Secret
    messaging_service_sid: Text = ""
    sender: Text = ""  # a number or a name, where there is no Messaging Service
    api_url: str = API
    timeout: float = Field(10, gt=0, le=60)
    answers_keywords: bool = True

    @field_validator("api_url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        found = address(value)
        parts = urlsplit(value)
        plain = re.fullmatch(r"[\x21-\x7e]+", value) and len(found.host) <= LONGEST_HOST
        if not plain or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("an address of plain characters, without user, question or fragment")
        return value

    @model_validator(mode="after")
    def _who_sends(self) -> Options:
        if not (self.messaging_service_sid or self.sender):
            raise ValueError("messaging_service_sid or sender is needed")
        return self


class _Form:
    """A letter as this line sends it. `fixed` stands between number and reference, `heads` by the length of both; `until`: when
    its validity period is one second less."""

    __slots__ = ("fixed", "heads", "reports", "until")

    def __init__(self, reports: bool) -> None:
        self.fixed, self.until, self.reports = "", 0.0, reports
        self.heads: dict[int, str] = {}


class TwilioLine:
    """See `line.Line`."""

    by_number = False

    def __init__(self, options: Options, *, most: int, trust: ssl.SSLContext | None = None) -> None:
        self.name, self.weight = options.name, options.weight
        self.kind: str = options.kind
        self._options, self._most, self._trust = options, options.max_in_flight or most, trust
        self._address = address(options.api_url or API)
        self.governor = Governor(
            self.name, self.kind, self.weight, most=self._most, rate=options.rate, by_segments=options.unit == "segments")
        self.room: Callable[[], int] = self.governor.room
        self._head = _head(self._address, options)
        service, sender = options.messaging_service_sid, options.sender
        self._sender = f"MessagingServiceSid={quote_plus(service)}" if service else f"From={quote_plus(sender)}"

    def open(self, loop: asyncio.AbstractEventLoop, on_answer: OnAnswer, on_room: Any) -> None:
        self._loop, self._now, self._on_answer = loop, loop.time, on_answer
        self.governor.open(loop, on_room)
        self._client = HttpClient(
            loop,
            self._address,
            most=self._most,
            timeout=self._options.timeout,
            on_reply=self._reply,
            on_failure=self._failure,
            trust=self._trust,
        )

    def hand_over(self, letter: Letter, to: str, ref: str, token: Any) -> None:
        form = letter.kept.get(self.name)
        if form is None or self._now() >= form.until:
            form = self._form(letter, form)
            if form is None:
                self._loop.call_soon(self._on_answer, token, self, RETRY, "expired", "", False)
                return
        end = ref.replace("/", "%2F") + AGAIN if form.reports else ""
        length = len(to) + len(end)
        head = form.heads.get(length)
        if head is None:
            head = form.heads[length] = f"{self._head}{len('To=%2B') - 1 + length + len(form.fixed)}\r\n\r\nTo=%2B"
        request = f"{head}{to[1:]}{form.fixed}{end}".encode("ascii")
        self.governor.begin(letter.segments)
        self._client.post(request, token)

    def state(self) -> LineState:
        return self.governor.state()

    async def close(self, seconds: float) -> None:
        self.governor.close()
        await self._client.close(seconds)

    # ---------------------------------------------------------------------------------------------

    def _form(self, letter: Letter, form: _Form | None) -> _Form | None:
        """The letter's form for the second that begins, None where it has expired."""
        left = (letter.expires_at - utcnow()).total_seconds()
        if left < VALIDITY_SECONDS[0]:
            return None
        form = form or _Form(bool(letter.callback))
        letter.kept[self.name] = form
        validity = min(VALIDITY_SECONDS[1], int(left))
        report = f"&StatusCallback={quote_plus(f'{letter.callback}/{self.name}/')}" if form.reports else ""
        form.fixed = f"&{self._sender}&ValidityPeriod={validity}&Body={quote_plus(letter.body)}{report}"
        form.until = self._now() + left % 1 + 0.001
        form.heads.clear()
        return form

    def _reply(self, token: Any, status: int, raw: bytes, body: bytes, seconds: float) -> None:
        if 200 <= status < 300:
            found = _SID.search(body)
            if found and body[:1] == b"{" and body.rstrip()[-1:] == b"}":
                self.governor.good(seconds)
                self._on_answer(token, self, ACCEPTED, "", found[1].decode(), False)
            else:
                self.governor.trouble(UNREADABLE, seconds)
                self._on_answer(token, self, RETRY, UNREADABLE, "", True)
            return
        self._refusal(token, status, raw, _code(body), seconds)

    def _refusal(self, token: Any, status: int, raw: bytes, code: int | None, seconds: float) -> None:
        governor = self.governor
        answer, word, stop = classify(status, code)
        unsure = False
        if stop:
            answer = NOT_TAKEN
            governor.refused(word)
        elif status == 429 or code == 20429:
            answer = NOT_TAKEN
            governor.busy(word, seconds, _pause(raw))
        elif answer == RETRY:
            unsure = code is None and status >= 500  # not the carrier's word: something on the way may have handed it on
            governor.trouble(word, seconds)
            pause = _pause(raw)
            if pause:
                governor.pause(pause)
        else:
            governor.good(seconds, accepted=False)
        self._on_answer(token, self, answer, word, "", unsure)

    def _failure(self, token: Any, word: str, maybe_received: bool, seconds: float) -> None:
        if word == CLOSED:
            self.governor.given_up()
        else:
            self.governor.trouble(word, seconds, silent=word == TIMEOUT)
        self._on_answer(token, self, RETRY if maybe_received else NOT_TAKEN, word, "", maybe_received)


def make(options: Options, settings: Settings, ears: Ears) -> TwilioLine:
    """Twilio reports by callbacks to us, so there is nothing that `ears` would hear."""
    return TwilioLine(options, most=settings.max_in_flight)


def _head(where: Address, options: Options) -> str:
    """The request's head, up to where the length of its body stands."""
    proof = base64.b64encode(f"{options.account_sid}:{options.auth_token.get_secret_value()}".encode()).decode()
    through = f"Proxy-Authorization: {where.proxy[2]}\r\n" if where.proxy and where.proxy[2] and where.scheme == "http" else ""
    return (
        f"POST {where.target}/2010-04-01/Accounts/{options.account_sid}/Messages.json HTTP/1.1\r\n"
        f"Host: {where.authority}\r\n"
        f"Authorization: Basic {proof}\r\n"
        f"{through}"
        "User-Agent: anlan\r\n"
        "Accept: application/json\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: "
    )


def _code(body: bytes) -> int | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # lists in lists without end are no answer either
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and 0 < code < LARGEST_CODE else None


def _pause(raw: bytes) -> float | None:
    return retry_after(header(raw, "Retry-After"), header(raw, "Date"), LONGEST_PAUSE)
