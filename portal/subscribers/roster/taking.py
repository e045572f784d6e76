"""A list that was read becomes subscribers: all of it in one transaction, by few statements over all rows.

Who left, or has a number that no carrier knows, is not brought back. Who is there gains what the list has more, and keeps the
language and the wishes. Each is told in the story of consent, with the batch.

That somebody said yes stands in the trail before it begins (:func:`ask`), and how it ended after (:func:`tell`): between the
two the trail is free, so that no warning waits for a list of a million.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import JSON, ColumnElement, String, case, cast, func, insert, literal, select, text, update
from sqlalchemy.orm import Session

from portal import current_settings
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import UtcDateTime, db, insert_into, many_came, transaction
from portal.core.errors import Conflict
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, require_in
from portal.subscribers import given
from portal.subscribers.audiences import AUDIENCES
from portal.subscribers.models import (
    ACTIVE,
    ConsentEvent,
    Given,
    RosterGain,
    RosterImport,
    RosterRow,
    Subscriber,
    SubscriberRegion,
)
from portal.subscribers.roster import batches, staging
from portal.subscribers.roster.survey import first_rows, lacking_audiences, lacking_regions, over_all_rows, people

SOURCE, SUBSCRIBED, CHANGED = "roster", "subscribed", "changed"
GONE = _l("This list is no longer waiting: somebody took it in or threw it away, or its time was over.")
#: Of PostgreSQL's advisory locks: one list at a time comes in or is taken back.
_TURN = 0x616E6C616E01


def ask(account: Account | None, batch_id: str, *, skip_bad: bool = False) -> None:
    """Somebody says yes. Raises LookupError, Forbidden, and Conflict when the list does not wait any more, or has bad rows that
    nobody said to leave out."""
    with transaction() as session:
        batch = batches.lock_after_trail(session, batch_id)
        if batch is None:
            raise LookupError(batch_id)
        if account is not None:
            require_in(account, SUBSCRIBERS, batch.region_codes or [current_settings().district])
        if batch.state != batches.READY or not batch.people:
            raise Conflict(GONE)
        if batch.bad and not skip_bad:
            raise Conflict(_l("The list has rows that cannot be taken. Mend them, or say that they are to be left out."))
        batch.state, batch.beat_at, batch.told = batches.WRITING, utcnow(), False
        batch.actor_id, batch.actor = (account.actor.id, account.actor.name) if account else (None, audit.SYSTEM.name)
        audit.append(session, account.actor if account else audit.SYSTEM, "subscribers.take", batches.subject(batch_id), {
            "rows": batch.rows, "bad": batch.bad, "people": batch.people, "sha256": batch.sha256})


def take_in(batch_id: str) -> RosterImport:
    """What :func:`ask` allowed. All of it is done when this returns, or nothing."""
    with transaction() as session:
        batch = alone(session, batch_id, batches.WRITING)
        now = utcnow()
        _gains(session, batch_id)
        _new(session, batch_id, now)
        _regions(session, batch_id)
        _story(session, batch, now)
        gained = _widen(session, batch_id, now)
        _choose(session, batch_id)
        total, new, left = session.execute(_standing(batch_id, now)).one()
        batch.new, batch.gained, batch.left, batch.same = new, gained, left, total - new - gained - left
        batch.state, batch.people, batch.written_at, batch.ended_at, batch.beat_at = batches.DONE, total, now, utcnow(), utcnow()
    tell(batch_id)
    many_came(Subscriber, SubscriberRegion)
    staging.clear(batch_id)
    found = batches.get(batch_id)
    if found is None:
        raise LookupError(batch_id)
    return found


def alone(session: Session, batch_id: str, state: str) -> RosterImport:
    """The batch in this state, while no other list comes in, with all the time that it needs. Raises Conflict."""
    batch = batches.lock(session, batch_id)  # before its turn comes: by that others know that somebody is at it
    if batch is None or batch.state != state:
        raise Conflict(GONE)
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL statement_timeout = 0"))
        over_all_rows(session)
        session.execute(select(func.pg_advisory_xact_lock(_TURN)))
    return batch


def tell(batch_id: str) -> None:
    """How it ended goes into the trail, once."""
    with transaction() as session:
        batch = batches.lock_after_trail(session, batch_id)
        if batch is None or batch.told or batch.state in batches.MOVING:
            return
        counts = {name: getattr(batch, name) for name in ("new", "gained", "same", "left", "taken_back", "kept")}
        audit.append(session, audit.Actor(batch.actor_id, batch.actor), f"subscribers.{batch.state}", batches.subject(batch_id),
                     {name: value for name, value in counts.items() if value})
        batch.told = True


# -- in one transaction ------------------------------------------------------------------------------------------------------
def _gains(session: Session, batch_id: str) -> None:
    """Write down what those who are there lack: by it the list can be taken back."""
    names = ["import_id", "subscriber_id", "region_code", "audiences"]
    bits, regions = lacking_audiences(batch_id).subquery(), lacking_regions(batch_id).subquery()
    session.execute(insert(RosterGain).from_select(names, select(
        literal(batch_id), bits.c.subscriber_id, literal(""), bits.c.bits)))
    session.execute(insert(RosterGain).from_select(names, select(
        literal(batch_id), regions.c.subscriber_id, regions.c.region_code, literal(0))))


def _new(session: Session, batch_id: str, now: Any) -> None:
    """Those who are not there, each once, in the language of their first row. Sorted by their index, as the window leaves them,
    so that two who insert the same phones wait for each other and never in a circle."""
    one, moment = first_rows(batch_id), literal(now, UtcDateTime())
    fresh = select(one.c.phone_sealed, one.c.phone_index, one.c.language, one.c.bits, literal(0), literal(0), literal(ACTIVE),
                   literal(SOURCE), moment, moment).outerjoin(Subscriber, Subscriber.phone_index == one.c.phone_index).where(
        one.c.nth == 1, Subscriber.id.is_(None)).order_by(one.c.phone_index)
    names = ["phone_sealed", "phone_index", "language", "audiences", "muted_kinds", "lowest_tier", "status", "source",
             "created_at", "changed_at"]
    session.execute(insert_into(session, Subscriber).from_select(names, fresh, include_defaults=False).on_conflict_do_nothing())


def _regions(session: Session, batch_id: str) -> None:
    wanted = (select(RosterRow.region_code, Subscriber.id).join(Subscriber, Subscriber.phone_index == RosterRow.phone_index)
              .where(RosterRow.import_id == batch_id, Subscriber.status == ACTIVE).distinct()
              .order_by(RosterRow.region_code, Subscriber.id))
    session.execute(insert_into(session, SubscriberRegion).from_select(["region_code", "subscriber_id"], wanted)
                    .on_conflict_do_nothing())


def _story(session: Session, batch: RosterImport, now: Any) -> None:
    """What each consented to, and by which batch."""
    names, moment = ["subscriber_id", "kind", "source", "detail", "at"], literal(now, UtcDateTime())
    pairs = (select(RosterRow.phone_index, RosterRow.region_code).where(RosterRow.import_id == batch.id).distinct()
             .order_by(RosterRow.phone_index, RosterRow.region_code).subquery("pairs"))
    rows = (select(pairs.c.phone_index, func.aggregate_strings(pairs.c.region_code, ",").label("regions"))
            .group_by(pairs.c.phone_index).subquery("told"))
    fresh = select(Subscriber.id, literal(SUBSCRIBED), literal(SOURCE), _detail(
        session, batch.id, rows.c.regions, Subscriber.audiences), moment).join(
        rows, rows.c.phone_index == Subscriber.phone_index).where(Subscriber.created_at == now, Subscriber.source == SOURCE)
    session.execute(insert(ConsentEvent).from_select(names, fresh))
    more = (select(RosterGain.subscriber_id, func.aggregate_strings(RosterGain.region_code, ",").label("regions"),
                   func.max(RosterGain.audiences).label("bits"))
            .where(RosterGain.import_id == batch.id).group_by(RosterGain.subscriber_id).subquery("more"))
    session.execute(insert(ConsentEvent).from_select(names, select(
        more.c.subscriber_id, literal(CHANGED), literal(SOURCE),
        _detail(session, batch.id, func.trim(more.c.regions, ","), more.c.bits), moment)))


def _detail(session: Session, batch_id: str, regions: Any, bits: Any) -> ColumnElement[Any]:
    """`{"batch": …, "regions": […], "audiences": […]}` as JSON, made of codes and keys, which need no escaping."""
    keys: Any = literal("")
    for one in AUDIENCES:
        keys = keys + case((bits.bitwise_and(1 << one.bit) != 0, literal(f', "{one.key}"')), else_=literal(""))
    codes = func.replace(func.replace(regions, ",,", ","), ",", '", "')
    named = case((regions == "", literal("")), else_=literal('"') + cast(codes, String) + literal('"'))
    whole = literal(f'{{"batch": "{batch_id}", "regions": [') + named + literal('], "audiences": [') + func.substr(
        keys, 3) + literal("]}")
    return cast(whole, JSON) if session.get_bind().dialect.name == "postgresql" else whole


def _widen(session: Session, batch_id: str, now: Any) -> int:
    """Those who were there gain their audiences, and bear the moment. Last of all: these rows others may be waiting for."""
    added = select(RosterGain.audiences).where(RosterGain.import_id == batch_id, RosterGain.subscriber_id == Subscriber.id,
                                               RosterGain.region_code == "").scalar_subquery()
    those = select(RosterGain.subscriber_id).where(RosterGain.import_id == batch_id)
    session.execute(update(Subscriber).where(Subscriber.id.in_(those)).values(
        audiences=Subscriber.audiences.bitwise_or(func.coalesce(added, 0)), changed_at=now).execution_options(
        synchronize_session=False))
    return session.scalar(select(func.count(RosterGain.subscriber_id.distinct())).where(RosterGain.import_id == batch_id)) or 0


def _choose(session: Session, batch_id: str) -> None:
    """What these now have by consent of their own is no longer theirs only for as long as something holds elsewhere."""
    one = people(batch_id)
    holders = session.execute(select(Given.subscriber_id, one.c.bits, one.c.phone_index).join(
        Subscriber, Subscriber.id == Given.subscriber_id).join(one, one.c.phone_index == Subscriber.phone_index).where(
        Subscriber.status == ACTIVE).order_by(Given.subscriber_id)).all()
    for subscriber_id, bits, index in holders:
        regions = session.execute(select(RosterRow.region_code).where(
            RosterRow.import_id == batch_id, RosterRow.phone_index == index).distinct()).scalars().all()
        given.chosen(session, subscriber_id, bits, regions)


def _standing(batch_id: str, now: Any) -> Any:
    """How many people the list has, how many of them are new, and how many left before."""
    one = people(batch_id)
    return select(func.count(), func.count().filter(Subscriber.created_at == now, Subscriber.source == SOURCE),
                  func.count().filter(Subscriber.status != ACTIVE)).select_from(one).join(
        Subscriber, Subscriber.phone_index == one.c.phone_index)


def unfinished() -> list[str]:
    """Batches whose end does not stand in the trail yet."""
    return list(db.session.execute(select(RosterImport.id).where(
        ~RosterImport.told, RosterImport.state.not_in(batches.MOVING)).limit(100)).scalars())
