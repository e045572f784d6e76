"""Browsers' subscriptions and devices, as tests need them."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec

from portal.channels.push import services, store
from portal.channels.push.encryption import Keys
from portal.channels.push.vapid import public_key
from portal.core.keys import base64url, from_base64url
from tests import district

COMMUNITY, OTHER = district.LIULIAN, "440310001002"
HOSTS = "fcm.googleapis.com,*.push.apple.com"


def subscription(host: str = "fcm.googleapis.com") -> dict:
    key = public_key(ec.generate_private_key(ec.SECP256R1()))
    return {"endpoint": f"https://{host}/send/{secrets.token_urlsafe(30)}", "expirationTime": None,
            "keys": {"p256dh": key, "auth": base64url(secrets.token_bytes(16))}}


def device(regions: tuple[str, ...], *, tier: int = 0, language: str = "zh", came_from: str = "192.0.2.1") -> str:
    given = subscription()
    store.put(subscribed(given), store.Wanted(regions, tier, language), came_from)
    return given["endpoint"]


def subscribed(given: dict) -> store.Subscription:
    keys = Keys(*(from_base64url(given["keys"][k]) for k in ("p256dh", "auth")))
    return store.Subscription(services.check(given["endpoint"], tuple(HOSTS.split(","))), keys)
