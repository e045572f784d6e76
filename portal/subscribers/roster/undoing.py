"""Taking a list back: those whom it made and who did nothing since are no subscribers any more, and what it added to others goes.

Whoever changed afterwards (left, chose on the web or by a text, stands in a later list) is left as they are, and counted.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ColumnElement, and_, cast, delete, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import UtcDateTime, transaction
from portal.core.errors import Conflict
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, require_in
from portal.subscribers.models import (
    ACTIVE,
    INVALID,
    ConsentEvent,
    RosterGain,
    RosterImport,
    Subscriber,
    SubscriberRegion,
)
from portal.subscribers.roster import batches, taking
from portal.subscribers.roster.taking import CHANGED, SOURCE

ERASED = "erased"


def ask(account: Account, batch_id: str) -> None:
    """Somebody wants it back. Raises LookupError, Forbidden, and Conflict when it is too late for that."""
    with transaction() as session:
        batch = batches.lock_after_trail(session, batch_id)
        if batch is None:
            raise LookupError(batch_id)
        require_in(account, SUBSCRIBERS, batch.region_codes or [current_settings().district])
        if not batches.can_be_taken_back(batch, utcnow()):
            raise Conflict(_l("This list cannot be taken back any more: that is possible for %(n)s days after it came in.",
                              n=batches.UNDO_WITHIN.days))
        batch.state, batch.beat_at, batch.told = batches.UNDOING, utcnow(), False
        batch.actor_id, batch.actor = account.actor.id, account.actor.name
        audit.append(session, account.actor, "subscribers.undo", batches.subject(batch_id), {
            "new": batch.new, "gained": batch.gained})


def take_back(batch_id: str) -> RosterImport:
    """What :func:`ask` allowed, in one transaction."""
    with transaction() as session:
        batch = taking.alone(session, batch_id, batches.UNDOING)
        now = utcnow()
        gained = _lose(session, batch, now)
        made = _forget(session, batch, now)
        batch.taken_back = gained + made
        batch.kept = max(0, batch.new + batch.gained - batch.taken_back)
        batch.state, batch.ended_at, batch.beat_at = batches.UNDONE, now, now
        session.execute(delete(RosterGain).where(RosterGain.import_id == batch_id).execution_options(synchronize_session=False))
    taking.tell(batch_id)
    found = batches.get(batch_id)
    if found is None:
        raise LookupError(batch_id)
    return found


def _lose(session: Session, batch: RosterImport, now: Any) -> int:
    """Those who were there before lose what the list added."""
    gains = select(RosterGain.subscriber_id).where(RosterGain.import_id == batch.id)
    unchanged = and_(Subscriber.id.in_(gains), Subscriber.changed_at == batch.written_at, Subscriber.status == ACTIVE)
    many = session.scalar(select(func.count()).where(unchanged)) or 0
    region = exists().where(RosterGain.import_id == batch.id, RosterGain.subscriber_id == SubscriberRegion.subscriber_id,
                            RosterGain.region_code == SubscriberRegion.region_code)
    session.execute(delete(SubscriberRegion).where(
        SubscriberRegion.subscriber_id.in_(select(Subscriber.id).where(unchanged)), region).execution_options(
        synchronize_session=False))
    _told(session, select(Subscriber.id).where(unchanged), CHANGED, batch.id, now)
    bits = select(RosterGain.audiences).where(RosterGain.import_id == batch.id, RosterGain.subscriber_id == Subscriber.id,
                                              RosterGain.region_code == "").scalar_subquery()
    session.execute(update(Subscriber).where(unchanged).values(
        audiences=Subscriber.audiences - Subscriber.audiences.bitwise_and(func.coalesce(bits, 0)), changed_at=now)
        .execution_options(synchronize_session=False))
    return many


def _forget(session: Session, batch: RosterImport, now: Any) -> int:
    """Those whom the list alone had made go, as whoever asks to be erased; the row stays without a number, since the story tells
    of it and its id must not become another's."""
    made = and_(Subscriber.created_at == batch.written_at, Subscriber.changed_at == batch.written_at, Subscriber.source == SOURCE,
                Subscriber.status == ACTIVE)
    ids = select(Subscriber.id).where(made)
    many = session.scalar(select(func.count()).where(made)) or 0
    session.execute(delete(SubscriberRegion).where(SubscriberRegion.subscriber_id.in_(ids)).execution_options(
        synchronize_session=False))
    session.execute(update(ConsentEvent).where(ConsentEvent.subscriber_id.in_(ids)).values(detail=None).execution_options(
        synchronize_session=False))
    _told(session, ids, ERASED, batch.id, now)
    session.execute(update(Subscriber).where(made).values(
        phone_index=_random_index(session), phone_sealed=b"", audiences=0, status=INVALID, changed_at=now).execution_options(
        synchronize_session=False))
    return many


def _random_index(session: Session) -> ColumnElement[Any]:
    """Sixteen bytes by chance, other ones in each row."""
    postgres = session.get_bind().dialect.name == "postgresql"
    return func.uuid_send(func.gen_random_uuid()) if postgres else func.randomblob(16)


def _told(session: Session, ids: Any, kind: str, batch_id: str, now: Any) -> None:
    whole, of = literal(f'{{"undone": "{batch_id}"}}'), ids.subquery()
    detail = cast(whole, JSON) if session.get_bind().dialect.name == "postgresql" else whole
    session.execute(insert(ConsentEvent).from_select(["subscriber_id", "kind", "source", "at", "detail"], select(
        of.c.id, literal(kind), literal(SOURCE), literal(now, UtcDateTime()), detail)))
