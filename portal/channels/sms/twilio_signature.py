"""Twilio's signature: the address and, sorted by name, all names and values of the form, under the account's token.
https://www.twilio.com/docs/usage/webhooks/webhooks-security

Written out here because callbacks come by the thousand a second; tests hold it against the SDK's own validator.
"""

from __future__ import annotations

import binascii
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit

HEADER = "X-Twilio-Signature"


def is_signed(token: bytes, url: str, pairs: Iterable[tuple[str, str]], signature: str) -> bool:
    """Whether `signature` is Twilio's for a form of these names and values at `url`. Twilio writes the port of an address
    sometimes and sometimes not, so both ways count."""
    if not signature or not signature.isascii():
        return False
    values = "".join([name + value for name, value in sorted(set(pairs))])
    given = signature.encode()
    return _matches(token, url, values, given) or any(_matches(token, other, values, given) for other in _others(url))


def _matches(token: bytes, url: str, values: str, given: bytes) -> bool:
    digest = hmac.digest(token, (url + values).encode(), "sha1")
    return hmac.compare_digest(binascii.b2a_base64(digest, newline=False), given)


def _others(url: str) -> list[str]:
    """The address with its port where it has none, and without the one that it has."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return []
    if not parts.hostname:
        return []
    netloc = parts.netloc.rpartition(":")[0] if port else f"{parts.netloc}:{443 if parts.scheme == 'https' else 80}"
    return [parts._replace(netloc=netloc).geturl()]
