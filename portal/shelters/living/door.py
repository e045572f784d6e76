"""The door of the staff's pages: a phone proves itself by a one-time code, and gets a cookie of its own.

A phone that keeps no shelter any more has no session, whatever cookie it shows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from flask import current_app, g

from portal.channels.sms import codes
from portal.channels.sms.passes import Pass
from portal.core import audit
from portal.core.db import transaction
from portal.core.phones import PhoneBook
from portal.shelters.living import keepers
from portal.shelters.models import Keeper, KeeperSession, Shelter

PURPOSE = "keeper"
#: It lasts a shift of a large operation and the days around it, without a code each time.
PASS = Pass(KeeperSession, "phone_index", "anlan_staff", "/staff/", lasts=timedelta(days=14), most=5)


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
    index = _index(phone)
    kept = keepers.of_phone(index)
    if not kept:  # removed since the code was sent
        return None
    with transaction() as session:
        secret = PASS.begin(session, index)
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
    PASS.end()
    g.pop("staff_holder", None)


def _find() -> Holder | None:
    row = PASS.find()
    if row is None:
        return None
    kept = keepers.of_phone(bytes(row.phone_index))
    name = hashlib.sha256(b"anlan outbox\0" + bytes(row.phone_index)).hexdigest()[:12]
    return Holder(kept, name) if kept else None


def _index(phone: str) -> bytes:
    book: PhoneBook = current_app.extensions["phones"]
    return book.index(phone)
