"""Sentences that several rules of signing in say."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

NOT_SIGNED_IN = _l(
    "That did not work: the user name or the password is not right, or the account is locked. "
    "After several failed attempts an account stays locked for a while; "
    "an administrator can unlock it sooner."
)
WRONG_PASSWORD = _l(
    "This is not your present password. Too many failed attempts lock the account for a while."
)
SAME_PASSWORD = _l("This is the password that you have already. Take another one.")
