"""A callback counts only when Twilio signed exactly this address and these values."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from werkzeug.datastructures import MultiDict

from portal.channels.sms import twilio_ear
from portal.channels.sms.provider import DELIVERED, FAILED, SENT, UNDELIVERED, Forged, Receipt, Rejected
from tests.sms.conftest import ACCOUNT, TOKEN, twilio_settings

URL = "https://warn.example/hooks/sms/twilio/12/34?x=1"
SID = "SM" + "a" * 32


@pytest.fixture(scope="module")
def provider() -> twilio_ear.TwilioEar:
    return twilio_ear.make(twilio_settings("http://127.0.0.1:9"))


def signed(url: str, values: dict[str, str], token: str = TOKEN) -> dict[str, str]:
    text = url + "".join(name + values[name] for name in sorted(values))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {"X-Twilio-Signature": base64.b64encode(digest).decode()}


def form(status: str, **more: str) -> dict[str, str]:
    return {"AccountSid": ACCOUNT, "MessageSid": SID, "MessageStatus": status, "To": "+8612900000001"} | more


@pytest.mark.parametrize(
    ("status", "more", "receipt"),
    [
        ("sent", {}, Receipt("", SENT, "", SID)),
        ("delivered", {}, Receipt("", DELIVERED, "", SID)),
        ("undelivered", {"ErrorCode": "30003"}, Receipt("", UNDELIVERED, "30003", SID)),
        ("failed", {"ErrorCode": "21610"}, Receipt("", FAILED, "21610", SID)),
        ("delivered", {"ErrorCode": "<b>"}, Receipt("", DELIVERED, "", SID)),
        ("queued", {}, None),
        ("sending", {}, None),
        ("accepted", {}, None),
    ],
)
def test_a_signed_status_becomes_a_receipt(
    provider: twilio_ear.TwilioEar, status: str, more: dict[str, str], receipt: Receipt | None
) -> None:
    values = form(status, **more)
    assert provider.parse_callback(URL, MultiDict(values), signed(URL, values)) == receipt


@pytest.mark.parametrize(
    "url",
    [
        "https://warn.example/hooks/sms/twilio/12/35?x=1",
        "https://warn.example/hooks/sms/twilio/12/34",
        "https://warn.example/hooks/sms/twilio/12/34?x=2",
        "http://warn.example/hooks/sms/twilio/12/34?x=1",
        "https://other.example/hooks/sms/twilio/12/34?x=1",
    ],
)
def test_another_address_is_refused(provider: twilio_ear.TwilioEar, url: str) -> None:
    values = form("delivered")
    with pytest.raises(Forged):
        provider.parse_callback(url, MultiDict(values), signed(URL, values))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "AAAA"},
        {"X-Twilio-Signature": "签名"},
        signed(URL, form("delivered"), "other"),
    ],
)
def test_a_missing_or_forged_signature_is_refused(provider: twilio_ear.TwilioEar, headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        provider.parse_callback(URL, MultiDict(form("delivered")), headers)


def test_a_changed_value_is_refused(provider: twilio_ear.TwilioEar) -> None:
    headers = signed(URL, form("undelivered"))
    with pytest.raises(Forged):
        provider.parse_callback(URL, MultiDict(form("delivered")), headers)
    twice = MultiDict([*form("undelivered").items(), ("MessageStatus", "delivered")])
    with pytest.raises(Forged):
        provider.parse_callback(URL, twice, headers)


@pytest.mark.parametrize(
    "values",
    [
        {},
        form("delivered", MessageSid=""),
        form("delivered", MessageSid="S" * 65),
        form("lost"),
        form(""),
        form("delivered", AccountSid="AC" + "9" * 32),
    ],
)
def test_junk_is_refused_though_it_is_signed(provider: twilio_ear.TwilioEar, values: dict[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        provider.parse_callback(URL, MultiDict(values), signed(URL, values))
    assert not isinstance(refused.value, Forged)
