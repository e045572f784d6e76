"""Who must answer: the loudspeakers' broker, and the carrier when asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from flask_babel import gettext as _

from portal.config import Settings
from portal.doctor.findings import FAIL, NOTE, OK, Finding


def broker(settings: Settings) -> Iterator[Finding]:
    """The loudspeakers' broker lets us in."""
    if not settings.mqtt_url and settings.demo:
        yield Finding(OK, _("The demonstration brings its own broker."))
        return
    if not settings.mqtt_url:
        yield Finding(
            NOTE,
            _("No broker is set, so there are no loudspeakers."),
            _("Set ANLAN_MQTT_URL if there are any."),
        )
        return
    from portal.channels.speakers.link import CONNECT_SECONDS, Broker, make_client

    try:
        address = Broker.parse(settings.mqtt_url)
    except ValueError as error:
        yield Finding(
            FAIL, _("ANLAN_MQTT_URL cannot be read: %(reason)s.", reason=error), _("Correct it.")
        )
        return
    client = make_client(
        address, f"anlan-doctor-{os.getpid()}", clean=True, reconnect=False, in_flight=1
    )
    answered, answer = threading.Event(), list[Any]()

    def heard(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        answer.append(reason)
        answered.set()

    client.on_connect = heard
    try:
        client.connect(address.host, address.port)
        client.loop_start()
        answered.wait(CONNECT_SECONDS)
        client.disconnect()
        client.loop_stop()
    except OSError as error:
        answer.append(error)
    if answer and not isinstance(answer[0], OSError) and not answer[0].is_failure:
        yield Finding(OK, _("The broker %(address)s lets us in.", address=address))
    else:
        yield Finding(
            FAIL,
            _(
                "The broker %(address)s does not let us in (%(reason)s).",
                address=address,
                reason=answer[0] if answer else _("no answer"),
            ),
            _("Check that it runs, its address, user and password in ANLAN_MQTT_URL."),
        )


def carrier(settings: Settings) -> Iterator[Finding]:
    """Twilio knows the account (asks Twilio; sends nothing)."""
    if settings.sms_provider != "twilio":
        return
    from twilio.base.exceptions import TwilioException
    from twilio.rest import Client
    from urllib3.exceptions import HTTPError

    from portal.channels.sms.twilio_transport import Refused, Transport, Unreadable

    transport = Transport(timeout=settings.twilio_timeout, pool_size=1, base_url=settings.twilio_api_url)
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token.get_secret_value()
    try:
        account = Client(sid, token, http_client=transport).api.v2010.accounts(sid).fetch()
    except Refused as refusal:
        yield Finding(
            FAIL,
            _("Twilio refuses the account (HTTP %(status)s).", status=refusal.http_status),
            _("Check ANLAN_TWILIO_ACCOUNT_SID and ANLAN_TWILIO_AUTH_TOKEN."),
        )
        return
    except (HTTPError, Unreadable, TwilioException) as error:
        yield Finding(
            FAIL,
            _("Twilio cannot be reached (%(reason)s).", reason=type(error).__name__),
            _("Check the network, the proxy and ANLAN_TWILIO_API_URL."),
        )
        return
    finally:
        transport.close()
    if account.status != "active":
        yield Finding(
            FAIL,
            _("The Twilio account is %(status)s.", status=account.status),
            _("Put it in order in Twilio's console."),
        )
    else:
        yield Finding(OK, _("Twilio knows the account."))
