"""Drafts: writing them. Moving them through review is in review.py."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import TIERS, Settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity import rights
from portal.identity.models import Account
from portal.regions import lookup
from portal.warnings import hazards, target, words
from portal.warnings.models import ALERT, CANCEL, EDITING, IN_FORCE, Bulletin, Draft, Warning

#: An all-clear has a life of its own: long enough to be delivered when the warning itself is about to expire.
CANCEL_HOURS = 3


@dataclass(frozen=True)
class Content:
    """All that a person writes in a draft, and all that an approval is of. `onset` None: at the moment of issue."""

    kind: str
    warning_id: uuid.UUID | None
    exercise: bool
    hazard: str
    tier: str
    target: dict[str, Any]
    onset: datetime | None
    expires: datetime
    words: words.Words

    def hash(self) -> str:
        """SHA-256 over one canonical form: equal content, equal hash."""
        body = [
            self.kind,
            str(self.warning_id),
            self.exercise,
            self.hazard,
            self.tier,
            self.target,
            self.onset.isoformat() if self.onset else None,
            self.expires.isoformat(),
            self.words,
        ]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @classmethod
    def of(cls, draft: Draft) -> Content:
        return cls(
            draft.kind,
            draft.warning_id,
            draft.exercise,
            draft.hazard,
            draft.tier,
            draft.target,
            draft.onset,
            draft.expires,
            draft.words,
        )


def check(content: Content, *, complete: bool, settings: Settings, now: datetime) -> Content:
    """The content in its one form. Raises Invalid with everything that is wrong, each at its field. `complete`: whether
    it is to be submitted or issued, so that nothing may be missing or past."""
    problems: list[Problem] = []
    hazard = hazards.catalogue().get(content.hazard)
    if hazard is None:
        problems.append(Problem("hazard", _("This kind of hazard is unknown: choose one from the list.")))
    elif not hazard.has(content.tier):
        problems.append(
            Problem(
                "tier",
                _("%(hazard)s has no such tier. Possible: %(tiers)s.", **_names(hazard)),
            )
        )
    try:
        aim = target.normalise(content.target, complete=complete)
    except Invalid as error:
        problems += error.problems
        aim = content.target
    problems += _time_problems(content, complete=complete, settings=settings, now=now)
    clean = words.normalise(content.words, exercise=content.exercise, settings=settings)
    problems += words.problems(clean, complete=complete, settings=settings)
    if problems:
        raise Invalid(problems)
    return replace(content, target=aim, words=clean)


def _names(hazard: hazards.Hazard) -> dict[str, str]:
    """The hazard and its tiers as the reader calls them."""
    locale = get_locale()
    language = locale.language if locale else "zh"
    tiers = ("、" if language == "zh" else ", ").join(hazards.TIER_NAMES[tier][language] for tier in hazard.tiers)
    return {"hazard": hazard.name(language), "tiers": tiers}


def _time_problems(content: Content, *, complete: bool, settings: Settings, now: datetime) -> list[Problem]:
    found = []
    onset = content.onset or now
    if content.kind == CANCEL and content.expires <= now:
        return []  # an all-clear's own life begins at its issue, however long it waited
    if content.expires <= onset:
        found.append(
            Problem(
                "expires",
                _("The warning would end before it begins: set the end after the beginning.")
                if content.onset
                else _("The end has already passed: set a later one."),
            )
        )
    elif complete and content.expires <= now:
        found.append(Problem("expires", _("The end has already passed: set a later one.")))
    elif content.expires - onset > timedelta(hours=settings.max_duration_hours):
        found.append(
            Problem(
                "expires",
                _(
                    "A bulletin lasts at most %(n)d hours: set an earlier end, and issue an update later.",
                    n=settings.max_duration_hours,
                ),
            )
        )
    if content.onset and content.onset > now + timedelta(hours=settings.max_duration_hours):
        found.append(
            Problem(
                "onset", _("The beginning lies more than %(n)d hours ahead: set an earlier one.", n=settings.max_duration_hours)
            )
        )
    return found


def create(account: Account, content: Content, *, also: Callable[[Session, Draft], None] | None = None) -> Draft:
    """A new draft of `content`, in the state of being edited. `also` is called in the same transaction.
    Raises Invalid, Forbidden, Conflict."""
    now = utcnow()
    with transaction() as session:
        if content.kind != ALERT:
            content = of_chain(session, content)
        content = check(content, complete=False, settings=current_settings(), now=now)
        _require_drafter(account, target.region_codes(content.target), content.tier, content.warning_id)
        draft = filed(account, content, now)
        session.add(draft)
        session.flush()
        audit.append(session, account.actor, "draft.create", f"draft:{draft.id}", _told(draft))
        if also is not None:
            also(session, draft)
    return draft


def filed(account: Account, content: Content, now: datetime) -> Draft:
    """A draft of checked content, not yet in a session."""
    draft = Draft(
        status=EDITING,
        version=1,
        author_id=account.id,
        author_name=account.display_name,
        editor_ids=[str(account.id)],
        created_at=now,
        changed_at=now,
    )
    _write(draft, content, target.region_codes(content.target))
    return draft


def revise(account: Account, draft_id: uuid.UUID, version: int, content: Content) -> Draft:
    """Replace the content of a draft that is being edited, provided that it still is the `version` that was read."""
    now = utcnow()
    with transaction() as session:
        draft = lock(session, draft_id)
        if draft.status != EDITING:
            raise Conflict(_("This draft is no longer being edited. Your words were not saved; open it to see where it is."))
        if draft.version != version:
            raise Conflict(
                _("Somebody changed this draft while you had it open. Your words were not saved; open it again and compare.")
            )
        _require_drafter(account, draft.region_codes, draft.tier, draft.warning_id)
        content = replace(content, kind=draft.kind, warning_id=draft.warning_id)
        if draft.kind != ALERT:
            content = of_chain(session, content)
        content = check(content, complete=False, settings=current_settings(), now=now)
        codes = target.region_codes(content.target)
        _require_drafter(account, codes, content.tier, draft.warning_id)
        if content.hash() != draft.content_hash:
            _write(draft, content, codes)
            draft.version += 1
            draft.changed_at = now
            draft.editor_ids = sorted({*draft.editor_ids, str(account.id)})
            audit.append(session, account.actor, "draft.revise", f"draft:{draft.id}", _told(draft))
    return draft


def lock(session: Session, draft_id: uuid.UUID) -> Draft:
    """The draft as it is now, held until the transaction ends. Raises Conflict when there is none."""
    draft = session.execute(select(Draft).where(Draft.id == draft_id).with_for_update()).scalar_one_or_none()
    if draft is None:
        raise Conflict(_("This draft does not exist."))
    return draft


def get(draft_id: uuid.UUID) -> Draft | None:
    return db.session.get(Draft, draft_id)


def listing(*, statuses: tuple[str, ...], limit: int = 100) -> list[Draft]:
    """Drafts in these states, latest change first."""
    return list(
        db.session.execute(
            select(Draft).where(Draft.status.in_(statuses)).order_by(Draft.changed_at.desc()).limit(limit)
        ).scalars()
    )


def of_chain(session: Session, content: Content) -> Content:
    """An update or all-clear belongs to a warning in force, keeps its hazard and whether it is a drill, and takes every
    channel that the warning took; an all-clear goes where the warning went, at its tier. The warning is held until the
    transaction ends. Raises Conflict."""
    warning = session.execute(
        select(Warning).where(Warning.id == content.warning_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if warning is None or warning.state != IN_FORCE or warning.expires <= utcnow():
        raise Conflict(_("This warning is no longer in force, so it can neither be updated nor cancelled."))
    content = replace(content, hazard=warning.hazard, exercise=warning.exercise)
    taken = _channels_of(session, warning.id)
    if content.kind == CANCEL:
        aim = {"regions": warning.region_codes, "area": None, "audiences": [], "channels": taken}
        return replace(content, tier=warning.tier, onset=None, target=aim)
    # Who was told through a channel hears through it what takes the warning's place.
    wanted = {*content.target.get("channels", target.OPTIONAL_CHANNELS), *taken}
    channels = [name for name in target.OPTIONAL_CHANNELS if name in wanted] + sorted(wanted - {*target.OPTIONAL_CHANNELS})
    return replace(content, target=content.target | {"channels": channels})


def _channels_of(session: Session, warning_id: uuid.UUID) -> list[str]:
    """Every channel through which some bulletin of the warning went."""
    taken: set[str] = set()
    for snapshot in session.execute(select(Bulletin.snapshot).where(Bulletin.warning_id == warning_id)).scalars():
        taken.update(snapshot["target"].get("channels", target.OPTIONAL_CHANNELS))
    return [name for name in target.OPTIONAL_CHANNELS if name in taken]


def scope(codes: list[str], tier: str, warning_id: uuid.UUID | None) -> tuple[list[str], str]:
    """The regions and the tier that a duty must cover. An update or all-clear reaches all who were sent the warning and
    takes its place, so it is a matter of the warning's regions and tier as well as of its own."""
    warning = db.session.get(Warning, warning_id) if warning_id else None
    if warning is None:
        return codes, tier
    return lookup.topmost([*codes, *warning.region_codes]), max(tier, warning.tier, key=TIERS.index)


def _require_drafter(account: Account, codes: list[str], tier: str, warning_id: uuid.UUID | None) -> None:
    """A draft without a target yet is anybody's who drafts at that tier somewhere."""
    codes, tier = scope(codes, tier, warning_id)
    rights.require(account, rights.DRAFTER, codes or rights.regions_for(account, rights.DRAFTER, tier), tier)


def _write(draft: Draft, content: Content, codes: list[str]) -> None:
    for field in ("kind", "warning_id", "exercise", "hazard", "tier", "target", "onset", "expires", "words"):
        setattr(draft, field, getattr(content, field))
    draft.region_codes = codes
    draft.content_hash = content.hash()


def _told(draft: Draft) -> dict[str, Any]:
    """What the audit trail keeps of a draft."""
    return {
        "kind": draft.kind,
        "exercise": draft.exercise,
        "hazard": draft.hazard,
        "tier": draft.tier,
        "regions": draft.region_codes,
        "version": draft.version,
        "content": draft.content_hash,
    }
