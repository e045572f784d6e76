"""Audiences that are given for as long as something holds elsewhere: whoever is a certified responder is told as one.

Nothing that somebody chose is touched: who opted out stays out, and a community or an audience that somebody has by an own
subscription stays when what was given is taken back. A subscriber of whom nothing is left belongs to no community and is told
nothing, as if never subscribed; only that there was consent stays in its story.

Whoever adds the row of :class:`Given`, or takes it away, does what belongs to it: two who do it at once do it once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, and_, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from portal.core.clock import utcnow
from portal.core.db import insert_into
from portal.subscribers.models import ACTIVE, INVALID, OPTED_OUT, ConsentEvent, Given, Subscriber, SubscriberRegion

SUBSCRIBED, WITHDRAWN = "subscribed", "withdrawn"
#: Subscribers of one transaction.
CHUNK = 500


def match(session: Session, wanted: Select[bytes, bytes, str, str | None], audiences: int, source: str, *,
          phone_index: bytes | None = None) -> int:
    """Give and take back until everybody whom `wanted` names, and nobody else, has `audiences` in the community that it says, by
    this `source`. `wanted` has the columns phone_index, phone_sealed, language and region_code, each phone once. At most
    :data:`CHUNK` subscribers of each kind change; how many did, so that the caller goes on until it is 0. With `phone_index` only
    that phone is looked at."""
    people = wanted.subquery("wanted")

    def one(query: Select[*tuple[Any, ...]], column: Any) -> Select[*tuple[Any, ...]]:
        return query if phone_index is None else query.where(column == phone_index)

    taken = _take(session, one(_over(people, source), Subscriber.phone_index), source)
    _enter(session, one(_unknown(people), people.c.phone_index), source)
    given = _give(session, one(_lacking(people, audiences), people.c.phone_index), audiences, source)
    return taken + given


# -- who ---------------------------------------------------------------------------------------------------------------------
def _over(people: Any, source: str) -> Select[*tuple[Any, ...]]:
    """Those who have something that is no longer wanted, or wanted elsewhere."""
    still = exists().where(people.c.phone_index == Subscriber.phone_index, people.c.region_code == Given.region_code)
    return (select(Given.subscriber_id).join(Subscriber, Subscriber.id == Given.subscriber_id)
            .where(Given.source == source, ~still).order_by(Given.subscriber_id).limit(CHUNK)
            # Before what is given to them, as whoever chooses for themselves locks it: else each waits for the other.
            .with_for_update(of=Subscriber, key_share=True))


def _unknown(people: Any) -> Select[*tuple[Any, ...]]:
    """Those who are wanted and no subscribers yet, as rows of subscribers without audience or community."""
    there = exists().where(Subscriber.phone_index == people.c.phone_index)
    return (select(people.c.phone_index, people.c.phone_sealed, people.c.language).where(~there)
            .order_by(people.c.phone_index).limit(CHUNK))


def _lacking(people: Any, audiences: int) -> Select[*tuple[Any, ...]]:
    """Those who are wanted, did not leave, and lack an audience or the community."""
    here = aliased(SubscriberRegion)
    inside = exists().where(here.region_code == people.c.region_code, here.subscriber_id == Subscriber.id)
    return (select(Subscriber.id, Subscriber.audiences, people.c.region_code, inside)
            .join(people, people.c.phone_index == Subscriber.phone_index)
            .where(Subscriber.status == ACTIVE, or_(Subscriber.audiences.bitwise_and(audiences) != audiences, ~inside))
            .order_by(Subscriber.id).limit(CHUNK))


# -- what --------------------------------------------------------------------------------------------------------------------
def _take(session: Session, over: Select[*tuple[Any, ...]], source: str) -> int:
    ids = session.execute(over).scalars().all()
    if not ids:
        return 0
    gone = session.execute(
        delete(Given).where(Given.subscriber_id.in_(ids), Given.source == source)
        .returning(Given.subscriber_id, Given.audiences, Given.region_code, Given.region_given)
        .execution_options(synchronize_session=False)).all()
    by_bits: dict[int, list[int]] = {}
    by_region: dict[str, list[int]] = {}
    for subscriber_id, bits, region_code, region_given in sorted(gone):
        if bits:
            by_bits.setdefault(bits, []).append(subscriber_id)
        if region_given:
            by_region.setdefault(region_code, []).append(subscriber_id)
    for bits, those in by_bits.items():
        _set(session, those, Subscriber.audiences.bitwise_and(~bits))
    for region_code, those in by_region.items():
        session.execute(delete(SubscriberRegion).where(SubscriberRegion.region_code == region_code,
                                                       SubscriberRegion.subscriber_id.in_(those)))
    _story(session, [subscriber_id for subscriber_id, bits, _c, given in sorted(gone) if bits or given], WITHDRAWN, source)
    return len(gone)


def _enter(session: Session, unknown: Select[*tuple[Any, ...]], source: str) -> None:
    now = utcnow()
    rows = [{"phone_index": index, "phone_sealed": sealed, "language": language, "audiences": 0, "status": ACTIVE,
             "source": source, "created_at": now, "changed_at": now}
            for index, sealed, language in session.execute(unknown).all()]
    if rows:
        session.execute(insert_into(session, Subscriber).on_conflict_do_nothing(), rows)


def _give(session: Session, lacking: Select[*tuple[Any, ...]], audiences: int, source: str) -> int:
    now = utcnow()
    rows = [{"subscriber_id": subscriber_id, "source": source, "region_code": region_code, "audiences": audiences & ~bits,
             "region_given": not inside, "at": now}
            for subscriber_id, bits, region_code, inside in session.execute(lacking).all()]
    if not rows:
        return 0
    ids = session.execute(insert_into(session, Given).on_conflict_do_nothing().returning(Given.subscriber_id), rows).scalars()
    new = set(ids.all())
    fresh = [row for row in rows if row["subscriber_id"] in new]
    by_bits: dict[int, list[int]] = {}
    for row in fresh:
        if row["audiences"]:
            by_bits.setdefault(row["audiences"], []).append(row["subscriber_id"])
    for bits, those in by_bits.items():
        _set(session, those, Subscriber.audiences.bitwise_or(bits))
    regions = [{"region_code": row["region_code"], "subscriber_id": row["subscriber_id"]} for row in fresh if row["region_given"]]
    if regions:
        session.execute(insert_into(session, SubscriberRegion).on_conflict_do_nothing(), regions)
    _story(session, sorted(new), SUBSCRIBED, source)
    return len(fresh)


def _set(session: Session, ids: Sequence[int], audiences: Any) -> None:
    session.execute(update(Subscriber).where(Subscriber.id.in_(ids)).values(audiences=audiences, changed_at=utcnow())
                    .execution_options(synchronize_session=False))


def _story(session: Session, ids: Sequence[int], kind: str, source: str) -> None:
    if ids:
        now = utcnow()
        session.execute(insert(ConsentEvent), [{"subscriber_id": i, "kind": kind, "source": source, "at": now} for i in ids])


def forget(session: Session, phone_index: bytes, source: str) -> None:
    """Somebody leaves who came in by this `source` alone and never chose anything: the number goes. The row stays without one,
    since the story tells of it, and its id must not become another's. Who opted out is kept, or would hear of us again."""
    left = exists().where(SubscriberRegion.subscriber_id == Subscriber.id), exists().where(Given.subscriber_id == Subscriber.id)
    session.execute(
        update(Subscriber).where(
            Subscriber.phone_index == phone_index, Subscriber.source == source, Subscriber.status != OPTED_OUT,
            Subscriber.audiences == 0, *(~one for one in left))
        .values(phone_index=secrets.token_bytes(16), phone_sealed=b"", status=INVALID, changed_at=utcnow())
        .execution_options(synchronize_session=False))


def chosen(session: Session, subscriber_id: int, audiences: int, region_codes: Sequence[str]) -> None:
    """Somebody now chose these as a subscriber: they are no longer among what was given."""
    session.execute(
        update(Given).where(Given.subscriber_id == subscriber_id).values(
            audiences=Given.audiences.bitwise_and(~audiences),
            region_given=and_(Given.region_given, Given.region_code.not_in(list(region_codes))))
        .execution_options(synchronize_session=False))

