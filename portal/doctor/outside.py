"""Who must answer: the loudspeakers' broker, and the carrier when asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flask_babel import gettext as _

from portal.channels.sms.lines.registry import Unusable, configured
from portal.channels.sms.lines.twilio_line import Options as TwilioOptions
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
    """Twilio knows each account (asks Twilio; sends nothing)."""
    for line in _accounts(settings):
        found = _account(line, settings)
        if settings.sms_lines is not None:
            found = replace(found, message=_("Line %(name)s: %(said)s", name=line.name, said=found.message))
        yield found


def _accounts(settings: Settings) -> list[TwilioOptions]:
    """One line for each account that is used, at each address."""
    try:
        lines = [line for line in configured(settings) if isinstance(line, TwilioOptions)]
    except Unusable:
        return []  # which is another finding
    first: dict[tuple[str, str, str], TwilioOptions] = {}
    for line in lines:
        first.setdefault((line.account_sid, line.auth_token.get_secret_value(), line.api_url), line)
    return list(first.values())


def _account(line: TwilioOptions, settings: Settings) -> Finding:
    from twilio.base.exceptions import TwilioException
    from twilio.rest import Client
    from urllib3.exceptions import HTTPError

    from portal.channels.sms.twilio_transport import Refused, Transport, Unreadable

    where = _("Check ANLAN_TWILIO_ACCOUNT_SID and ANLAN_TWILIO_AUTH_TOKEN.")
    address = _("Check the network, the proxy and ANLAN_TWILIO_API_URL.")
    if settings.sms_lines is not None:
        where = _("Check account_sid and auth_token of line %(name)s.", name=line.name)
        address = _("Check the network, the proxy and api_url of line %(name)s.", name=line.name)
    transport = Transport(timeout=line.timeout, pool_size=1, base_url=line.api_url)
    try:
        client = Client(line.account_sid, line.auth_token.get_secret_value(), http_client=transport)
        account = client.api.v2010.accounts(line.account_sid).fetch()
    except Refused as refusal:
        return Finding(FAIL, _("Twilio refuses the account (HTTP %(status)s).", status=refusal.http_status), where)
    except (HTTPError, Unreadable, TwilioException) as error:
        return Finding(FAIL, _("Twilio cannot be reached (%(reason)s).", reason=type(error).__name__), address)
    finally:
        transport.close()
    if account.status != "active":
        return Finding(
            FAIL, _("The Twilio account is %(status)s.", status=account.status), _("Put it in order in Twilio's console."))
    return Finding(OK, _("Twilio knows the account."))
