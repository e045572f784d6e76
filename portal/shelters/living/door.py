"""The door of the staff's pages: a phone proves itself by a one-time code, and gets a cookie of its own.

The cookie holds a random secret; the database holds its hash, whose phone it is, and until when. A phone that keeps no
shelter any more has no session, whatever cookie it shows.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Response, current_app, g, request
from sqlalchemy import delete, select

from portal.channels.sms import codes
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.phones import PhoneBook
from portal.shelters.living import keepers
from portal.shelters.models import Keeper, KeeperSession, Shelter

PURPOSE = "keeper"
COOKIE, PATH = "anlan_staff", "/staff/"
#: A shift of a large operation and the days around it, without a code each time.
LASTS = timedelta(days=14)
#: Sessions of one phone; the oldest end when more begin.
MOST = 5


@dataclass(frozen=True)
class Holder:
    """Whose phone this is: what it keeps, and a name for the phone that tells nothing (so that what one person left unsent
    is not sent by the next)."""

    kept: list[tuple[Keeper, Shelter]]
    name: str

    def find(self, shelter_id: int) -> tuple[Keeper, Shelter] | None:
        return next(((k, s) for k, s in self.kept if s.id == shelter_id), None)


def ask(phone: str) -> None:
    """Send a code to the phone (E.164), if it keeps a shelter; the answer is the same if not. Raises Invalid at `phone`
    when codes were asked for too often."""
    kept = keepers.of_phone(_index(phone))
    codes.send_code(phone, PURPOSE, kept[0][0].language if kept else "zh", known=bool(kept))


def enter(phone: str, code: str) -> str | None:
    """The secret for the cookie, when the code is right."""
    if not codes.check_code(phone, PURPOSE, code):
        return None
    index, now, secret = _index(phone), utcnow(), secrets.token_urlsafe(32)
    kept = keepers.of_phone(index)
    if not kept:  # removed since the code was sent
        return None
    with transaction() as session:
        session.execute(delete(KeeperSession).where(KeeperSession.expires_at <= now))
        mine = select(KeeperSession.token_hash).where(KeeperSession.phone_index == index)
        old = session.execute(mine.order_by(KeeperSession.started_at.desc()).offset(MOST - 1)).scalars().all()
        session.execute(delete(KeeperSession).where(KeeperSession.token_hash.in_(old)))
        session.add(KeeperSession(token_hash=_hashed(secret), phone_index=index, started_at=now, expires_at=now + LASTS))
        keeper, shelter = kept[0]
        audit.append(session, audit.Actor(None, keeper.post), "keeper.sign_in", f"shelter:{shelter.code}",
                     {"keeper": keeper.id})
    return secret


def holder() -> Holder | None:
    """Who holds the phone of this request, or None. Asked of the database once per request."""
    if "staff_holder" not in g:
        g.staff_holder = _find()
    return g.staff_holder


def leave() -> None:
    """End the session of this request."""
    with transaction() as session:
        session.execute(delete(KeeperSession).where(KeeperSession.token_hash == _hashed(request.cookies.get(COOKIE, ""))))
    g.pop("staff_holder", None)


def hand_over(response: Response, secret: str) -> Response:
    """Set the cookie; with an empty secret, take it back."""
    if secret:
        response.set_cookie(COOKIE, secret, max_age=int(LASTS.total_seconds()), path=PATH, httponly=True, samesite="Lax",
                            secure=request.is_secure)
    else:
        response.delete_cookie(COOKIE, path=PATH, httponly=True, samesite="Lax", secure=request.is_secure)
    return response


def _find() -> Holder | None:
    secret = request.cookies.get(COOKIE, "")
    if not secret or len(secret) > 100:
        return None
    row = db.session.get(KeeperSession, _hashed(secret))
    if row is None or row.expires_at <= utcnow():
        return None
    kept = keepers.of_phone(bytes(row.phone_index))
    name = hashlib.sha256(b"anlan outbox\0" + bytes(row.phone_index)).hexdigest()[:12]
    return Holder(kept, name) if kept else None


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _index(phone: str) -> bytes:
    book: PhoneBook = current_app.extensions["phones"]
    return book.index(phone)
