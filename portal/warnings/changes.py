"""What a draft said when it was sent back to be changed, so that its next version can be read against it."""

from __future__ import annotations

from typing import Any

from portal.core.clock import utcnow
from portal.warnings.models import Draft

WITHDRAW, RETURN = "withdraw", "return"


def keep(draft: Draft, verb: str) -> dict[str, Any]:
    """The content of the draft as it stands, for `Draft.last_seen`. Times in ISO 8601, with their zone."""
    return {
        "verb": verb,
        "by": draft.reviewed_by if verb == RETURN else None,
        "reason": draft.review_reason if verb == RETURN else None,
        "at": utcnow().isoformat(),
        "version": draft.version,
        "exercise": draft.exercise,
        "hazard": draft.hazard,
        "tier": draft.tier,
        "target": draft.target,
        "region_codes": draft.region_codes,
        "onset": draft.onset.isoformat() if draft.onset else None,
        "expires": draft.expires.isoformat(),
        "words": draft.words,
    }
