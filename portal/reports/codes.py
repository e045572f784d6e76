"""The code by which a reporter follows a report: nothing else opens it, and the portal keeps only its keyed hash.

It is made from what the phone calls the report (`ref`, 122 random bits that the phone tells nobody else), under the portal's
key. So the same report that is sent twice, because the first answer was lost, is answered with the same code.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid

from flask import current_app

#: Crockford's: no I, L, O, U, so that it can be read out and typed without mistakes.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 12  # 60 bits
_READ = str.maketrans("OIL", "011") | {ord(c): None for c in " -‐–—\u3000"}
_FULL = {0xFF01 + n: 0x21 + n for n in range(94)}


def _key(purpose: str) -> bytes:
    secret = current_app.config["SECRET_KEY"]
    return hashlib.sha256(f"anlan danger report {purpose}\0".encode()
                          + (secret if isinstance(secret, bytes) else secret.encode())).digest()


def of_ref(ref: uuid.UUID) -> str:
    """The code of the report that a phone calls `ref`: twelve signs without hyphens."""
    number = int.from_bytes(hmac.new(_key("code"), ref.bytes, hashlib.sha256).digest()[:8], "big")
    return "".join(ALPHABET[(number >> 5 * n) & 31] for n in range(LENGTH))


def ref_hash(ref: uuid.UUID) -> str:
    return hmac.new(_key("ref"), ref.bytes, hashlib.sha256).hexdigest()


def next_ref(ref: uuid.UUID, *content: str) -> uuid.UUID:
    """What another report is called that came under the `ref` of an earlier one: the same for the same content."""
    digest = hmac.new(_key("next"), ref.bytes + "\0".join(content).encode(), hashlib.sha256).digest()
    return uuid.UUID(bytes=digest[:16], version=4)


def code_hash(code: str) -> str:
    """Of a code as :func:`read` gives it."""
    return hmac.new(_key("hash"), code.encode(), hashlib.sha256).hexdigest()


def read(text: str) -> str:
    """A code as somebody typed it, in its one form; empty when it cannot be one."""
    plain = text[:60].translate(_FULL).upper().translate(_READ)
    return plain if re.fullmatch(f"[{ALPHABET}]{{{LENGTH}}}", plain) else ""


def shown(code: str) -> str:
    """In groups of four, as people copy it."""
    return "-".join(code[n:n + 4] for n in range(0, LENGTH, 4))
