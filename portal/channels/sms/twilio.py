"""Twilio: text messages through its SDK, by a Messaging Service or from one sender.

Twilio has no key that makes a repeated request harmless: a request that was cut off or timed out may have been
taken, and trying it again may send the message twice. That is rarer and better than not sending it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from twilio.rest import Client
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from portal.channels.sms.flow import Answer, Flow, Pace
from portal.channels.sms.provider import ACCEPTED, RETRY, Message, Result
from portal.channels.sms.twilio_errors import classify
from portal.channels.sms.twilio_transport import Refused, Transport, Unreadable
from portal.config import Settings
from portal.core.clock import utcnow

#: Single texts that one call has in flight: codes and notices; warnings go over a line.
MOST_AT_ONCE = 8
VALIDITY_SECONDS = (1, 36_000)  # what Twilio takes as ValidityPeriod

_log = logging.getLogger(__name__)


class TwilioProvider:
    """Safe to call from several threads: they share the connections, each call has its own window."""

    name = "twilio"

    def __init__(self, settings: Settings) -> None:
        token = settings.twilio_auth_token.get_secret_value()
        self._limit = min(MOST_AT_ONCE, settings.max_in_flight)
        size = 2 * self._limit
        self._transport = Transport(
            timeout=settings.twilio_timeout, pool_size=size, base_url=settings.twilio_api_url
        )
        client = Client(settings.twilio_account_sid, token, http_client=self._transport)
        self._create = client.api.v2010.account.messages.create
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


def make(settings: Settings) -> TwilioProvider:
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
