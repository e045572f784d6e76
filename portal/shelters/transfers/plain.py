"""What may stand unsealed: codes, initials and notes that tell nobody who somebody is."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _l

#: Resident identity numbers (GB 11643: region, day of birth, order, check sign) and telephones, also written in groups.
_IDENTITY = re.compile(r"(?<!\d)\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![\dXx])")
_PHONE = re.compile(r"(?<![\d-])(?:\+?86[- ]?)?(?:1[3-9]\d(?:[- ]?\d{4}){2}|0\d{2,3}[- ]?\d{7,8})(?![\d-])")
_CODE = re.compile(r"[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._-]{0,39}\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")


def telltale(text: str) -> Any:
    """Why this text may not stand where it is not sealed; empty when it may."""
    if _IDENTITY.search(text):
        return _l("Leave the identity number out: it is not needed here.")
    if _PHONE.search(text):
        return _l("Telephone numbers belong into their own field, where they are sealed.")
    return ""


def code_problem(code: str) -> Any:
    """Why this cannot be a person's code; empty when it can."""
    if not code:
        return _l("Give a code: the list's own number of this person.")
    if not _CODE.match(code):
        return _l("A code has at most 40 letters, digits, dots and dashes.")
    return telltale(code)


def initials_of(name: str) -> str:
    """What lists show for a name: 刘某 for Chinese names, J. S. for others; empty for none."""
    words = name.split()
    if not words:
        return ""
    if _HAN.match(words[0]):
        return f"{words[0][0]}某"
    return " ".join(f"{w[0].upper()}." for w in words[:3])
