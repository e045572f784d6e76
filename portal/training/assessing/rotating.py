"""The code of attendance: six characters of a session that change every half minute.

They are an HMAC of the number of the half minute under a key that is made from the session's own secret and the server's, so
that neither a copy of the database nor yesterday's codes tell the next one. The code of this half minute and the one before are
valid: a photo that is sent to a friend is worth nothing after a minute.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

from portal import current_settings
from portal.core import keys
from portal.training.practical_models import PracticalSession

STEP_SECONDS, VALID_STEPS = 30, 2
#: Digits and letters that nobody takes for one another, read aloud or from a screen.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 6
_READ_AS = str.maketrans({" ": None, "-": None, "\u3000": None})


def code(session: PracticalSession, at: datetime) -> str:
    """The code that is shown at a moment."""
    return code_of(_key(session), at)


def seconds_left(at: datetime) -> int:
    """Until the shown code changes; 1 to 30."""
    return STEP_SECONDS - int(at.timestamp()) % STEP_SECONDS


def is_valid(session: PracticalSession, typed: str, at: datetime) -> bool:
    """Whether this is the session's code at a moment, or was in the half minute before it."""
    return matches(_key(session), typed, at)


def code_of(key: bytes, at: datetime) -> str:
    """The code of a key at a moment."""
    return _code(key, _step(at))


def matches(key: bytes, typed: str, at: datetime) -> bool:
    """Whether what somebody typed is the code of a key at a moment, or was in the half minute before it. Small letters, spaces
    and hyphens do no harm."""
    text, now = typed[:40].upper().translate(_READ_AS), _step(at)
    if len(text) != LENGTH or not text.isascii():
        return False
    return any(hmac.compare_digest(text, _code(key, now - back)) for back in range(VALID_STEPS))


def _step(at: datetime) -> int:
    return int(at.timestamp()) // STEP_SECONDS


def _key(session: PracticalSession) -> bytes:
    server = keys.phone_key(current_settings())
    return hmac.digest(server, b"anlan attendance\0" + session.id.bytes + bytes(session.secret_sealed), "sha256")


def _code(key: bytes, step: int) -> str:
    number = int.from_bytes(hashlib.sha256(hmac.digest(key, step.to_bytes(8), "sha256")).digest())
    signs = []
    for _place in range(LENGTH):
        number, at = divmod(number, len(ALPHABET))
        signs.append(ALPHABET[at])
    return "".join(signs)
