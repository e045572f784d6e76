"""Keepers: who of a shelter's staff may report its state, each by a phone. Added and removed at the desk."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from flask import current_app
from flask_babel import lazy_gettext as _l
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.errors import Conflict, Forbidden, Invalid, Problem
from portal.core.i18n import LANGUAGES
from portal.core.phones import PhoneBook, parse
from portal.identity.models import Account
from portal.shelters.living.opening import may_open
from portal.shelters.models import Keeper, KeeperSession, Shelter

LONGEST_POST = 80
#: Keepers of one shelter.
MOST = 30
#: Shelters of one phone that are read at once.
MOST_SHELTERS = 100
_TAIL = 4


def listing(shelter_id: int) -> list[Keeper]:
    """The active keepers of a shelter, in the order in which they were added."""
    query = select(Keeper).where(Keeper.shelter_id == shelter_id, Keeper.active).order_by(Keeper.id)
    return list(db.session.execute(query).scalars())


def of_shelters(shelter_ids: Collection[int], limit: int) -> list[Keeper]:
    """The active keepers of these shelters, up to `limit`."""
    query = select(Keeper).where(Keeper.shelter_id.in_(list(shelter_ids)), Keeper.active)
    return list(db.session.execute(query.order_by(Keeper.shelter_id, Keeper.id).limit(limit)).scalars())


def count_of(shelter_ids: Collection[int]) -> int:
    """How many active keepers these shelters have."""
    query = select(func.count()).select_from(Keeper).where(Keeper.shelter_id.in_(list(shelter_ids)), Keeper.active)
    return db.session.execute(query).scalar_one()


def of_phone(phone_index: bytes) -> list[tuple[Keeper, Shelter]]:
    """What the holder of a phone keeps: each active keeper's row with its shelter, by the shelter's code."""
    query = (
        select(Keeper, Shelter).join(Shelter, Shelter.id == Keeper.shelter_id)
        .where(Keeper.phone_index == phone_index, Keeper.active, Shelter.retired_at.is_(None))
        .order_by(Shelter.code).limit(MOST_SHELTERS))
    return [(keeper, shelter) for keeper, shelter in db.session.execute(query).all()]


def add(account: Account, shelter_id: int, *, phone: str, post: str, language: str) -> Keeper:
    """Let the holder of `phone` report the shelter's state. One who was removed comes back with the new post. Raises
    Invalid by field, Forbidden outside the duty, Conflict when the phone is there already."""
    number, post = _checked(phone, post, language)
    book: PhoneBook = current_app.extensions["phones"]
    with transaction() as session:
        shelter = _shelter(session, account, shelter_id)
        if count_of([shelter_id]) >= MOST:
            raise Invalid.one("", _l("A shelter has at most 30 keepers. Remove one first."))
        index = book.index(number)
        query = select(Keeper).where(Keeper.shelter_id == shelter_id, Keeper.phone_index == index)
        keeper = session.execute(query).scalar_one_or_none()
        if keeper is not None and keeper.active:
            raise Conflict(_l("This number is a keeper of this shelter already, as “%(post)s”.", post=keeper.post))
        if keeper is None:
            keeper = Keeper(shelter_id=shelter_id, phone_index=index, tail=number[-_TAIL:])
            session.add(keeper)
        keeper.phone_sealed, keeper.post, keeper.language = book.seal(number), post, language
        keeper.active, keeper.added_by, keeper.added_at = True, account.display_name, utcnow()
        session.flush()
        audit.append(session, _actor(account), "keeper.add", f"shelter:{shelter.code}", {"post": post, "keeper": keeper.id})
        return keeper


def remove(account: Account, shelter_id: int, keeper_id: int) -> None:
    """Take the right to report away. What the phone still holds open ends with its last shelter. Twice is no error."""
    with transaction() as session:
        shelter = _shelter(session, account, shelter_id)
        keeper = session.get(Keeper, keeper_id)
        if keeper is None or keeper.shelter_id != shelter_id or not keeper.active:
            return
        keeper.active = False
        session.flush()
        left = select(Keeper.id).where(Keeper.phone_index == keeper.phone_index, Keeper.active).limit(1)
        if session.execute(left).first() is None:
            session.execute(delete(KeeperSession).where(KeeperSession.phone_index == keeper.phone_index))
        audit.append(session, _actor(account), "keeper.remove", f"shelter:{shelter.code}",
                     {"post": keeper.post, "keeper": keeper.id})


def _checked(phone: str, post: str, language: str) -> tuple[str, str]:
    problems, number = [], ""
    try:
        number = parse(phone.strip()[:40])
    except ValueError:
        problems.append(Problem("phone", _l("This cannot be a phone number. Write it as 13800000000 or +8613800000000.")))
    post = unicodedata.normalize("NFC", " ".join(post.split()))
    if not 1 <= len(post) <= LONGEST_POST:
        problems.append(Problem("post", _l("Say which post this is, in at most 80 characters.")))
    if language not in LANGUAGES:
        problems.append(Problem("language", _l("Choose a language.")))
    if problems:
        raise Invalid(problems)
    return number, post


def _shelter(session: Session, account: Account, shelter_id: int) -> Shelter:
    shelter = session.execute(select(Shelter).where(Shelter.id == shelter_id).with_for_update()).scalar_one_or_none()
    if shelter is None or shelter.retired_at:
        raise Conflict(_l("This shelter is no longer in the register."))
    if not may_open(account, shelter):
        raise Forbidden(_l("Your duty does not cover this shelter."))
    return shelter


def _actor(account: Account) -> audit.Actor:
    return audit.Actor(str(account.id), account.display_name)
