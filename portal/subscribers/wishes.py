"""What somebody wants to be told, chosen by themselves: on the web, by a text, at the desk on their word.

Every change says once in the story of consent what was chosen, by which way and when. Leaving takes effect at once, also for
batches that are planned: a batch asks again right before it is handed over who is still there (:func:`store.phones`). What
somebody has only for as long as something holds elsewhere (:class:`Given`), or was given by the office's list as a duty
(an audience that is not among :data:`OFFERED`), is not theirs to choose and stays as it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from portal.config import TIERS
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, insert_into, transaction
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.regions import lookup
from portal.subscribers import audiences as groups
from portal.subscribers import given, kinds
from portal.subscribers.models import (
    ACTIVE,
    INVALID,
    OPTED_OUT,
    ConsentEvent,
    Given,
    Subscriber,
    SubscriberPass,
    SubscriberRegion,
)

#: Audiences that everybody may say of themselves; who is responsible or a responder is said by the office or a certificate.
OFFERED = ("residents", "schools", "construction", "enterprises", "carers", "medical")
OFFERED_MASK = groups.mask_of(OFFERED)
#: Communities of one phone: a small district in all, or home, school, work and the parents' in a large one.
MOST_REGIONS = 30
#: Kinds of events in the story of consent.
SUBSCRIBED, CHANGED, ERASED = "subscribed", "changed", "erased"
_ALL_KINDS = kinds.mask_of(kinds.BY_KEY)


@dataclass(frozen=True, slots=True)
class Wishes:
    """`region_codes`: communities, sorted; `audiences` and `muted_kinds`: bits; `lowest_tier`: a place in config.TIERS; `quiet`:
    full hours (from, to) of the district's day, or None. Made by :func:`check` or :func:`of`."""

    region_codes: tuple[str, ...]
    audiences: int
    language: str
    muted_kinds: int = 0
    lowest_tier: int = 0
    quiet: tuple[int, int] | None = None


def check(values: Mapping[str, Any]) -> Wishes:
    """What was chosen, in good order. `values`: ``region_codes`` (12 digits; a street stands for all its communities),
    ``audiences`` and ``muted_kinds`` (keys), ``language``, ``lowest_tier`` (its name), ``quiet_from`` and ``quiet_to`` (full
    hours; both or neither); all but the communities may be left out. Raises Invalid, naming the fields."""
    problems: list[Problem] = []
    regions = _regions(_listed(values.get("region_codes")), problems)
    said = ["residents"] if values.get("audiences") is None else _listed(values["audiences"])
    if not said:
        problems.append(Problem("audiences", _l("Tick at least one group; residents fits everybody.")))
    if unknown := [key for key in said if key not in OFFERED]:
        problems.append(Problem("audiences", _l("Choose from the groups in the list.")))
    language = values.get("language") or LANGUAGES[0]
    if language not in LANGUAGES:
        problems.append(Problem("language", _l("This language is not offered; choose Chinese or English.")))
    muted = _listed(values.get("muted_kinds"))
    if any(key not in kinds.BY_KEY for key in muted):
        problems.append(Problem("kinds", _l("Choose from the kinds of danger in the list.")))
    elif kinds.mask_of(muted) == _ALL_KINDS:
        problems.append(Problem("kinds", _l("Leave at least one kind of danger. If you want no texts at all, leave instead.")))
    tier = values.get("lowest_tier") or TIERS[0]
    if tier not in TIERS:
        problems.append(Problem("lowest_tier", _l("Choose a level from the list.")))
    quiet = _quiet(values.get("quiet_from"), values.get("quiet_to"), problems)
    if problems:
        raise Invalid(problems)
    return Wishes(regions, groups.mask_of(key for key in said if key not in unknown), str(language), kinds.mask_of(muted),
                  TIERS.index(tier), quiet)


def find(phone_index: bytes) -> Subscriber | None:
    """The subscriber with this phone, whatever became of them."""
    return db.session.execute(select(Subscriber).where(Subscriber.phone_index == phone_index)).scalar_one_or_none()


def of(subscriber: Subscriber, session: Session | None = None) -> Wishes:
    """What this subscriber chose: without what was given for as long as something holds elsewhere."""
    reading = session or db.session
    lent = reading.execute(select(Given).where(Given.subscriber_id == subscriber.id)).scalars().all()
    lent_regions = {row.region_code for row in lent if row.region_given}
    lent_bits = 0
    for row in lent:
        lent_bits |= row.audiences
    regions = reading.execute(select(SubscriberRegion.region_code).where(SubscriberRegion.subscriber_id == subscriber.id)
                              .order_by(SubscriberRegion.region_code)).scalars()
    quiet = None if subscriber.quiet_from is None or subscriber.quiet_to is None else (subscriber.quiet_from, subscriber.quiet_to)
    return Wishes(tuple(code for code in regions if code not in lent_regions), subscriber.audiences & OFFERED_MASK & ~lent_bits,
                  subscriber.language, subscriber.muted_kinds, subscriber.lowest_tier, quiet)


def choose(session: Session, phone_index: bytes, phone_sealed: bytes, wishes: Wishes, source: str) -> int:
    """From now on this phone is told what `wishes` say: new, changed, or back after having left. The subscriber's id. One event
    in the story, none when nothing changes. In the caller's transaction, which has taken the trail first if it writes there."""
    now = utcnow()
    values = {"language": wishes.language, "muted_kinds": wishes.muted_kinds, "lowest_tier": wishes.lowest_tier,
              "quiet_from": wishes.quiet[0] if wishes.quiet else None, "quiet_to": wishes.quiet[1] if wishes.quiet else None}
    new = session.execute(insert_into(session, Subscriber).values(
        phone_index=phone_index, phone_sealed=phone_sealed, audiences=wishes.audiences, status=ACTIVE, source=source,
        created_at=now, changed_at=now, **values).on_conflict_do_nothing().returning(Subscriber.id)).scalar_one_or_none()
    # A list that comes in holds its people's keys for minutes: whoever chooses changes no key, and need not wait for it.
    row = session.execute(select(Subscriber).where(Subscriber.phone_index == phone_index).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).scalar_one()
    before = None if new is not None or row.status != ACTIVE else of(row, session)
    if before == wishes:
        return row.id
    given.chosen(session, row.id, wishes.audiences, wishes.region_codes)
    if new is None:
        row.audiences = _with_what_is_not_theirs(session, row) | wishes.audiences
        row.status, row.phone_sealed, row.changed_at = ACTIVE, phone_sealed, now
        for name, value in values.items():
            setattr(row, name, value)
        session.flush()
    _place(session, row.id, wishes.region_codes)
    fresh = before is None or not before.region_codes
    session.add(ConsentEvent(subscriber_id=row.id, kind=SUBSCRIBED if fresh else CHANGED, source=source, detail=told(wishes),
                             at=now))
    session.flush()
    return row.id


def leave(phone_index: bytes, source: str, phone_sealed: bytes | None = None, *, session: Session | None = None) -> bool:
    """Somebody wants no more texts; it holds from now on. Whether that is news. A phone that is no subscriber is remembered as
    one that left, in no community: what else would be sent to it is not, and no list brings it in."""
    now = utcnow()
    with _within(session) as writing:
        new = writing.execute(insert_into(writing, Subscriber).values(
            phone_index=phone_index, phone_sealed=phone_sealed or b"", language=LANGUAGES[0], audiences=0, status=OPTED_OUT,
            source=source, created_at=now, changed_at=now).on_conflict_do_nothing().returning(Subscriber.id)).scalar_one_or_none()
        left = new if new is not None else writing.execute(
            update(Subscriber).where(Subscriber.phone_index == phone_index, Subscriber.status != OPTED_OUT)
            .values(status=OPTED_OUT, changed_at=now).returning(Subscriber.id)
            .execution_options(synchronize_session=False)).scalar_one_or_none()
        if left is not None:
            writing.add(ConsentEvent(subscriber_id=left, kind=OPTED_OUT, source=source, at=now))
            writing.flush()
    return left is not None


def erase(phone_index: bytes, source: str, *, keep_mark: bool = True, session: Session | None = None) -> bool:
    """Delete what is kept of a phone: number, communities, wishes, sessions, and what was chosen in the past. Whether there was
    something. With `keep_mark` the phone's keyed hash stays with the mark that it left, from which no number can be read, so
    that no list brings it back. The row's own number stays in either case: the story tells of it."""
    with _within(session) as writing:
        audit.serialise(writing)
        row = writing.execute(select(Subscriber).where(Subscriber.phone_index == phone_index).with_for_update()
                              .execution_options(populate_existing=True)).scalar_one_or_none()
        writing.execute(delete(SubscriberPass).where(SubscriberPass.phone_index == phone_index))
        if row is None:
            return False
        now = utcnow()
        for table in (SubscriberRegion, Given):
            writing.execute(delete(table).where(table.subscriber_id == row.id).execution_options(synchronize_session=False))
        writing.execute(update(ConsentEvent).where(ConsentEvent.subscriber_id == row.id).values(detail=None)
                        .execution_options(synchronize_session=False))
        row.phone_sealed, row.phone_index = b"", phone_index if keep_mark else secrets.token_bytes(16)
        row.language, row.audiences, row.muted_kinds, row.lowest_tier = LANGUAGES[0], 0, 0, 0
        row.quiet_from = row.quiet_to = None
        row.status, row.changed_at = OPTED_OUT if keep_mark else INVALID, now
        writing.add(ConsentEvent(subscriber_id=row.id, kind=ERASED, source=source, at=now))
        writing.flush()
        audit.append(writing, audit.Actor(None, f"subscriber {row.id}"), "subscriber.erase", f"subscriber:{row.id}",
                     {"source": source})
    return True


def told(wishes: Wishes) -> dict[str, Any]:
    """Wishes as keys and codes, for the story of consent and for the copy that a subscriber gets."""
    return {"regions": list(wishes.region_codes), "language": wishes.language,
            "audiences": [one.key for one in groups.AUDIENCES if wishes.audiences >> one.bit & 1],
            "without": kinds.keys_of(wishes.muted_kinds), "lowest_tier": TIERS[wishes.lowest_tier],
            "quiet": list(wishes.quiet) if wishes.quiet else None}


# -- what was said -----------------------------------------------------------------------------------------------------------
def _listed(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value if isinstance(value, Iterable) else []
    return list(dict.fromkeys(str(one) for one in found if one))


def _regions(said: list[str], problems: list[Problem]) -> tuple[str, ...]:
    nodes = [lookup.get(code) for code in said[:MOST_REGIONS + 1]]
    found = sorted({below.code for node in nodes if node is not None for below in node.walk() if below.level == "community"})
    if None in nodes:
        problems.append(Problem("region_codes", _l("There is no such community here. Look for it by its name.")))
    elif not found:
        problems.append(Problem("region_codes", _l("Choose at least one community.")))
    elif len(said) > MOST_REGIONS or len(found) > MOST_REGIONS:
        problems.append(Problem("region_codes", _l("Choose at most %(most)s communities.", most=MOST_REGIONS)))
    return tuple(found)


def _quiet(start: Any, end: Any, problems: list[Problem]) -> tuple[int, int] | None:
    if start in (None, "") and end in (None, ""):
        return None
    hours = [int(text) if (text := str(one)).isascii() and text.isdecimal() and len(text) < 3 else -1 for one in (start, end)]
    if not all(0 <= hour <= 23 for hour in hours):
        problems.append(Problem("quiet_from", _l("Quiet hours begin and end at full hours, from 0 to 23.")))
    elif hours[0] == hours[1]:
        problems.append(Problem("quiet_from", _l("Quiet hours cannot last the whole day: choose two different hours.")))
    return hours[0], hours[1]


# -- what is written ---------------------------------------------------------------------------------------------------------
def _with_what_is_not_theirs(session: Session, row: Subscriber) -> int:
    """The audiences that nobody can choose, and those that are still lent."""
    bits = row.audiences & ~OFFERED_MASK
    for lent in session.execute(select(Given.audiences).where(Given.subscriber_id == row.id)).scalars():
        bits |= lent & row.audiences
    return bits


def _place(session: Session, subscriber_id: int, region_codes: tuple[str, ...]) -> None:
    """In these communities, and in those that are lent, and nowhere else."""
    lent = select(Given.region_code).where(Given.subscriber_id == subscriber_id, Given.region_given)
    session.execute(delete(SubscriberRegion).where(
        SubscriberRegion.subscriber_id == subscriber_id, SubscriberRegion.region_code.not_in(region_codes),
        SubscriberRegion.region_code.not_in(lent)).execution_options(synchronize_session=False))
    if region_codes:
        session.execute(insert_into(session, SubscriberRegion).on_conflict_do_nothing(),
                        [{"region_code": code, "subscriber_id": subscriber_id} for code in region_codes])


@contextmanager
def _within(session: Session | None) -> Iterator[Session]:
    if session is not None:
        yield session
    else:
        with transaction() as opened:
            yield opened
