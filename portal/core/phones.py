"""Phone numbers at rest: encrypted with AES-256-GCM, found by a keyed hash, masked where people look.

The nonce is random and stored before the ciphertext. The hash is HMAC-SHA-256 under a second key derived from
the same secret: equal numbers collide there, and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable

import phonenumbers
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: Numbers of the demonstration, which no carrier can assign: what follows +86 is an area code (10, 2x, 3xx to 9xx)
#: or a mobile prefix (13x to 19x), and 12 is neither: at home it begins the short codes of public services. 120 to
#: 123 (ambulance, traffic police, hotlines) are left alone; 129 is far from them.
DEMONSTRATION_PREFIX = "+86129"


def is_demonstration(number: str) -> bool:
    """Whether `number` (E.164) is one of the demonstration's: the prefix and eight digits."""
    return number.startswith(DEMONSTRATION_PREFIX) and len(number) == 14


_BETWEEN = str.maketrans("", "", " -\u3000")
_CHINA, _MOBILE = 86, re.compile(r"\+861[3-9]\d{9}", re.ASCII)


class PhoneBook:
    """Seals and opens numbers in E.164 form (``+8613800000000``) under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("the phone key must be 32 bytes")
        self._aead = AESGCM(hashlib.sha256(b"anlan phone seal\0" + key).digest())
        self._hash_key = hashlib.sha256(b"anlan phone index\0" + key).digest()

    def seal(self, number: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._aead.encrypt(nonce, number.encode("ascii"), None)

    def open(self, sealed: bytes) -> str:
        return self._aead.decrypt(sealed[:12], sealed[12:], None).decode("ascii")

    def open_all(self, sealed: Iterable[bytes]) -> list[str]:
        """As `open`, for very many. Raises as that does for one of them."""
        decrypt = self._aead.decrypt
        return [decrypt(one[:12], one[12:], None).decode("ascii") for one in sealed]

    def index(self, number: str) -> bytes:
        """16 bytes by which a number is found again without being readable."""
        return hmac.new(self._hash_key, number.encode("ascii"), hashlib.sha256).digest()[:16]


def parse(text: str, region: str = "CN") -> str:
    """The E.164 form of what a person typed. Raises ValueError when no phone can have that number, as when a digit is missing."""
    if any(character.isalpha() for character in text):
        raise ValueError("a phone number has no letters")
    home = "+86" + text.translate(_BETWEEN)
    if home.isascii() and is_demonstration(home):  # typed as at home: the library knows no such numbers
        return home
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException as error:
        raise ValueError(str(error)) from error
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not (_is_chinese(number, written) if number.country_code == _CHINA else phonenumbers.is_possible_number(number)):
        raise ValueError("no phone has such a number")
    return written


def _is_chinese(number: phonenumbers.PhoneNumber, written: str) -> bool:
    """A mobile number by its form alone: the library would not know the newest prefixes, and their phones want to be warned."""
    return _MOBILE.fullmatch(written) is not None or is_demonstration(written) or phonenumbers.is_valid_number(number)


def mask(number: str) -> str:
    """`+86138****0000`: enough to recognise one's own, too little to dial."""
    return number[:-8] + "****" + number[-4:] if len(number) > 10 else "*" * max(0, len(number) - 2) + number[-2:]
