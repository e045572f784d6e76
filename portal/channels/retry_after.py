"""When a server that refuses wants to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from portal.core.clock import utcnow

_LONGEST_TEXT = 64  # either form is shorter


def retry_after(text: str, date: str, most: float) -> float | None:
    """Seconds, 0 to `most`, that the header Retry-After asks for, in either of its forms (RFC 9110, 10.2.3): a number of seconds
    or a date. None where it says nothing that can be understood.

    `date` is the same answer's header Date: a date is read by the clock that wrote it, so that it does not matter how ours goes;
    by ours where there is none.
    """
    text = text.strip()
    if len(text) > _LONGEST_TEXT:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), most)
    until = _moment(text)
    if until is None:
        return None
    return min(max(0.0, (until - (_moment(date.strip()) or utcnow())).total_seconds()), most)


def _moment(text: str) -> datetime | None:
    """An HTTP date in any of the three forms of RFC 9110, 5.6.7; all of them are in GMT."""
    if not text[:1].isalpha() or len(text) > _LONGEST_TEXT:  # the day of the week comes first
        return None
    try:
        found = parsedate_to_datetime(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
