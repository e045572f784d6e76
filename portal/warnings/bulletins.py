"""Bulletins: freezing an approved draft, and the life of the warning that it belongs to."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from portal import current_settings
from portal.config import Settings
from portal.core import audit
from portal.core.clock import local
from portal.core.db import db, transaction
from portal.identity.models import Account
from portal.regions import area as drawn
from portal.regions import lookup
from portal.warnings import cap, hazards
from portal.warnings.drafts import CANCEL_HOURS
from portal.warnings.models import CANCEL, CANCELLED, EXPIRED, IN_FORCE, Bulletin, Draft, Warning


def freeze(session: Session, draft: Draft, approver: Account, *, now: datetime) -> Bulletin:
    """Turn an approved draft into a bulletin, inside the caller's write transaction: words, target, people and CAP bytes
    are copied and never change again; the warning's chain moves on."""
    settings = current_settings()
    now = now.replace(microsecond=0)  # CAP knows whole seconds, and `sent` is part of the alert's identity
    audit.serialise(session)  # numbers and identifiers below are counted; two issues must not count the same
    earlier = of_warning(session, draft.warning_id) if draft.warning_id else []
    now = max([now, *(e.sent_at for e in earlier)])  # CAP refuses a message before the one it refers to; clocks are set back
    warning = session.get(Warning, draft.warning_id) if draft.warning_id else None
    onset, expires = _times(draft, now)
    if warning is None:
        warning = Warning(
            number=_next_number(session, draft.exercise, now, settings),
            exercise=draft.exercise,
            hazard=draft.hazard,
            tier=draft.tier,
            state=IN_FORCE,
            onset=onset,
            expires=expires,
            issued_at=now,
            region_codes=draft.region_codes,
        )
        session.add(warning)
        session.flush()
    elif draft.kind == CANCEL:
        warning.state, warning.ended_at = CANCELLED, now
    else:
        warning.tier, warning.onset, warning.expires = draft.tier, onset, expires
        warning.region_codes = lookup.topmost([*warning.region_codes, *draft.region_codes])
    bulletin = _made(
        session,
        draft,
        approver,
        warning_id=warning.id,
        number=warning.number,
        earlier=earlier,
        onset=onset,
        expires=expires,
        now=now,
        settings=settings,
    )
    session.add(bulletin)
    session.flush()
    draft.bulletin_id = bulletin.id
    return bulletin


def foresee(draft: Draft, viewer: Account, *, now: datetime) -> Bulletin:
    """The bulletin that the draft would become if the viewer approved it now, for reading only: nothing is stored, and
    the identifier is the one that this second would give. Raises ValueError where CAP cannot state the draft's facts."""
    settings, now = current_settings(), now.replace(microsecond=0)
    earlier = of_warning(db.session, draft.warning_id) if draft.warning_id else []
    found = warning(draft.warning_id) if draft.warning_id else None
    number = found.number if found else _next_number(db.session, draft.exercise, now, settings)
    onset, expires = _times(draft, now)
    return _made(
        db.session,
        draft,
        viewer,
        warning_id=draft.warning_id,
        number=number,
        earlier=earlier,
        onset=onset,
        expires=expires,
        now=now,
        settings=settings,
    )


def _times(draft: Draft, now: datetime) -> tuple[datetime, datetime]:
    """Onset and expiry when it is issued at `now`."""
    onset = draft.onset if draft.onset and draft.onset > now else now
    return onset, max(draft.expires, now + timedelta(hours=CANCEL_HOURS)) if draft.kind == CANCEL else draft.expires


def _made(
    session: Session,
    draft: Draft,
    approver: Account,
    *,
    warning_id: uuid.UUID | None,
    number: str,
    earlier: list[Bulletin],
    onset: datetime,
    expires: datetime,
    now: datetime,
    settings: Settings,
) -> Bulletin:
    bulletin = Bulletin(
        warning_id=warning_id,
        warning_number=number,
        position=len(earlier) + 1,
        kind=draft.kind,
        exercise=draft.exercise,
        identifier=_next_identifier(session, now, settings),
        sender=settings.cap_sender,
        hazard=draft.hazard,
        tier=draft.tier,
        region_codes=draft.region_codes,
        audiences=draft.target["audiences"],
        sent_at=now,
        onset=onset,
        expires=expires,
        snapshot=_snapshot(draft, approver, settings, earlier),
        draft_hash=draft.content_hash,
    )
    bulletin.cap = _cap_bytes(bulletin, earlier, settings)
    bulletin.cap_sha256 = hashlib.sha256(bulletin.cap).hexdigest()
    return bulletin


def of_warning(session: Session, warning_id: uuid.UUID) -> list[Bulletin]:
    """The chain, first to last."""
    return list(session.execute(select(Bulletin).where(Bulletin.warning_id == warning_id).order_by(Bulletin.position)).scalars())


def get(bulletin_id: uuid.UUID) -> Bulletin | None:
    return db.session.get(Bulletin, bulletin_id)


def warning(warning_id: uuid.UUID) -> Warning | None:
    return db.session.get(Warning, warning_id)


def warning_by_number(number: str) -> Warning | None:
    return db.session.execute(select(Warning).where(Warning.number == number)).scalar_one_or_none()


def live(*, exercises: bool | None = None) -> list[Warning]:
    """Warnings in force, the most severe and then the newest first. `exercises`: only drills, only real ones, or both."""
    query = select(Warning).where(Warning.state == IN_FORCE).order_by(Warning.issued_at.desc())
    if exercises is not None:
        query = query.where(Warning.exercise == exercises)
    order = ("red", "orange", "yellow", "blue", "white")
    return sorted(db.session.execute(query).scalars(), key=lambda w: order.index(w.tier))


def recent(limit: int = 50, *, exercises: bool | None = None) -> list[Warning]:
    """Warnings, newest first. `exercises`: only drills, only real ones, or both."""
    query = select(Warning).order_by(Warning.issued_at.desc()).limit(limit)
    if exercises is not None:
        query = query.where(Warning.exercise == exercises)
    return list(db.session.execute(query).scalars())


def expire_due(now: datetime, limit: int = 100) -> list[str]:
    """Mark the warnings whose time is over; their numbers. Called by the scheduler, harmless when repeated."""
    due = select(Warning).where(Warning.state == IN_FORCE, Warning.expires <= now).limit(limit)
    if not db.session.execute(due).first():
        return []
    numbers = []
    with transaction() as session:
        for item in session.execute(due.with_for_update(skip_locked=True)).scalars():
            item.state, item.ended_at = EXPIRED, item.expires
            audit.append(session, audit.SYSTEM, "warning.expire", f"warning:{item.id}", {"number": item.number})
            numbers.append(item.number)
    return numbers


def altered(session: Session) -> Iterator[str]:
    """One sentence for each bulletin whose CAP bytes no longer are those that were approved, as the audit trail keeps their
    hash; of demonstration bulletins, which nobody approved, as the bulletin itself does."""
    entries = session.execute(
        select(audit.AuditEntry.subject, audit.AuditEntry.details).where(audit.AuditEntry.action == "bulletin.issue")
    )
    approved = {subject: details.get("cap_sha256") for subject, details in entries}
    rows = select(Bulletin.id, Bulletin.identifier, Bulletin.cap, Bulletin.cap_sha256).execution_options(yield_per=50)
    for row in session.execute(rows):
        if hashlib.sha256(row.cap).hexdigest() != approved.get(f"bulletin:{row.id}", row.cap_sha256):
            yield f"bulletin {row.identifier} is not the one that was approved: its CAP bytes were changed"


def _next_number(session: Session, exercise: bool, now: datetime, settings: Settings) -> str:
    day = f"{local(now, settings.timezone):%Y%m%d}-{'D' if exercise else ''}"
    taken = session.execute(
        select(func.count()).select_from(Warning).where(Warning.number.like(f"{day}%"), Warning.exercise == exercise)
    ).scalar_one()
    return f"{day}{taken + 1:02d}"


def _next_identifier(session: Session, now: datetime, settings: Settings) -> str:
    """Unit code, time, and from the second bulletin of a second on a number, as 12379 identifiers are formed."""
    base = f"{settings.unit_code}_{local(now, settings.timezone):%Y%m%d%H%M%S}"
    taken = session.execute(
        select(func.count())
        .select_from(Bulletin)
        .where(or_(Bulletin.identifier == base, Bulletin.identifier.startswith(base + "_", autoescape=True)))
    ).scalar_one()
    return f"{base}_{taken}" if taken else base


def _snapshot(draft: Draft, approver: Account, settings: Settings, earlier: list[Bulletin]) -> dict[str, Any]:
    hazard = hazards.catalogue().get(draft.hazard)
    names = lookup.names(draft.region_codes)
    polygons = earlier[-1].snapshot["polygons"] if draft.kind == CANCEL and earlier else _polygons(draft)
    return {
        "hazard": {
            "code": draft.hazard,
            "zh": hazard.name("zh") if hazard else draft.hazard,
            "en": hazard.name("en") if hazard else draft.hazard,
        },
        "areas": [{"code": code, **names[code]} for code in draft.region_codes],
        "polygons": polygons,
        "target": draft.target,
        "words": draft.words,
        "authority": {"zh": settings.authority_zh, "en": settings.authority_en},
        "people": {"author": draft.author_name, "submitter": draft.submitted_by, "approver": approver.display_name},
    }


def _polygons(draft: Draft) -> list[list[list[float]]]:
    """Outer rings of the area, longitude first: the drawn area, and the outline of the chosen regions."""
    rings = []
    if draft.target["area"]:
        rings.append(drawn.to_polygon(draft.target["area"])["coordinates"][0])
    if draft.target["regions"] and (outline := lookup.outline(draft.target["regions"])):
        parts = outline["coordinates"] if outline["type"] == "MultiPolygon" else [outline["coordinates"]]
        rings += [part[0] for part in parts]
    return rings


def cap_hazard(code: str, tier: str) -> dict[str, Any]:
    """What CAP says of a hazard at a tier; of an unknown code, its code alone."""
    hazard = hazards.catalogue().get(code)
    if hazard is None:
        return {"code": code, "zh": code, "en": code}
    signal = hazard.signal(tier)
    return {
        "code": code,
        "zh": hazard.name("zh"),
        "en": hazard.name("en"),
        "category": hazard.category,
        "urgency": signal.urgency,
        "certainty": signal.certainty,
    }


def _cap_bytes(bulletin: Bulletin, earlier: list[Bulletin], settings: Settings) -> bytes:
    zone, shot = settings.timezone, bulletin.snapshot
    return cap.render(
        cap.alert_for(
            identifier=bulletin.identifier,
            sender=bulletin.sender,
            sent_local=local(bulletin.sent_at, zone),
            kind=bulletin.kind,
            exercise=bulletin.exercise,
            references=[(e.sender, e.identifier, local(e.sent_at, zone)) for e in earlier],
            hazard=cap_hazard(bulletin.hazard, bulletin.tier),
            tier=bulletin.tier,
            words=shot["words"],
            areas=shot["areas"],
            polygons=shot["polygons"],
            codes=bulletin.region_codes,
            authority=shot["authority"],
            onset_local=local(bulletin.onset, zone),
            expires_local=local(bulletin.expires, zone),
            web_urls={
                language: f"{settings.base_url}/{language}/warnings/{bulletin.warning_number}/" for language in ("zh", "en")
            }
            if not bulletin.exercise
            else {},
        )
    )
