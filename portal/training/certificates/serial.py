"""Serials of certificates: drawn at random, read aloud and typed without doubt, each mistake of one character noticed.

A serial has twelve signs of an alphabet of 31 that holds none of 0 O 1 I L: eleven at random (54 bits, so that nobody guesses
one) and a check character. The check is a pure system as ISO/IEC 7064:2003 (GB/T 17710-2008) defines them, with modulus 31 and
radix 3: the sum of each sign's value times 3 to the power of its place from the right is 1 modulo 31. The modulus is prime and 3
generates all its residues, so that every wrong sign and every exchange of two signs, neighbours or not, is found. (The standard's
own MOD 37,36 is a hybrid system, which misses some exchanges; its MOD 37-2 needs a sign that is no letter.)
"""

from __future__ import annotations

import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
MODULUS, RADIX = len(ALPHABET), 3
LENGTH, GROUP = 12, 4
_VALUES = {sign: value for value, sign in enumerate(ALPHABET)}
#: What people type between the groups.
_BETWEEN = dict.fromkeys(map(ord, " -\u2010\u2011\u2012\u2013\u2014\u2212\u3000\u00a0\t"))
#: Nobody types more than this, and nothing longer is looked at.
_LONGEST = 40


def new() -> str:
    """A serial that nobody can tell beforehand."""
    body = "".join(secrets.choice(ALPHABET) for _place in range(LENGTH - 1))
    return body + check(body)


def check(body: str) -> str:
    """The check character of a serial without it. Raises KeyError for a sign that is not in the alphabet."""
    rest = _sum(body) * RADIX % MODULUS
    return ALPHABET[(1 - rest) % MODULUS]


def is_whole(serial: str) -> bool:
    """Whether it could be one of ours: the right signs, as many as there must be, and the check holds."""
    return len(serial) == LENGTH and set(serial) <= set(ALPHABET) and _sum(serial) == 1


def typed(text: str) -> str:
    """What somebody typed, or the end of the address that the code on paper leads to: without what stands between the groups, in
    capitals and of normal width. Not checked."""
    text = text.strip().rstrip("/").rpartition("/")[2]
    if len(text) > _LONGEST:
        return ""
    narrow = "".join(chr(ord(c) - 0xFEE0) if 0xFF01 <= ord(c) <= 0xFF5E else c for c in text)
    return narrow.translate(_BETWEEN).strip().upper()


def shown(serial: str) -> str:
    """In groups of four, as it is printed: ``7K3M-92XQ-HTW4``."""
    return "-".join(serial[at:at + GROUP] for at in range(0, len(serial), GROUP))


def _sum(signs: str) -> int:
    total = 0
    for sign in signs:
        total = (total * RADIX + _VALUES[sign]) % MODULUS
    return total
