"""Which push services are spoken to. A browser names its own service, and whoever calls our address can name any: so only hosts
that the settings allow are taken, and of these only addresses of the open network."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult

#: Longest address of a subscription; Chrome's and Firefox's have 200 to 400 characters, Windows' up to 800.
LONGEST = 1000
_HOST = re.compile(r"(?!.{254})[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")


class Refused(ValueError):
    """No address at a push service that we speak to."""


@dataclass(frozen=True, slots=True)
class Address:
    """A subscription's address, checked: `service` is the entry of the settings that allows it."""

    url: str
    origin: str
    host: str
    service: str


def check(url: Any, services: tuple[str, ...]) -> Address:
    """Raises Refused."""
    if not isinstance(url, str) or not 0 < len(url) <= LONGEST or not all("!" <= c <= "~" for c in url) or "\\" in url:
        raise Refused("no address of a push service")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("no address of a push service") from error
    host = (parts.hostname or "").lower()
    origin = f"{parts.scheme}://{host}" + ("" if port in (None, 443) and parts.scheme == "https" else f":{port or 80}")
    if not _HOST.fullmatch(host) or "@" in parts.netloc or parts.fragment or not parts.path.strip("/"):
        raise Refused("no address of a push service")
    for service in services:
        if origin == service or (parts.scheme == "https" and port in (None, 443) and _covers(service, host)):
            return Address(url, origin, host, service)
    raise Refused("this push service is not among those that the settings name")


def _covers(service: str, host: str) -> bool:
    if service.startswith("*."):
        return host.endswith(service[1:]) and len(host) > len(service) - 1
    return host == service


class OpenNetwork(ThreadedResolver):
    """Names become addresses at the moment of connecting, and none of our own network is among them: a name that is allowed
    today may point into the house tomorrow. `own`: hosts of services that the settings name with their whole address."""

    def __init__(self, own: frozenset[str]) -> None:
        super().__init__()
        self._own = own

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if host in self._own:
            return found
        outside = [one for one in found if ipaddress.ip_address(one["host"].partition("%")[0]).is_global]
        if not outside:
            raise OSError(None, f"{host} leads into a network that is not the open one")
        return outside


def own_hosts(services: tuple[str, ...]) -> frozenset[str]:
    return frozenset(urlsplit(service).hostname or "" for service in services if "://" in service)
