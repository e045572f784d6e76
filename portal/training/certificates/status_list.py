"""The public list of revocations: Bitstring Status List v1.0 (W3C), one bit for each certificate at a place drawn at random.

Whoever fetches the list learns how many certificates are revoked, and of a certificate in hand whether it is: nothing of others.
"""

from __future__ import annotations

import gzip
import secrets
import zlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from portal.core.keys import base64url, from_base64url
from portal.training.certificates.credential import CONTEXT, Addresses

#: Places of one list: eight times the least that the standard asks for, so that the bits of 160,000 people stand far apart.
SIZE = 1 << 20
#: How long a list may be relied on that was fetched.
LASTS = timedelta(hours=24)
_TRIES = 24


def free_place(is_taken: Callable[[int], bool]) -> int:
    """A place that nobody has, at random: in the first list while it has room, then in the next. Raises RuntimeError when ten
    million certificates have filled them all."""
    for span in range(1, 11):
        for _try in range(_TRIES):
            place = secrets.randbelow(span * SIZE)
            if not is_taken(place):
                return place
    raise RuntimeError("the lists of revocations are full")


def encode(revoked: Iterable[int]) -> str:
    """Places within one list → the bits, leftmost first, compressed, as multibase (`u`: base64url without padding)."""
    bits = bytearray(SIZE // 8)
    for place in revoked:
        bits[place >> 3] |= 0x80 >> (place & 7)
    return "u" + base64url(gzip.compress(bytes(bits), compresslevel=6, mtime=0))


def is_set(encoded: str, place: int) -> bool:
    """Whether the bit of `place` is set in such a list. Raises ValueError for what is none, or too short for the place."""
    if not encoded.startswith("u"):
        raise ValueError("not a list of revocations")
    unpack = zlib.decompressobj(31)
    try:
        bits = unpack.decompress(from_base64url(encoded[1:]), 4 * SIZE // 8)
    except zlib.error as error:
        raise ValueError("not a list of revocations") from error
    if not 0 <= place < len(bits) * 8:
        raise ValueError("the list has no such place")
    return bool(bits[place >> 3] & (0x80 >> (place & 7)))


def build(number: int, revoked: Iterable[int], at: Addresses, now: datetime) -> dict[str, Any]:
    """The payload of the list's credential, to be signed as all of them. `revoked`: places within this list."""
    address, ends = at.status(number), now + LASTS
    return {
        "@context": [CONTEXT[0]], "id": address, "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": at.issuer, "validFrom": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "validUntil": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "credentialSubject": {"id": f"{address}#list", "type": "BitstringStatusList", "statusPurpose": "revocation",
                              "encodedList": encode(revoked), "ttl": 300_000},
        "iss": at.issuer, "jti": address, "nbf": int(now.timestamp()), "sub": f"{address}#list", "exp": int(ends.timestamp()),
    }
