"""Passwords: which are taken, how they are stored, and the ones we make up."""

from __future__ import annotations

import re
import secrets
import unicodedata
from functools import cache

from flask import current_app
from flask_babel import gettext as _
from flask_security import hash_password, verify_password

from portal.core.errors import Problem

SHORTEST, LONGEST = 12, 128
# Stems of what people choose first. A password that is one of these with digits and signs around it is
# refused.
COMMON = frozenset(
    """
    password passwort passw pass pwd admin administrator root user guest login welcome letmein
    changeme default secret master qwerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx
    qazwsxedc iloveyou monkey dragon sunshine princess football baseball superman batman trustno abc
    abcd abcdef test testtest demo temp temporary hello internet computer mima wode woaini
    woaizhongguo nihao zhongguo beijing shanghai shenzhen guangdong pingshan guangming yingji
    yingjiju anlan anquan china emergency warning anlandemo
""".split()  # noqa: SIM905  (a list of words reads better than a wall of quotes)
)
_RUNS = (
    "0123456789",
    "9876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv",
)
# Without letters and digits that look alike on paper.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def normal(password: str) -> str:
    """One form for what different keyboards send for the same characters."""
    return unicodedata.normalize("NFKC", password)


def hashed(password: str) -> str:
    """The argon2 hash that is stored."""
    return hash_password(normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Whether the password is the stored one. Takes as long when there is none, or when it is too long to
    be one."""
    text, decoy = normal(password)[: LONGEST + 1], _decoy()
    right = verify_password(text, stored or decoy)
    return right and stored is not None and len(text) <= LONGEST


def outdated(stored: str) -> bool:
    """Whether the hash was made with parameters weaker than today's."""
    return current_app.extensions["security"].pwd_context.needs_update(stored)


def generate() -> str:
    """A password of 79 bits that can be read out over the telephone."""
    groups = ("".join(secrets.choice(_ALPHABET) for _n in range(4)) for _g in range(4))
    return "-".join(groups)


def weaknesses(password: str, *known: str, field: str = "password") -> list[Problem]:
    """Why the password cannot be taken: empty when it can. `known`: names that it must not be made of."""
    text = normal(password)
    if len(text) < SHORTEST:
        return [
            Problem(
                field,
                _(
                    "Take at least %(number)s characters; a few words in a row are easy to keep.",
                    number=SHORTEST,
                ),
            )
        ]
    if len(text) > LONGEST:
        return [Problem(field, _("Take at most %(number)s characters.", number=LONGEST))]
    if _guessable(text.casefold(), [k.casefold() for k in known if k]):
        return [
            Problem(
                field,
                _(
                    "This one is among the first that would be guessed. "
                    "Take a few words that do not belong together."
                ),
            )
        ]
    return []


def _guessable(text: str, known: list[str]) -> bool:
    stem = re.sub(r"[\W\d_]+", "", text)
    if stem in COMMON or len(set(text)) < 5:
        return True
    rest = text
    for name in sorted({*known, *(re.sub(r"[\W_]+", "", k) for k in known)}, key=len, reverse=True):
        if len(name) >= 3:
            rest = rest.replace(name, "")
    if rest != text and len(rest) < 6:
        return True
    if re.fullmatch(r"(.{1,5})\1+.{0,4}", text):
        return True
    return any(_longest_run(text, run) * 2 > len(text) for run in _RUNS)


def _longest_run(text: str, run: str) -> int:
    """Length of the longest piece of `run` that stands in `text`."""
    best = 0
    for start in range(len(run)):
        while start + best < len(run) and run[start : start + best + 1] in text:
            best += 1
    return best


@cache
def _decoy() -> str:
    """A hash that nothing matches, made once per process, so that an unknown name costs the same time."""
    return hashed(secrets.token_urlsafe(24))
