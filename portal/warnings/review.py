"""Review: the allowed moves of a draft, in one table, and the guards before an approval.

A move is one transaction together with its audit entry. Approving is not here alone: `approve` is called inside the
transaction that issues (dispatch/issue.py), so that a bulletin is approved, frozen and dispatched, or nothing is.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import Settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Forbidden, Invalid
from portal.identity import rights
from portal.identity.models import Account
from portal.warnings import changes, drafts
from portal.warnings.models import ALERT, DISCARDED, EDITING, ISSUED, REJECTED, SUBMITTED, Draft

WITHDRAW, RETURN = changes.WITHDRAW, changes.RETURN
SUBMIT, REJECT, DISCARD, APPROVE = "submit", "reject", "discard", "approve"


@dataclass(frozen=True)
class Move:
    """One allowed move: from, to, the duty it needs, and whether a reason must be given."""

    source: str
    to: str
    role: str
    reason: bool = False


MOVES = {
    SUBMIT: Move(EDITING, SUBMITTED, rights.DRAFTER),
    WITHDRAW: Move(SUBMITTED, EDITING, rights.DRAFTER),
    RETURN: Move(SUBMITTED, EDITING, rights.APPROVER, reason=True),
    REJECT: Move(SUBMITTED, REJECTED, rights.APPROVER, reason=True),
    DISCARD: Move(EDITING, DISCARDED, rights.DRAFTER),
    APPROVE: Move(SUBMITTED, ISSUED, rights.APPROVER),
}
REASON_LIMIT = 1000


def move(account: Account, draft_id: uuid.UUID, verb: str, *, version: int, reason: str = "") -> Draft:
    """Make one move other than an approval, on exactly the version that was seen.
    Raises Invalid, Forbidden, Conflict; nothing is changed then."""
    if verb == APPROVE:
        raise ValueError("an approval issues: see dispatch.issue")
    reason = reason.replace("\r\n", "\n").strip()
    with transaction() as session:
        draft = drafts.lock(session, draft_id)
        check_the_move_is_allowed(account, draft, verb, version)
        if MOVES[verb].reason and not reason:
            raise Invalid.one("reason", _("Say why, so that the author can mend it."))
        if any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in reason):
            raise Invalid.one("reason", _("The reason holds an invisible control character: delete it."))
        if len(reason) > REASON_LIMIT:
            raise Invalid.one("reason", _("The reason has more than %(n)d characters: shorten it.", n=REASON_LIMIT))
        if verb == SUBMIT:
            drafts.check(drafts.Content.of(draft), complete=True, settings=current_settings(), now=utcnow())
            check_the_chain_is_open(session, draft)
            draft.submitted_at, draft.submitted_by, draft.submitter_id = utcnow(), account.display_name, account.id
            draft.review_reason = draft.reviewed_by = None
        if verb in (RETURN, REJECT):
            draft.review_reason, draft.reviewed_by = reason, account.display_name
        if verb in (RETURN, WITHDRAW):
            draft.last_seen = changes.keep(draft, verb)
        draft.status, draft.changed_at = MOVES[verb].to, utcnow()
        audit.append(
            session,
            account.actor,
            f"draft.{verb}",
            f"draft:{draft.id}",
            {"version": draft.version, "content": draft.content_hash} | ({"reason": reason} if reason else {}),
        )
    return draft


def approve(session: Session, account: Account, draft: Draft, *, version: int, content_hash: str, now: datetime) -> None:
    """Every guard before an approval, inside the caller's transaction, on the locked draft."""
    check_the_move_is_allowed(account, draft, APPROVE, version)
    check_the_words_are_those_seen(draft, content_hash)
    check_two_people_agree(account, draft, current_settings())
    drafts.check(drafts.Content.of(draft), complete=True, settings=current_settings(), now=now)
    check_the_chain_is_open(session, draft)
    draft.status, draft.changed_at, draft.reviewed_by = ISSUED, now, account.display_name


def check_the_move_is_allowed(account: Account, draft: Draft, verb: str, version: int) -> None:
    """The draft is where the move begins, is the version that was seen, and the account's duty covers all of it."""
    step = MOVES[verb]
    codes, tier = drafts.scope(draft.region_codes, draft.tier, draft.warning_id)
    rights.require(account, step.role, codes or rights.regions_for(account, step.role, tier), tier)
    if draft.status != step.source:
        raise Conflict(
            _(
                "This draft has moved on since you opened it: it is now “%(status)s”. Nothing was changed.",
                status=_status_word(draft.status),
            )
        )
    if draft.version != version:
        raise Conflict(_("This draft was changed since you opened it. Read the new version first; nothing was changed."))


def check_the_words_are_those_seen(draft: Draft, content_hash: str) -> None:
    """An approval is of exactly the content that was on the screen, and the stored content is untouched."""
    if content_hash != draft.content_hash or drafts.Content.of(draft).hash() != draft.content_hash:
        raise Conflict(_("The content is not the one that you read. Read it again; nothing was issued."))


def two_people_needed(draft: Draft, settings: Settings) -> bool:
    """Whether author and approver must differ: by its tier, or by that of the warning whose place it takes."""
    _codes, tier = drafts.scope(draft.region_codes, draft.tier, draft.warning_id)
    needed = {draft.tier, tier} & set(settings.two_people_tiers)
    return bool(needed) and (not draft.exercise or settings.two_people_exercises)


def check_two_people_agree(account: Account, draft: Draft, settings: Settings) -> None:
    """Whoever wrote any of the words, or submitted them, is not the second person."""
    if two_people_needed(draft, settings) and str(account.id) in {
        *draft.editor_ids,
        str(draft.author_id),
        str(draft.submitter_id),
    }:
        raise Forbidden(_("You wrote or submitted this draft yourself. At this tier another person must approve it."))


def check_the_chain_is_open(session: Session, draft: Draft) -> None:
    """Only a warning in force can be updated or cancelled, and an all-clear is of the warning as it is now."""
    if draft.kind == ALERT:
        return
    content = drafts.Content.of(draft)
    if drafts.of_chain(session, content) != content:
        raise Conflict(
            _("The warning was updated after this was written. Withdraw this draft, open it, read it and submit it again.")
        )


def possible_moves(account: Account, draft: Draft, settings: Settings) -> list[str]:
    """The verbs to offer to this account on this draft."""
    found = []
    for verb, step in MOVES.items():
        if draft.status != step.source:
            continue
        codes, tier = drafts.scope(draft.region_codes, draft.tier, draft.warning_id)
        if not rights.may(account, step.role, codes or rights.regions_for(account, step.role, tier), tier):
            continue
        if verb == APPROVE:
            try:
                check_two_people_agree(account, draft, settings)
            except Forbidden:
                continue
        found.append(verb)
    return found


def _status_word(status: str) -> str:
    return {
        EDITING: _("being edited"),
        SUBMITTED: _("waiting for approval"),
        REJECTED: _("rejected"),
        DISCARDED: _("discarded"),
        ISSUED: _("issued"),
    }[status]
