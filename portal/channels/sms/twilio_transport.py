"""How the Twilio SDK reaches the network: a bounded keep-alive pool with a timeout, to Twilio or to another address.

The SDK's own client goes through `requests`, whose pool is bounded by the number of cores and whose work for each
request costs several times that of the SDK itself; this one speaks urllib3 directly.
"""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import certifi
import urllib3
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from portal.channels.retry_after import retry_after

LONGEST_RETRY_AFTER = 3600.0  # seconds; a carrier that names a day is asked again sooner


class Unreadable(Exception):
    """An answer that is not the JSON object it should be: whether the message was taken is not known."""


class Refused(Exception):
    """Any answer but success. `code` is Twilio's own or None; `retry_after` in seconds or None.

    Stands in for the SDK's exceptions, which drop the Retry-After header and repeat the phone number in their words.
    """

    def __init__(self, http_status: int, code: int | None, retry_after: float | None) -> None:
        self.http_status, self.code, self.retry_after = http_status, code, retry_after
        super().__init__(f"HTTP {http_status}, code {code}")


class Transport(TwilioHttpClient):
    """`pool_size`: connections kept alive; `base_url` replaces scheme, host and port of every request.

    Never logs: addresses and bodies hold phone numbers. Never repeats a request: only the caller knows whether
    that would send a message twice.
    """

    def __init__(self, *, timeout: float, pool_size: int, base_url: str = "") -> None:
        super().__init__(pool_connections=False, timeout=timeout)
        self._base = urlsplit(base_url.rstrip("/")) if base_url else None
        trust = ssl.create_default_context()
        trust.load_verify_locations(certifi.where())
        options: dict[str, Any] = {
            "num_pools": 4,
            "maxsize": pool_size,
            "block": False,
            "retries": False,
            "ssl_context": trust,
        }
        host = self._base.netloc if self._base else "api.twilio.com"
        scheme = self._base.scheme if self._base else "https"
        proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
        self._pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request. Raises Refused, Unreadable, or urllib3.exceptions.HTTPError when no whole answer came."""
        address = self._address(url)
        if params:
            address += "?" + urlencode(params, doseq=True)
        sent = dict(headers or {})
        if auth:
            sent.update(urllib3.make_headers(basic_auth=f"{auth[0]}:{auth[1]}"))
        seconds = timeout or self.timeout
        answer = self._pool.request(
            method,
            address,
            body=urlencode(data, doseq=True) if data else None,
            headers=sent,
            timeout=urllib3.Timeout(connect=seconds, read=seconds),
            redirect=False,
        )
        text = answer.data.decode("utf-8", "replace")
        content = _json_object(text)
        if not 200 <= answer.status < 300:
            code = content.get("code")
            after = retry_after(answer.headers.get("Retry-After", ""), answer.headers.get("Date", ""), LONGEST_RETRY_AFTER)
            raise Refused(answer.status, code if isinstance(code, int) else None, after)
        if not isinstance(content.get("sid"), str):
            raise Unreadable
        return Response(answer.status, text, answer.headers)

    def close(self) -> None:
        self._pool.clear()

    def _address(self, url: str) -> str:
        if self._base is None:
            return url
        parts = urlsplit(url)
        return urlunsplit(
            (self._base.scheme, self._base.netloc, self._base.path + parts.path, parts.query, "")
        )


def _json_object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
