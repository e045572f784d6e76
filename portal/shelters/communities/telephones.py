"""Duty telephones, which stand on paper and on pages that everybody reads.

A number here belongs to a post and not to a person. Fixed lines, service numbers (400, 800) and short numbers (3 to 6
digits, as 12345) are such by their nature; a mobile number is taken only when somebody says that it is the post's own.
"""

from __future__ import annotations

import re

import phonenumbers

from portal.core import phones

_SHORT = re.compile(r"\d{3,6}\Z", re.ASCII)
_MOBILE = re.compile(r"\+861[3-9]\d{9}\Z", re.ASCII)
_SEPARATORS = re.compile(r"[\s\-()（）.－—]+")


class Unusable(ValueError):
    """Not a telephone number that can be dialled."""


class Personal(ValueError):
    """A mobile number that nobody has called a duty telephone."""


def duty_number(text: str, *, mobile_is_of_the_post: bool = False) -> str:
    """The number as it is printed: `0755 8462 0000`, `12345`, `129 0000 0001`; abroad as `+852 2345 6789`.

    Raises Unusable, or Personal for a mobile number without `mobile_is_of_the_post`.
    """
    bare = _SEPARATORS.sub("", text.strip())
    if _SHORT.match(bare):
        return bare
    try:
        number = phones.parse(bare)
    except ValueError as error:
        raise Unusable(str(error)) from error
    if _MOBILE.match(number) and not mobile_is_of_the_post:
        raise Personal(number[-4:])
    return _printed(number)


def is_mobile(text: str) -> bool:
    """Whether a printed number is one of a mobile telephone at home."""
    bare = _SEPARATORS.sub("", text)
    return bool(_MOBILE.match(bare if bare.startswith("+") else "+86" + bare))


def tel(text: str) -> str:
    """What stands behind `tel:` for a printed number."""
    return re.sub(r"[^\d+]", "", text)


def _printed(number: str) -> str:
    if phones.is_demonstration(number):
        national = number.removeprefix("+86")
        return f"{national[:3]} {national[3:7]} {national[7:]}"
    parsed = phonenumbers.parse(number)
    home = parsed.country_code == 86
    form = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(parsed, form.NATIONAL if home else form.INTERNATIONAL)
