"""How often one address may try to sign in. The count against guessing is kept per account in the database;
this one keeps a single machine from trying many accounts, or from making the server hash all day."""

from __future__ import annotations

import ipaddress

from flask import request
from flask_limiter import Limiter

#: Room for an office of several people behind one address. Counted per process.
SIGN_IN_LIMIT = "20 per minute; 200 per hour"


def address() -> str:
    """The client's address; of IPv6 the /64, since a household or an office holds all of it."""
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


limiter = Limiter(address, storage_uri="memory://", strategy="moving-window", headers_enabled=False)
