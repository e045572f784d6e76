"""Who sends: a signed word for each push service (VAPID, RFC 8292)."""

from __future__ import annotations

import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwt
from joserfc.jwk import ECKey

from portal.config import Settings
from portal.core import keys

#: Seconds that a word holds; at most a day (RFC 8292, 2). It is made anew when half of that is over.
HOLDS = 12 * 3600
#: Services of which a word is kept.
KEPT = 200


def public_key(private: ec.EllipticCurvePrivateKey) -> str:
    """What a browser is told to expect: `applicationServerKey`, base64url."""
    return keys.base64url(private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint))


def contact(settings: Settings) -> str:
    """Whom the people of a push service may ask."""
    return f"mailto:{settings.cap_sender}" if "@" in settings.cap_sender else f"https://{settings.cap_sender}"


class Vapid:
    """The header for each service. Safe to call from several threads."""

    def __init__(self, private: ec.EllipticCurvePrivateKey, contact: str) -> None:
        self._key = ECKey.import_key(private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self._public, self._contact = public_key(private), contact
        self._lock = threading.Lock()
        self._words: dict[str, tuple[float, str]] = {}

    def authorization(self, origin: str) -> str:
        """The Authorization header for a service's origin (`https://push.example`)."""
        now = time.time()
        with self._lock:
            made, word = self._words.get(origin, (0.0, ""))
            if not 0 <= now - made < HOLDS / 2:
                if len(self._words) >= KEPT:
                    self._words.clear()
                claims = {"aud": origin, "exp": int(now) + HOLDS, "sub": self._contact}
                word = jwt.encode({"alg": "ES256", "typ": "JWT"}, claims, self._key)
                self._words[origin] = now, word
        return f"vapid t={word}, k={self._public}"
