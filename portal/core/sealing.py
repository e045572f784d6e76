"""Short texts at rest that tell who somebody is (names, addresses): encrypted with AES-256-GCM under a key of their own.

The key is derived from the same secret as that of phone numbers, for this purpose only, so that neither opens what the
other sealed. A text is bound to its `place` (which column of which row): moved elsewhere it does not open.
"""

from __future__ import annotations

import hashlib
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
#: Bytes that sealing adds to the text's UTF-8: nonce and tag.
OVERHEAD = _NONCE + 16


class TextSeal:
    """Seals and opens texts under one 32-byte key, for one `purpose` (``transfer person``)."""

    def __init__(self, key: bytes, purpose: str) -> None:
        if len(key) != 32:
            raise ValueError("the key must be 32 bytes")
        if not purpose:
            raise ValueError("say what the seal is for")
        self._aead = AESGCM(hashlib.sha256(b"anlan text seal\0" + purpose.encode() + b"\0" + key).digest())

    def seal(self, text: str, place: str) -> bytes:
        return self.seal_bytes(text.encode(), place)

    def open(self, sealed: bytes, place: str) -> str:
        """Raises cryptography's InvalidTag when it was sealed under another key, for another place, or was changed."""
        return self.open_bytes(sealed, place).decode()

    def seal_bytes(self, body: bytes, place: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, body, place.encode())

    def open_bytes(self, sealed: bytes, place: str) -> bytes:
        return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
