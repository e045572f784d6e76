"""What a push service carries cannot be read by it: RFC 8291 (encryption for web push) in the coding of RFC 8188, one record."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

RECORD = 4096
_HEADER = 16 + 4 + 1 + 65
#: Longest payload in bytes: a body of 4,096 is all that a push service must take (RFC 8030, 7.2), less header, tag and end mark.
LONGEST = RECORD - _HEADER - 16 - 1
PUBLIC_BYTES, AUTH_BYTES = 65, 16


@dataclass(frozen=True, slots=True)
class Keys:
    """What a browser gave for its messages: a public key on P-256, uncompressed (65 bytes), and a secret of 16 bytes."""

    public: bytes
    auth: bytes

    def check(self) -> None:
        """Raises ValueError where these are no such keys."""
        if len(self.public) != PUBLIC_BYTES or len(self.auth) != AUTH_BYTES:
            raise ValueError("a key has the wrong length")
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.public)


def encrypt(payload: bytes, keys: Keys, *, salt: bytes | None = None, own: ec.EllipticCurvePrivateKey | None = None) -> bytes:
    """The body of a request whose Content-Encoding is aes128gcm. Every message has a new salt and a new key of ours
    (RFC 8291, 3.1); only tests give them. Raises ValueError when the payload is too long or the browser's key is none."""
    if len(payload) > LONGEST:
        raise ValueError(f"{len(payload)} bytes are more than the {LONGEST} that a push service takes")
    salt, own = salt or os.urandom(16), own or ec.generate_private_key(ec.SECP256R1())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys.public)
    ours = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    secret = _derive(keys.auth, own.exchange(ec.ECDH(), theirs), b"WebPush: info\0" + keys.public + ours, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, payload + b"\x02", None)  # 2 marks the last record
    return salt + struct.pack("!IB", RECORD, len(ours)) + ours + sealed


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
