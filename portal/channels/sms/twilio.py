"""Twilio: text messages through its SDK, by a Messaging Service or from one sender.

Twilio has no key that makes a repeated request harmless: a request that was cut off or timed out may have been
taken, and trying it again may send the message twice. That is rarer and better than not sending it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from twilio.request_validator import RequestValidator
from twilio.rest import Client
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from portal.channels.sms import twilio_inbound
from portal.channels.sms.flow import Answer, Flow, Pace
from portal.channels.sms.provider import (
    ACCEPTED,
    DELIVERED,
    FAILED,
    RETRY,
    SENT,
    UNDELIVERED,
    Forged,
    Inbound,
    Message,
    Receipt,
    Rejected,
    Result,
)
from portal.channels.sms.twilio_errors import OPTED_OUT_CODES, classify
from portal.channels.sms.twilio_transport import Refused, Transport, Unreadable
from portal.config import Settings
from portal.core.clock import utcnow

VALIDITY_SECONDS = (1, 36_000)  # what Twilio takes as ValidityPeriod

_STATUSES = {
    "sent": SENT,
    "delivered": DELIVERED,
    "read": DELIVERED,
    "undelivered": UNDELIVERED,
    "failed": FAILED,
    "canceled": FAILED,
}
_NO_NEWS = {"accepted", "scheduled", "queued", "sending"}

_log = logging.getLogger(__name__)


class TwilioProvider:
    """Safe to call from several threads: they share the connections, each call has its own window."""

    name = "twilio"
    opt_out_codes = frozenset(map(str, OPTED_OUT_CODES))  # a Messaging Service says it only afterwards

    def __init__(self, settings: Settings) -> None:
        token = settings.twilio_auth_token.get_secret_value()
        size = settings.max_in_flight * settings.sms_threads
        self._limit = settings.max_in_flight
        self._transport = Transport(
            timeout=settings.twilio_timeout, pool_size=size, base_url=settings.twilio_api_url
        )
        client = Client(settings.twilio_account_sid, token, http_client=self._transport)
        self._account = settings.twilio_account_sid
        self._answers_keywords = settings.twilio_answers_keywords
        self._create = client.api.v2010.account.messages.create
        self._validator = RequestValidator(token)
        self._sender = (
            {"messaging_service_sid": settings.twilio_messaging_service_sid}
            if settings.twilio_messaging_service_sid
            else {"from_": settings.twilio_from}
        )
        self._pace = Pace()
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="twilio")

    def send(
        self,
        body: str,
        messages: Sequence[Message],
        *,
        expires_at: datetime,
        callback_url: Callable[[str], str] | None,
        on_result: Callable[[Result], None],
        halted: Callable[[], bool],
    ) -> None:
        """As `provider.Provider.send`. Calls `on_result` and `halted` in the caller's thread only.

        Ends early, with the rest not handed over, when the account or the sender is refused, when the carrier asks
        for a long pause, and when it has answered nothing but passing errors for a whole window.
        """

        def hand_over(message: Message) -> Answer:
            return self._hand_over(body, message, expires_at, callback_url)

        def over() -> bool:
            return _seconds_left(expires_at) < VALIDITY_SECONDS[0] or halted()

        Flow(self._pool, self._pace, hand_over, limit=self._limit, halted=over, on_result=on_result).run(
            messages
        )

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
        return Receipt("", _STATUSES[status], code if code.isdigit() and len(code) <= 10 else "", sid)

    def parse_inbound(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Inbound | None:
        """The text in a call of Twilio's messaging webhook; `url` is exactly the one that is set there."""
        self._verify(url, form, headers)
        return twilio_inbound.parse(form, self._account, answers_keywords=self._answers_keywords)

    def reply(self, words: str) -> tuple[str, str]:
        """TwiML."""
        return twilio_inbound.twiml(words)

    def _verify(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> None:
        signature = headers.get("X-Twilio-Signature", "")
        if not signature or not self._validator.validate(url, form, signature):
            raise Forged("the signature is missing or not Twilio's")

    def close(self) -> None:
        """Let go of threads and connections; requests in flight are waited for."""
        self._pool.shutdown(wait=True)
        self._transport.close()

    def _hand_over(
        self, body: str, message: Message, expires_at: datetime, callback_url: Callable[[str], str] | None
    ) -> Answer:
        validity = max(VALIDITY_SECONDS[0], min(VALIDITY_SECONDS[1], _seconds_left(expires_at)))
        options = {"status_callback": callback_url(message.ref)} if callback_url else {}
        try:
            sent = self._create(to=message.to, body=body, validity_period=validity, **self._sender, **options)
        except Refused as error:
            return _refusal(message.ref, error)
        except Unreadable:
            return Answer(Result(message.ref, RETRY, "unreadable", unsure=True))
        except NewConnectionError:  # which urllib3 counts among the timeouts
            return Answer(Result(message.ref, RETRY, "connection"))
        except TimeoutError:
            return Answer(Result(message.ref, RETRY, "timeout", unsure=True))
        except (HTTPError, OSError):
            return Answer(Result(message.ref, RETRY, "connection", unsure=True))
        except (
            Exception
        ) as error:  # the SDK's own faults; its message may hold the number, so only the kind is told
            _log.error("the Twilio SDK failed with %s", type(error).__name__)
            return Answer(Result(message.ref, RETRY, "sdk", unsure=True))
        return Answer(Result(message.ref, ACCEPTED, "", sent.sid or ""))


def make(settings: Settings, on_receipt: object = None) -> TwilioProvider:
    """For the registry. Twilio reports by callbacks to us, so `on_receipt` has nothing to hear."""
    return TwilioProvider(settings)


def _seconds_left(expires_at: datetime) -> int:
    return int((expires_at - utcnow()).total_seconds())


def _refusal(ref: str, error: Refused) -> Answer:
    status, word, stop = classify(error.http_status, error.code)
    if stop:
        _log.error(
            "Twilio refuses this account or sender: %s (HTTP %s); sending stops until that is mended",
            word,
            error.http_status,
        )
    return Answer(
        Result(ref, status, word, retry_after=error.retry_after), busy=error.http_status == 429, stop=stop
    )
