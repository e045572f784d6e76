"""What a list that waits is made of, as statements: its people, and how each stands beside the subscribers that there are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, exists, func, select, text, union
from sqlalchemy.orm import Session

from portal.core.db import db
from portal.subscribers.audiences import AUDIENCES
from portal.subscribers.models import ACTIVE, RosterRow, Subscriber, SubscriberRegion


def _all_bits(over: dict[str, Any] | None = None) -> ColumnElement[int]:
    """The bits of all rows together: a sum of the highest of each bit, which both databases can do."""
    parts = [func.max(RosterRow.audiences.bitwise_and(1 << one.bit)) for one in AUDIENCES]
    told = [part.over(**over) if over else part for part in parts]
    total: Any = told[0]
    for part in told[1:]:
        total = total + part
    return total


def people(batch_id: str) -> Subquery:
    """Each phone once: phone_index, bits."""
    return (select(RosterRow.phone_index, _all_bits().label("bits")).where(RosterRow.import_id == batch_id)
            .group_by(RosterRow.phone_index).subquery("people"))


def first_rows(batch_id: str) -> Subquery:
    """Each phone's rows with `nth`, counted by line, and the bits of all: phone_index, phone_sealed, language, bits, nth."""
    each: dict[str, Any] = {"partition_by": RosterRow.phone_index}
    nth = func.row_number().over(**each, order_by=(RosterRow.line, RosterRow.region_code))
    return select(RosterRow.phone_index, RosterRow.phone_sealed, RosterRow.language, _all_bits(each).label("bits"),
                  nth.label("nth")).where(RosterRow.import_id == batch_id).subquery("first_rows")


def lacking_audiences(batch_id: str) -> Select[int, int]:
    """(subscriber_id, bits) of those who are there and lack an audience of the list."""
    one = people(batch_id)
    lacking = one.c.bits - Subscriber.audiences.bitwise_and(one.c.bits)
    return (select(Subscriber.id.label("subscriber_id"), lacking.label("bits"))
            .join(one, one.c.phone_index == Subscriber.phone_index)
            .where(Subscriber.status == ACTIVE, Subscriber.audiences.bitwise_and(one.c.bits) != one.c.bits))


def lacking_regions(batch_id: str) -> Select[int, str]:
    """(subscriber_id, region_code) of those who are there and lack a community of the list, each once."""
    inside = exists().where(SubscriberRegion.region_code == RosterRow.region_code,
                            SubscriberRegion.subscriber_id == Subscriber.id)
    return (select(Subscriber.id.label("subscriber_id"), RosterRow.region_code)
            .join(Subscriber, Subscriber.phone_index == RosterRow.phone_index)
            .where(RosterRow.import_id == batch_id, Subscriber.status == ACTIVE, ~inside).distinct())


def over_all_rows(session: Session) -> None:
    """Until the transaction ends PostgreSQL looks at all rows together. It would look them up one by one, for it knows none of
    those that the same transaction has just written: 20,000 people took 200 s so."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_nestloop = off"))
        session.execute(text("SET LOCAL work_mem = '64MB'"))


def survey(batch_id: str) -> dict[str, int]:
    """How many people the list has, and what taking it in would do to each: people, new, gained, same, left."""
    one = people(batch_id)
    over_all_rows(db.session)
    joined = select(
        func.count(), func.count(Subscriber.id),
        func.count(Subscriber.id).filter(Subscriber.status != ACTIVE)).select_from(one).outerjoin(
        Subscriber, Subscriber.phone_index == one.c.phone_index)
    total, there, left = db.session.execute(joined).one()
    gained = 0
    if there:
        lacking = union(lacking_audiences(batch_id).with_only_columns(Subscriber.id),
                        lacking_regions(batch_id).with_only_columns(Subscriber.id)).subquery()
        gained = db.session.scalar(select(func.count()).select_from(lacking)) or 0
    db.session.rollback()
    return {"people": total, "new": total - there, "gained": gained, "same": there - left - gained, "left": left}


