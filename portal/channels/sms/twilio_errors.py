"""What Twilio's answers mean for us. Codes: https://www.twilio.com/docs/api/errors.

Three kinds: about this number (final for this recipient), about the moment (try again), about our own account or
sender (no recipient may be failed for it: try again, and stop sending until somebody has mended it).
"""

from __future__ import annotations

from portal.channels.sms.provider import FAILED, INVALID, OPTED_OUT, RETRY

#: A word of ours for wrong or missing credentials: the administrator must act.
AUTH = "auth"

OPTED_OUT_CODES = frozenset({21610})
_NO_SUCH_NUMBER = {21211, 21214, 21217, 21401, 21614, 30005}
#: Sender or service is wrong, suspended or used up: the same for every recipient.
_OURS = {20005, 20006, 21212, 21603, 21606, 21607, 21659, 21660, 21661, 21701, 21703, 21705, 21710, 63038}
_PASSING = {14107, 20429, 20500, 20503, 21611, 30001, 30008, 30017, 30022}


def classify(http_status: int, code: int | None) -> tuple[str, str, bool]:
    """(status of the result, its code, whether to stop sending) of a refusal.

    `code` is Twilio's own, None when the answer held none: then it is not the carrier's word but that of something
    on the way, and no recipient is failed for it.
    """
    word = str(code) if code is not None else f"http_{http_status}"
    if http_status == 401 or code in (20003, 20008):
        return RETRY, AUTH, True
    if code in OPTED_OUT_CODES:
        return OPTED_OUT, word, False
    if code in _NO_SUCH_NUMBER:
        return INVALID, word, False
    if code in _OURS or http_status in (403, 404):
        return RETRY, word, True
    if code is None or code in _PASSING or http_status in (408, 429) or http_status >= 500:
        return RETRY, word, False
    return FAILED, word, False
