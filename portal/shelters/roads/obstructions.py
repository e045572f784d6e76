"""Obstructions: what cuts or slows ways now, who may say so, and until when.

An obstruction counts from `begins_at` until `expires_at` or until somebody ends it; nothing is deleted. Whoever changes one
needs the duty for shelters over every community that it touches, before and after. Whoever writes takes the trail's place in
the queue first: a feed writes many rows with an entry after each, and would wait for ever for who has one of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, may_in, require_in
from portal.regions import codes
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstruction_values as rules
from portal.shelters.roads.obstruction_kinds import EFFECT_LABELS, KINDS, SOURCE_LABELS, STATE_LABELS, Kind

__all__ = [
    "EFFECT_LABELS", "KINDS", "SOURCE_LABELS", "STATE_LABELS", "Kind", "Listing", "create", "edit", "effects_for", "end",
    "extend", "get", "in_force", "listing", "may_change", "next_change", "of_communities", "resume", "state_of",
]
#: As many count at once as this; more would be a fault of an import, and is refused when they are made.
MOST = 5000
#: Hours by which one tap puts the end off.
EXTENSIONS = (1, 3, 6)


@dataclass(frozen=True)
class Listing:
    """`rows` of one page, `total` of all that match."""

    rows: list[Obstruction]
    total: int


# -- reading -------------------------------------------------------------------------------------------------
def get(obstruction_id: uuid.UUID) -> Obstruction | None:
    return db.session.get(Obstruction, obstruction_id)


def by_external(external_id: str) -> Obstruction | None:
    return db.session.scalar(select(Obstruction).where(Obstruction.external_id == external_id))


def state_of(row: Obstruction, now: datetime) -> str:
    """A key of STATE_LABELS."""
    if row.ended_at is not None:
        return "ended"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "coming" if row.begins_at > now else "now"


def _counts(now: datetime) -> ColumnElement[bool]:
    return and_(Obstruction.ended_at.is_(None), Obstruction.begins_at <= now,
                or_(Obstruction.expires_at.is_(None), Obstruction.expires_at > now))


def in_force(now: datetime, region_codes: Sequence[str] | None = None) -> list[Obstruction]:
    """What counts at this moment, the oldest first; in the regions, where some are named."""
    rows = db.session.scalars(select(Obstruction).where(_counts(now)).order_by(Obstruction.begins_at, Obstruction.id).limit(MOST))
    return [row for row in rows if region_codes is None or touches(row, region_codes)]


def of_communities(region_codes: Sequence[str]) -> list[Obstruction]:
    """What counts now and touches one of these regions."""
    return in_force(utcnow(), region_codes)


def touches(row: Obstruction, region_codes: Iterable[str]) -> bool:
    return any(codes.contains(wanted, code) for wanted in region_codes for code in row.region_codes)


def effects_for(family: str, now: datetime) -> list[Any]:
    """What the obstructions in force do to ways when people flee this family of hazards: a list of `effects.Effect`."""
    from portal.shelters.roads.effects import Effect  # the graph's libraries are heavy; most of who reads this needs none

    return [Effect(row.geometry, row.radius, row.effect, row.factor) for row in in_force(now)
            if not row.families or family in row.families]


def next_change(now: datetime) -> datetime | None:
    """When something begins or ends by itself next."""
    living = Obstruction.ended_at.is_(None)
    begins = db.session.scalar(select(func.min(Obstruction.begins_at)).where(living, Obstruction.begins_at > now))
    expires = db.session.scalar(select(func.min(Obstruction.expires_at)).where(living, Obstruction.expires_at > now))
    return min((moment for moment in (begins, expires) if moment is not None), default=None)


def listing(now: datetime, *, region_codes: Sequence[str] | None = None, state: str = "now", kind: str = "", text: str = "",
            offset: int = 0, limit: int = 100) -> Listing:
    """Obstructions for a list, the newest first. `state`: a key of STATE_LABELS, `past` (ended in any way), or empty for
    all; `text`: a piece of a name, note or external id."""
    living = Obstruction.ended_at.is_(None)
    gone = and_(living, Obstruction.expires_at.is_not(None), Obstruction.expires_at <= now)
    where = {"now": _counts(now), "coming": and_(living, Obstruction.begins_at > now), "expired": gone, "ended": ~living,
             "past": or_(~living, gone)}
    query = select(Obstruction)
    if state in where:
        query = query.where(where[state])
    if kind:
        query = query.where(Obstruction.kind == kind)
    if text:
        query = query.where(or_(*(column.icontains(text, autoescape=True) for column in (
            Obstruction.name_zh, Obstruction.name_en, Obstruction.source_note, Obstruction.external_id))))
    if region_codes is None:
        total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
        rows = db.session.scalars(query.order_by(Obstruction.id.desc()).offset(offset).limit(limit))
        return Listing(list(rows), total)
    # Which communities a row touches is a list in one column, which the two databases search in different ways.
    found = [row for row in db.session.scalars(query.order_by(Obstruction.id.desc()).limit(MOST)) if touches(row, region_codes)]
    return Listing(found[offset:offset + limit], len(found))


# -- rights --------------------------------------------------------------------------------------------------
def regions_needed(region_codes: Sequence[str]) -> list[str]:
    """Over which regions a duty is needed; ground of no known community is the whole district's matter."""
    return list(region_codes) or [current_settings().district]


def may_change(account: Account, row: Obstruction) -> bool:
    return may_in(account, SHELTERS, regions_needed(row.region_codes))


def require(account: Account | None, region_codes: Sequence[str]) -> None:
    """Raise Forbidden unless the account may change what touches these communities; None: the system itself may."""
    if account is not None:
        require_in(account, SHELTERS, regions_needed(region_codes))


# -- writing -------------------------------------------------------------------------------------------------
def create(account: Account | None, values: Mapping[str, Any], *, source: str = "desk",
           demonstration: bool = False, also: Callable[[Session, Obstruction], None] | None = None) -> Obstruction:
    """A new obstruction; `account` None: the system itself. `values`: see `obstruction_values.check`. `also` is called in the
    same transaction. Raises Invalid, Forbidden, and Conflict when its external id is taken."""
    checked = rules.check(values)
    with transaction() as session:
        audit.serialise(session)
        require_room(session, 1)
        row = put(session, account, checked.columns, source=source, demonstration=demonstration)
        wish(session)
        if also is not None:
            also(session, row)
    return row


def require_room(session: Session, more: int) -> None:
    """Raise Conflict when with so many more there would be more unended obstructions than count at once."""
    living = session.scalar(select(func.count()).select_from(Obstruction).where(Obstruction.ended_at.is_(None))) or 0
    if more and living + more > MOST:
        raise Conflict(_l("There are already %(n)s obstructions that nobody has ended: end old ones first.", n=living))


def put(session: Session, account: Account | None, columns: dict[str, Any], *, source: str,
        demonstration: bool = False) -> Obstruction:
    """As :func:`create`, of checked columns, within the caller's transaction, who asks for the field."""
    require(account, columns["region_codes"])
    now = utcnow()
    if columns.get("external_id") and by_external(columns["external_id"]):
        raise Conflict(_l("There is already an obstruction with this external number."))
    row = Obstruction(**columns, source=source, demonstration=demonstration, version=1, created_by=_name(account), created_at=now,
                      changed_at=now)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(_l("There is already an obstruction with this external number.")) from error
    _note(session, account, "obstruction.create", row)
    return row


def edit(account: Account | None, obstruction_id: uuid.UUID, version: int, values: Mapping[str, Any]) -> Obstruction:
    """Replace what is said of it, provided that it still is the `version` that was read. What `values` does not name stays.
    Raises Invalid, Forbidden, Conflict."""
    with transaction() as session:
        row = _locked(session, account, obstruction_id, version)
        if change(session, account, row, rules.check({**rules.of(row), **values}).columns):
            wish(session)
    return row


def change(session: Session, account: Account | None, row: Obstruction, columns: dict[str, Any]) -> bool:
    """Write checked columns into a locked row; whether anything changed."""
    require(account, columns["region_codes"])
    if all(getattr(row, name) == value for name, value in columns.items()):
        return False
    for name, value in columns.items():
        setattr(row, name, value)
    _touch(row)
    _note(session, account, "obstruction.edit", row)
    return True


def end(account: Account | None, obstruction_id: uuid.UUID, version: int) -> Obstruction:
    """It counts no longer from now on. Ending what is ended changes nothing. Raises Forbidden, Conflict."""
    with transaction() as session:
        row = _locked(session, account, obstruction_id, version)
        if row.ended_at is None:
            finish(session, account, row)
            wish(session)
    return row


def finish(session: Session, account: Account | None, row: Obstruction) -> None:
    """End a locked row, within the caller's transaction."""
    row.ended_at, row.ended_by = utcnow(), _name(account)
    _touch(row)
    _note(session, account, "obstruction.end", row)


def resume(account: Account | None, obstruction_id: uuid.UUID, version: int) -> Obstruction:
    """Take up again what has ended. An end that has passed meanwhile is taken away. Raises Forbidden, Conflict."""
    with transaction() as session:
        row = _locked(session, account, obstruction_id, version)
        if state_of(row, utcnow()) in ("ended", "expired"):
            revive(session, account, row)
            wish(session)
    return row


def revive(session: Session, account: Account | None, row: Obstruction) -> None:
    """Take a locked row up again, within the caller's transaction."""
    row.ended_at, row.ended_by = None, ""
    if row.expires_at is not None and row.expires_at <= utcnow():
        row.expires_at = None
    _touch(row)
    _note(session, account, "obstruction.resume", row)


def extend(account: Account | None, obstruction_id: uuid.UUID, version: int, hours: int) -> Obstruction:
    """Put the end off by some hours, counted from the end that is set or from now. Raises Invalid, Forbidden, Conflict."""
    if hours not in EXTENSIONS:
        raise Invalid.one("hours", _l("Choose by how many hours the end is put off."))
    with transaction() as session:
        row, now = _locked(session, account, obstruction_id, version), utcnow()
        if row.ended_at is not None:
            raise Conflict(_l("It has been ended meanwhile: take it up again first."))
        if row.expires_at is None:
            return row  # it has no end to put off
        row.expires_at = max(row.expires_at, now) + timedelta(hours=hours)
        _touch(row)
        _note(session, account, "obstruction.extend", row)
        wish(session)
    return row


def _locked(session: Session, account: Account | None, obstruction_id: uuid.UUID, version: int) -> Obstruction:
    audit.serialise(session)
    row = session.execute(select(Obstruction).where(Obstruction.id == obstruction_id).with_for_update()
                          .execution_options(populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise Conflict(_l("This obstruction does not exist."))
    require(account, row.region_codes)
    if row.version != version:
        raise Conflict(_l("Somebody changed this obstruction while you had it open. Nothing was saved; open it again."))
    return row


def _touch(row: Obstruction) -> None:
    row.version += 1
    row.changed_at = utcnow()


def _name(account: Account | None) -> str:
    return account.display_name if account else audit.SYSTEM.name


def _note(session: Session, account: Account | None, action: str, row: Obstruction) -> None:
    audit.append(session, account.actor if account else audit.SYSTEM, action, f"obstruction:{row.id}", {
        "kind": row.kind, "name": row.name_zh, "regions": row.region_codes[:20], "version": row.version,
        "expires": row.expires_at.isoformat() if row.expires_at else None})


def wish(session: Session) -> None:
    """Ask for the field to be computed again, within the transaction that changed what cuts its ways."""
    from portal.shelters.field import wish as asking  # the field is built of obstructions: it imports this module

    asking.ask(session, "obstruction")
