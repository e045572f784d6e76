"""Whom to tell: subscribers by region, audience and language; how they come in and how they leave.

A mask is the bits of `audiences.mask_of`; a subscriber matches who has one of its bits. Mask 0 means everyone, as
a target without audiences does. Every reading is set-based; lists of subscribers come page by page, by key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cryptography.exceptions import InvalidTag
from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, case, exists, func, insert, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.core.clock import utcnow
from portal.core.db import db, many_came, transaction
from portal.core.errors import Invalid
from portal.core.i18n import LANGUAGES
from portal.core.phones import PhoneBook
from portal.regions import codes, lookup
from portal.subscribers import given
from portal.subscribers.matter import Matter
from portal.subscribers.models import ACTIVE, INVALID, OPTED_OUT, ConsentEvent, Given, Subscriber, SubscriberRegion

CHUNK = 1000  # rows written, or ids asked for, in one statement
SUBSCRIBED = "subscribed"
_E164 = re.compile(r"\+[1-9]\d{6,14}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewSubscriber:
    """A phone that consented. `number` is E.164; `audiences` are bits; `region_codes` are communities."""

    number: str
    language: str
    audiences: int
    region_codes: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Added:
    """`new` came in; `known` were there and gained what they lacked; `left` had opted out or are no number: kept so."""

    new: int = 0
    known: int = 0
    left: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.known + other.known, self.left + other.left)


def add_many(rows: Iterable[NewSubscriber]) -> Added:
    """Take in subscribers from a stream, in bounded memory, a thousand in each transaction.

    One phone is one subscriber: a number that is known gains the regions and audiences, and keeps its language.
    Nobody who left is brought back by a list. Raises Invalid at the first row that cannot be taken, naming it by
    its position; the thousands before it stay.
    """
    total, stream, position = Added(), iter(rows), 0
    while chunk := list(islice(stream, CHUNK)):
        for number, row in enumerate(chunk, position + 1):
            _check(row, number)
        position += len(chunk)
        total += _add(chunk)
    if total.new > CHUNK:
        many_came(Subscriber, SubscriberRegion)
    return total


def count_in(region_codes: Iterable[str], audience_mask: int = 0) -> dict[str, int]:
    """Active subscribers in the regions (with everything below them) by language; each is counted once."""
    wanted = lookup.topmost(region_codes)
    if not wanted:
        return {}
    rows = db.session.execute(
        select(Subscriber.language, func.count())
        .where(_within_regions(wanted), Subscriber.status == ACTIVE, matches(audience_mask))
        .group_by(Subscriber.language)
    )
    return dict(rows.all())


def count_told(region_codes: Iterable[str], audience_mask: int, matter: Matter) -> tuple[dict[str, int], int]:
    """Active subscribers in the regions who have not left this matter out, by language; and how many of them are told only when
    their quiet hours are over. Each is counted once."""
    wanted = lookup.topmost(region_codes)
    if not wanted:
        return {}, 0
    rows = db.session.execute(
        select(Subscriber.language, func.count(), func.sum(case((matter.quiet(), 1), else_=0)))
        .where(_within_regions(wanted), Subscriber.status == ACTIVE, matches(audience_mask), matter.wanted())
        .group_by(Subscriber.language)
    ).all()
    return {language: n for language, n, _quiet in rows}, sum(int(quiet) for _language, _n, quiet in rows)


def phones(ids: Iterable[int]) -> dict[int, str]:
    """E.164 numbers of those of `ids` that are active at this moment. Raises RuntimeError when the key is wrong."""
    book: PhoneBook = current_app.extensions["phones"]
    opened: dict[int, str] = {}
    for chunk in batched_ids(ids):
        for subscriber_id, sealed in db.session.execute(
            select(Subscriber.id, Subscriber.phone_sealed).where(
                Subscriber.id.in_(chunk), Subscriber.status == ACTIVE
            )
        ):
            try:
                opened[subscriber_id] = book.open(sealed)
            except InvalidTag as error:
                raise RuntimeError(
                    "stored phone numbers cannot be opened: ANLAN_PHONE_KEY is not the key that sealed them"
                ) from error
    return opened


def opt_out(who: bytes | int | Iterable[int], source: str, *, session: Session | None = None) -> int:
    """Somebody asked us or the carrier to stop: by phone index, by id, or several ids. The number that left just now.

    `session` is that of a write transaction which the caller holds; otherwise one is opened.
    """
    return _leave(who, OPTED_OUT, source, session)


def mark_invalid(ids: Iterable[int], source: str = "carrier", *, session: Session | None = None) -> int:
    """The carrier says that these numbers do not exist; the number of subscribers turned off just now."""
    return _leave(ids, INVALID, source, session)


def known(phone_indexes: Sequence[bytes]) -> dict[bytes, tuple[str, list[str]]]:
    """Language and communities of the phones that are subscribers, by phone index (as many as a page shows)."""
    rows = db.session.execute(
        select(Subscriber.phone_index, Subscriber.language, SubscriberRegion.region_code)
        .outerjoin(SubscriberRegion, SubscriberRegion.subscriber_id == Subscriber.id)
        .where(Subscriber.phone_index.in_(list(phone_indexes)))
        .order_by(SubscriberRegion.region_code)
    )
    found: dict[bytes, tuple[str, list[str]]] = {}
    for index, language, region_code in rows:
        found.setdefault(bytes(index), (language, []))[1].extend([region_code] if region_code else [])
    return found


def stopped(phone_indexes: Sequence[bytes]) -> set[bytes]:
    """Those of the phones that asked for no more texts, or that no carrier knows."""
    rows = select(Subscriber.phone_index).where(Subscriber.phone_index.in_(phone_indexes), Subscriber.status != ACTIVE)
    return set(db.session.execute(rows).scalars())


def in_region(phone_index: Any, region_code: str) -> ColumnElement[bool]:
    """A condition for another capability's query: the phone whose index that column holds is a subscriber in the region."""
    return exists().where(
        Subscriber.phone_index == phone_index,
        SubscriberRegion.subscriber_id == Subscriber.id,
        _in_regions([region_code]),
    )


def batched_ids(ids: Iterable[int]) -> Iterator[list[int]]:
    stream = iter(ids)
    while chunk := list(islice(stream, CHUNK)):
        yield chunk


def _check(row: NewSubscriber, position: int) -> None:
    if not _E164.match(row.number):
        raise Invalid.one(
            f"rows.{position}.number", _l("This is not a phone number in international form, like +86…")
        )
    if row.language not in LANGUAGES:
        raise Invalid.one(f"rows.{position}.language", _l("This language is not offered; choose zh or en."))
    if row.audiences <= 0:
        raise Invalid.one(f"rows.{position}.audiences", _l("Name at least one audience."))
    if not row.region_codes or not all(codes.is_code(c) for c in row.region_codes):
        raise Invalid.one(f"rows.{position}.regions", _l("Name at least one community by its 12-digit code."))


def _add(chunk: list[NewSubscriber]) -> Added:
    book: PhoneBook = current_app.extensions["phones"]
    by_index: dict[bytes, NewSubscriber] = {}
    for row in chunk:
        index = book.index(row.number)
        by_index[index] = _merged(by_index.get(index), row)
    with transaction() as session:
        new = _insert_new(session, by_index, book)
        active: list[tuple[int, NewSubscriber]] = []
        for subscriber in session.execute(
            select(Subscriber.id, Subscriber.phone_index, Subscriber.status).where(
                Subscriber.phone_index.in_(list(by_index))
            )
        ):
            if subscriber.status == ACTIVE:
                active.append((subscriber.id, by_index[bytes(subscriber.phone_index)]))
        _choose(session, active)
        regions = [
            {"region_code": code, "subscriber_id": subscriber_id}
            for subscriber_id, row in active
            for code in row.region_codes
        ]
        if regions:
            session.execute(_insert_once(session, SubscriberRegion), regions)
        _widen(session, [(i, row.audiences) for i, row in active if i not in new])
    return Added(len(new), len(active) - len(new), len(by_index) - len(active))


def _merged(before: NewSubscriber | None, row: NewSubscriber) -> NewSubscriber:
    if before is None:
        return row
    regions = tuple(dict.fromkeys(before.region_codes + row.region_codes))
    return NewSubscriber(
        before.number, before.language, before.audiences | row.audiences, regions, before.source
    )


def _insert_new(session: Session, by_index: dict[bytes, NewSubscriber], book: PhoneBook) -> set[int]:
    """Insert those whose number is not there yet, with their consent; their ids."""
    now = utcnow()
    rows = [
        {
            "phone_sealed": book.seal(row.number),
            "phone_index": index,
            "language": row.language,
            "audiences": row.audiences,
            "status": ACTIVE,
            "source": row.source,
            "created_at": now,
            "changed_at": now,
        }
        for index, row in by_index.items()
    ]
    inserted = session.execute(
        _insert_once(session, Subscriber).returning(Subscriber.id, Subscriber.source), rows
    ).all()
    if inserted:
        session.execute(
            insert(ConsentEvent),
            [{"subscriber_id": i, "kind": SUBSCRIBED, "source": source, "at": now} for i, source in inserted],
        )
    return {i for i, _source in inserted}


def _insert_once(session: Session, table: type) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def _choose(session: Session, active: list[tuple[int, NewSubscriber]]) -> None:
    """Before it is added: what these now have by themselves is no longer theirs only for as long as something else holds."""
    wanted = dict(active)
    for subscriber_id in session.scalars(select(Given.subscriber_id).where(Given.subscriber_id.in_(list(wanted)))):
        given.chosen(session, subscriber_id, wanted[subscriber_id].audiences, wanted[subscriber_id].region_codes)


def _widen(session: Session, wanted: list[tuple[int, int]]) -> None:
    """Add audiences to subscribers that lack them, one statement for each combination of bits."""
    by_bits: dict[int, list[int]] = {}
    for subscriber_id, bits in wanted:
        by_bits.setdefault(bits, []).append(subscriber_id)
    for bits, ids in by_bits.items():
        session.execute(
            update(Subscriber)
            .where(Subscriber.id.in_(ids), Subscriber.audiences.bitwise_and(bits) != bits)
            .values(audiences=Subscriber.audiences.bitwise_or(bits), changed_at=utcnow())
            .execution_options(synchronize_session=False)
        )


def _leave(who: bytes | int | Iterable[int], status: str, source: str, session: Session | None) -> int:
    left = 0
    with _within(session) as open_session:
        for condition in _conditions(who):
            now = utcnow()
            ids = open_session.scalars(
                update(Subscriber)
                .where(condition, Subscriber.status == ACTIVE)
                .values(status=status, changed_at=now)
                .returning(Subscriber.id)
                .execution_options(synchronize_session=False)
            ).all()
            if ids:
                open_session.execute(
                    insert(ConsentEvent),
                    [{"subscriber_id": i, "kind": status, "source": source, "at": now} for i in ids],
                )
            left += len(ids)
    return left


def _conditions(who: bytes | int | Iterable[int]) -> Iterator[ColumnElement[bool]]:
    if isinstance(who, bytes):
        yield Subscriber.phone_index == who
    else:
        for chunk in batched_ids([who] if isinstance(who, int) else who):
            yield Subscriber.id.in_(chunk)


@contextmanager
def _within(session: Session | None) -> Iterator[Session]:
    if session is not None:
        yield session
    else:
        with transaction() as opened:
            yield opened


def matches(mask: int) -> ColumnElement[bool]:
    """Who belongs to one of the audiences of `mask`."""
    return Subscriber.audiences.bitwise_and(mask) != 0 if mask else true()


def _within_regions(region_codes: Sequence[str]) -> ColumnElement[bool]:
    """Who wants to hear about one of the regions. On PostgreSQL the list of them is made first and each is looked up by key:
    that has one way to go, whatever the planner believes. Of a join it takes one that meets each with each where it looked at
    the tables when they were emptier."""
    listed = select(SubscriberRegion.subscriber_id).where(_in_regions(region_codes))
    if db.engine.dialect.name == "postgresql":
        return Subscriber.id == func.any(func.array(listed.scalar_subquery()))
    return Subscriber.id.in_(listed)


def _in_regions(region_codes: Sequence[str]) -> ColumnElement[bool]:
    communities = [c for c in region_codes if codes.level_of(c) == "community"]
    ranges = [codes.code_range(c) for c in region_codes if c not in communities]
    conditions = [
        and_(SubscriberRegion.region_code >= low, SubscriberRegion.region_code <= high)
        for low, high in ranges
    ]
    if communities:
        conditions.append(SubscriberRegion.region_code.in_(communities))
    return or_(*conditions)
