"""A file of another program, by its kind: the one way in for the command and for the desk."""

from __future__ import annotations

from flask_babel import gettext as _

from portal.training.exchange import gift, moodle
from portal.training.exchange.drafts import Reading, Unreadable

GIFT, MOODLE = "gift", "moodle"
KINDS = (GIFT, MOODLE)
#: Bytes of one file.
MOST_BYTES = 20_000_000


def read(kind: str, body: bytes, language: str) -> Reading:
    """The questions of a file of `kind`. Raises :class:`Unreadable`."""
    if len(body) > MOST_BYTES:
        raise Unreadable(_("is larger than %(size)s MB; split it", size=MOST_BYTES // 1_000_000))
    if kind == MOODLE:
        return moodle.read(body, language)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Unreadable(_("is not UTF-8 text; save the file with the encoding UTF-8"), line) from error
    return gift.read(text, language)
