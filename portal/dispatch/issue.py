"""Issue: approve, freeze and create the dispatches in one transaction. All of it is there afterwards, or none."""

from __future__ import annotations

import uuid

from portal import current_settings
from portal.config import TIERS
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.dispatch import events
from portal.dispatch.models import PLANNING, PUSH, SMS, SPEAKERS, WEB, Dispatch
from portal.dispatch.stop import halt_earlier
from portal.identity.models import Account
from portal.warnings import bulletins, drafts, review
from portal.warnings.models import Bulletin, Draft

#: Drills wait behind every real warning.
EXERCISE_LANES = len(TIERS)


def issue(account: Account, draft_id: uuid.UUID, *, version: int, content_hash: str) -> Bulletin:
    """Approve exactly the version and content that were seen, and set everything in motion.

    Raises Invalid, Forbidden or Conflict; nothing is issued then. Two approvals at the same moment: one issues, the
    other gets the Conflict.
    """
    with transaction() as session:
        now = utcnow()
        draft = drafts.lock(session, draft_id)
        review.approve(session, account, draft, version=version, content_hash=content_hash, now=now)
        bulletin = bulletins.freeze(session, draft, account, now=now)
        halted = halt_earlier(session, bulletin)
        for channel in _channels(draft):
            session.add(
                Dispatch(
                    bulletin_id=bulletin.id,
                    warning_id=bulletin.warning_id,
                    channel=channel,
                    exercise=bulletin.exercise,
                    lane=lane_of(bulletin.tier, bulletin.exercise),
                    state=PLANNING,
                    created_at=now,
                    expires_at=bulletin.expires,
                )
            )
        audit.append(
            session,
            account.actor,
            "bulletin.issue",
            f"bulletin:{bulletin.id}",
            {
                "draft": str(draft.id),
                "version": draft.version,
                "content": draft.content_hash,
                "kind": bulletin.kind,
                "exercise": bulletin.exercise,
                "tier": bulletin.tier,
                "hazard": bulletin.hazard,
                "regions": bulletin.region_codes,
                "number": bulletin.warning_number,
                "identifier": bulletin.identifier,
                "cap_sha256": bulletin.cap_sha256,
            },
        )
    lane = lane_of(bulletin.tier, bulletin.exercise)
    if halted:  # all who may be sending it are to know; of what is new, one of them
        events.work.send(events.Work("stop", lane))
    events.work.send(events.Work("issue", lane))
    return bulletin


def lane_of(tier: str, exercise: bool) -> int:
    """0 for red up to 4 for white; drills after all of them."""
    return len(TIERS) - 1 - TIERS.index(tier) + (EXERCISE_LANES if exercise else 0)


def _channels(draft: Draft) -> list[str]:
    """In the order of planning: the page is one step and stands behind every link; horns are few and heard at once."""
    chosen = draft.target.get("channels", [SMS, SPEAKERS])
    possible = (SPEAKERS, PUSH, SMS) if current_settings().push_services else (SPEAKERS, SMS)
    return ([] if draft.exercise else [WEB]) + [channel for channel in possible if channel in chosen]
